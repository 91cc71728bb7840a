import { parseArgs } from 'node:util';
import { ScheduleFailed, simulate } from './simulate.js';

/**
 * `npm run simulate:secagg -- --seed S` replays one schedule and prints all that happens in it;
 * `-- --count N [--from S]` plays N, prints the first failing one's schedule and ends with status 1.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string', default: '1000' },
    from: { type: 'string', default: '0' },
  },
});

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    print(`simulate: --${name} must be a whole number, not "${text}"`);
    process.exit(2);
  }
  return value;
}

async function replay(seed: number): Promise<void> {
  try {
    const { steps } = await simulate(seed, { log: print });
    print(`seed ${seed}: ${steps} steps, the property holds`);
  } catch (error) {
    if (!(error instanceof ScheduleFailed)) throw error;
    print(error.message);
    if (error.cause instanceof Error) print(error.cause.stack ?? '');
    process.exitCode = 1;
  }
}

if (values.seed !== undefined) await replay(whole('seed', values.seed));
else {
  const from = whole('from', values.from);
  const count = whole('count', values.count);
  const happened = new Map<string, number>();
  for (let seed = from; seed < from + count; seed++) {
    try {
      const report = await simulate(seed);
      for (const [what, times] of report.happened) happened.set(what, (happened.get(what) ?? 0) + times);
    } catch (error) {
      if (!(error instanceof ScheduleFailed)) throw error;
      await replay(seed);
      break;
    }
    const played = seed + 1 - from;
    if (played % 10_000 === 0) process.stderr.write(`${played} schedules\n`);
  }
  for (const [what, times] of [...happened].sort()) print(`${String(times).padStart(9)}  ${what}`);
}
