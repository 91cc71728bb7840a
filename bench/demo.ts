import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The demo's summary line, as far as it is measured here. */
interface Summary {
  readonly event: 'summary';
  readonly rounds: number;
  readonly dropped: number;
  readonly voided: number;
  readonly roundsPerSecond: number;
  readonly bytesPerParticipant: number;
  readonly durationMs: number;
}

/**
 * The whole system, as a person starts it: `chorale demo --quick`, nine processes on this machine, one of them killed.
 * `roundsPerSecond` is between the first sum and the last; `totalMs` is from the command to the report.
 */
export async function* benchDemo(): AsyncIterable<object> {
  const folder = await mkdtemp(join(tmpdir(), 'chorale-bench-'));
  try {
    const { engine, summary } = await playDemo(join(folder, 'demo'));
    yield {
      bench: 'demo',
      size: 'quick',
      engine,
      rounds: summary.rounds,
      roundsPerSecond: Number(summary.roundsPerSecond.toFixed(2)),
      bytesPerParticipant: summary.bytesPerParticipant,
      bytesPerParticipantAndRound: Math.round(summary.bytesPerParticipant / Math.max(1, summary.rounds)),
      dropped: summary.dropped,
      voided: summary.voided,
      totalMs: summary.durationMs,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function playDemo(out: string): Promise<{ readonly engine: string; readonly summary: Summary }> {
  const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, '--json', 'demo', '--quick', '--out', out], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Its processes end with us, even if we are killed.
    env: { ...process.env, CHORALE_ENDS_WITH_STDIN: '1' },
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  let engine = '';
  let summary: Summary | undefined;
  let failure = '';
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as { readonly event?: string; readonly [key: string]: unknown };
    if (line.event === 'coordinator') engine = String(line.engine);
    if (line.event === 'summary') summary = line as unknown as Summary;
    if (line.event === 'error') failure = String(line.message);
  });
  const exitCode = await ended;
  if (exitCode !== 0 || summary === undefined)
    throw new Error(`benchDemo: the demo ended with exit code ${exitCode}${failure && `: ${failure}`}`);
  return { engine, summary };
}
