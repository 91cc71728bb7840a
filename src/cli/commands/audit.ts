import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Audit, CanaryKind } from '../../evaluation/audit/oneRun.js';
import { isJson, print } from '../connection.js';
import { readJsonFile } from '../exits.js';
import { wholeNumber } from './coordinator.js';

interface AuditOptions {
  readonly charter: string;
  readonly synthesizer: string;
  readonly options: string;
  readonly records?: string;
  readonly kind: CanaryKind;
  readonly canaries: number;
  readonly confidence: number;
  readonly seed?: string;
  readonly control?: 'no-noise';
}

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .description('train once with canaries, on this machine, and hold what they show against the accounted ε')
    .requiredOption('--charter <file>', 'the charter, or the charter.json of a participant’s folder')
    .option('--synthesizer <kind>', 'which synthesizer', 'gan')
    .option('--options <json>', 'the run’s options, as JSON or a file', '{}')
    .option(
      '--records <csv>',
      'records to train on beside the canaries; the figures then tell of them: keep those to yourself',
    )
    .addOption(
      new Option('--kind <kind>', 'what a canary is: a vector of the largest norm, or an invented record')
        .choices(['vector', 'record'])
        .default('vector'),
    )
    .option('--canaries <number>', 'how many', wholeNumber(4, 65_536), 512)
    .option('--confidence <number>', 'of the verdict', fraction, 0.95)
    .option('--seed <text>', 'the same seed gives the same audit; without one it is drawn')
    .addOption(
      new Option('--control <fault>', 'audit a run with a fault, which must be found').choices(['no-noise']),
    )
    .addHelpText(
      'after',
      `
Every canary is in the data with probability 1/2; from the noisy sums alone the audit guesses which are. So
many right guesses refute any smaller ε with the stated confidence (Steinke, Nasr, Jagielski 2023). Where that
is more than the accountant says, something is broken: exit code 3, and nothing that was trained so may be released.
Examples:
  $ chorale audit --charter ./north/charter.json --options options.json --records north.csv
  $ chorale audit --charter ./north/charter.json --options options.json --control no-noise`,
    )
    .action(async (options: AuditOptions, command: Command) => {
      const { requirePassed } = await import('../../evaluation/audit/oneRun.js');
      const audit = await runAudit(options, (line) => {
        if (isJson(command)) console.log(JSON.stringify(line));
      });
      print(command, { event: 'audit', ...audit }, inWords(audit));
      requirePassed(audit);
    });
}

async function runAudit(
  options: AuditOptions,
  started: (line: Readonly<Record<string, unknown>>) => void,
): Promise<Audit> {
  const { auditTraining } = await import('../../evaluation/audit/oneRun.js');
  const { nodePrimitives } = await import('../../crypto/nodePrimitives.js');
  const { seededRng, systemRng } = await import('../../crypto/rng.js');
  const { parseCharter, readCharter, synthesisContext } = await import('../../federation/charter.js');
  const { readCsv, synthesizerOf } = await import('../../synthesis/index.js');
  const { readOptions } = await import('./runPrivacy.js');
  const file = readJsonFile(options.charter);
  const charter = isPinned(file) ? readCharter(file.body) : parseCharter(file);
  const synthesizer = synthesizerOf(options.synthesizer);
  const context = synthesisContext(charter);
  const seed =
    options.seed === undefined
      ? systemRng()(32)
      : nodePrimitives.sha256(new TextEncoder().encode(`chorale/audit/${options.seed}`));
  const rng = seededRng(seed);
  const records = options.records === undefined ? undefined : await readCsv(options.records, context.schema);
  started({ event: 'auditing', kind: options.kind, canaries: options.canaries });
  try {
    return await auditTraining({
      synthesizer,
      context,
      options: synthesizer.parseOptions(readOptions(options.options)),
      records,
      kind: options.kind,
      canaries: options.canaries,
      delta: charter.privacy.delta,
      confidence: options.confidence,
      rng,
      seed: rng(32),
      ...(options.control === 'no-noise' && {
        drawShare: ({ dimension }: { readonly dimension: number }) => new Int32Array(dimension),
      }),
    });
  } finally {
    await records?.close();
  }
}

function inWords(audit: Audit): string {
  const { canaries, guesses, rightGuesses, confidence, delta } = audit;
  return (
    `${rightGuesses} of ${guesses} guesses about ${canaries} canaries were right over ${audit.steps} sums.\n` +
    `ε empirical  ≥ ${audit.epsilonEmpirical.toFixed(4)}   with ${100 * confidence} % confidence (so many canaries can show ${audit.epsilonDetectable.toFixed(2)} at most)\n` +
    `ε accounted  ≤ ${audit.epsilonAccounted.toFixed(4)}   at δ = ${delta}, against the coordinator with its possible colluders\n` +
    (audit.passed
      ? `Passed: the canaries do not contradict the accountant. (A right run fails with probability ${(1 - confidence).toPrecision(2)} at most.)`
      : 'FAILED: more leaks than is accounted.')
  );
}

function isPinned(file: unknown): file is { readonly body: string } {
  return typeof file === 'object' && file !== null && 'body' in file && typeof file.body === 'string';
}

function fraction(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('a number between 0 and 1 is wanted.');
  return value;
}
