import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SecaggCase } from './secaggCase.js';

/**
 * Set-up and rounds of secure aggregation by real members and a real coordinator, CPU time of either side beside the
 * floor measured in the same process, between the members' turns: the AES-256-CTR, additions, X25519 and Ed25519
 * operations that the protocol needs. Medians over the members, and of the ratios over the rounds. All members live in the one process, so its peak memory is theirs too.
 *
 * The numbers of colluders give the degrees of the cases that are compared elsewhere: k = 30 and k = 52.
 */
const CASES: readonly SecaggCase[] = [
  {
    members: 8,
    graph: 'complete',
    maxColluders: 1,
    minSurvivors: 6,
    dimension: 50_000,
    drops: 0,
    rounds: 30,
  },
  {
    members: 10,
    graph: 'complete',
    maxColluders: 1,
    minSurvivors: 8,
    dimension: 1_000_000,
    drops: 1,
    rounds: 5,
  },
  {
    members: 100,
    graph: 'harary',
    maxColluders: 8,
    minSurvivors: 90,
    dimension: 1_000_000,
    drops: 10,
    rounds: 3,
  },
  {
    members: 100,
    graph: 'complete',
    maxColluders: 5,
    minSurvivors: 80,
    dimension: 1_000_000,
    drops: 10,
    rounds: 3,
  },
  {
    members: 500,
    graph: 'complete',
    maxColluders: 25,
    minSurvivors: 400,
    dimension: 100_000,
    drops: 50,
    rounds: 1,
  },
  {
    members: 1000,
    graph: 'harary',
    maxColluders: 20,
    minSurvivors: 950,
    dimension: 1_000_000,
    drops: 50,
    rounds: 1,
  },
];

/** The two that take seconds. */
export async function* benchSecaggQuick(): AsyncIterable<object> {
  for (const play of CASES.slice(0, 2)) yield* inOwnProcess(play);
}

export async function* benchSecagg(): AsyncIterable<object> {
  for (const play of CASES) yield* inOwnProcess(play);
}

async function* inOwnProcess(play: SecaggCase): AsyncIterable<object> {
  const script = fileURLToPath(new URL('./secaggCase.js', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(play)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as object;
  const code = await ended;
  if (code !== 0) throw new Error(`the case of ${play.members} members ended with exit code ${code}`);
}
