#!/usr/bin/env node
import { Command, CommanderError, Option } from 'commander';
import { registerAudit } from './commands/audit.js';
import { registerBudget } from './commands/budget.js';
import { registerCharter } from './commands/charter.js';
import { registerCohort } from './commands/cohort.js';
import { registerCoordinator } from './commands/coordinator.js';
import { registerDemo } from './commands/demo.js';
import { registerEvaluate } from './commands/evaluate.js';
import { registerParticipant } from './commands/participant.js';
import { registerPrivacy } from './commands/privacy.js';
import { registerRun } from './commands/run.js';
import { registerSample } from './commands/sample.js';
import { registerSchema } from './commands/schema.js';
import { registerSimulate } from './commands/simulate.js';
import { EXIT, explain } from './exits.js';
import { VERSION } from './version.js';

const program = new Command('chorale')
  .description(
    'Several organisations make one synthetic-data generator together; nobody, the coordinator\nincluded, ever sees anything of their records but differentially private sums.',
  )
  .version(VERSION)
  .addOption(new Option('--json', 'print JSON lines instead of text'))
  .showHelpAfterError('(add --help for the options and examples)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Examples:
  $ chorale demo                                    eight airlines, one generator, in two minutes
  $ chorale schema init north.csv --out schema.json
  $ chorale simulate --schema schema.json --participants 'parts/*.csv' --epsilon 1 --delta 1e-9 --out synthetic.csv
  $ chorale coordinator start --data ./coordinator --federation my-federation
  $ chorale participant init --dir ./north --coordinator http://127.0.0.1:4000 \\
      --federation my-federation --name "North Hospital" --declared-records 12000
  $ chorale budget --token-file auditor.token
  $ chorale privacy epsilon --noise-multiplier 1 --sampling-rate 0.01 --steps 1000 --delta 1e-5

Exit codes: 0 done, 1 a bug, 2 wrong command line, 3 refused (nothing was changed), 4 coordinator
unreachable, 5 over the privacy budget, 6 too few members or run aborted, 130 interrupted.
docs/deploy-by-hand.md walks through a real deployment in three terminals.`,
  );

registerDemo(program);
registerSimulate(program);
registerEvaluate(program);
registerSchema(program);
registerCoordinator(program);
registerParticipant(program);
registerCohort(program);
registerCharter(program);
registerRun(program);
registerBudget(program);
registerAudit(program);
registerPrivacy(program);
registerSample(program);

// Whoever started us may ask that we end with it: its end of the pipe closes even when it is killed with -9.
if (process.env.CHORALE_ENDS_WITH_STDIN === '1') {
  process.stdin.resume();
  // A command that is done must not wait for that.
  process.stdin.unref();
  process.stdin.on('end', () => process.exit(EXIT.interrupted));
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    const { exitCode, code, message } = explain(error);
    if (program.opts().json === true) console.log(JSON.stringify({ event: 'error', code, message }));
    else console.error(`chorale: ${message}`);
    process.exitCode = exitCode;
  }
}
