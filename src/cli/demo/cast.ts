import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../exits.js';
import { type BirdStrikes, writeGroupCsv } from './birdstrikes.js';
import { freePort } from './files.js';
import { DELTA, EPSILON, HOLD_OUT } from './plan.js';
import { inPairs, type LongRunning, type Processes } from './processes.js';
import type { Terminal } from './terminal.js';

/** Where the demo plays: what it says, what it starts, and the folder it writes into. */
export interface Stage {
  readonly terminal: Terminal;
  readonly processes: Processes;
  readonly folder: string;
  /** A path as the user would type it from the current folder. */
  here(path: string): string;
}

export interface Member {
  readonly id: string;
  readonly name: string;
  /** Its id in the charter, from its enrolled key. */
  readonly participantId: string;
  readonly process: LongRunning;
}

/** Who takes part, each a process; the arguments are those with which `chorale` speaks as that role. */
export interface Cast {
  readonly coordinator: LongRunning;
  readonly url: string;
  readonly engine: string;
  readonly at: readonly string[];
  readonly operator: readonly string[];
  readonly approver: readonly string[];
  readonly members: readonly Member[];
}

const FEDERATION = 'bird-strikes';
/** 8 members with a threshold of 6: two may be lost from a round. */
const MIN_SURVIVORS = 6;

/** A coordinator, and eight participants that are enrolled and have signed one charter: ready for a run. */
export async function startCast(
  stage: Stage,
  strikes: BirdStrikes,
  order: number,
  port: number,
): Promise<Cast> {
  const { processes, terminal, folder } = stage;
  const dataDir = join(folder, 'coordinator');
  const { coordinator, listening } = await startCoordinator(processes, dataDir, port);
  const url = String(listening.url);
  const [operatorToken, approverToken] = listening.tokenFiles as [string, string];
  const engine = String(listening.engine);
  const at = ['--url', url];
  const operator = [...at, '--token-file', operatorToken];
  const approver = [...at, '--token-file', approverToken];
  terminal.step(
    'coordinator',
    `Coordinator at ${url}/graphql, embedded PostgreSQL in ${stage.here(dataDir)}, ${engine}`,
    { url, engine },
  );

  const applicants = await startParticipants(stage, url);
  const enrolled = await processes.run('operator', ['charter', 'members', ...operator]);
  const idsByName = new Map(enrolled.map((line) => [String(line.name), String(line.participantId)]));
  await processes.run('operator', ['charter', 'approve', ...idsByName.values(), ...operator]);
  const members = applicants.map((applicant) => ({
    ...applicant,
    participantId: idsByName.get(applicant.name) ?? '',
  }));

  const schemaFile = join(folder, 'schema.json');
  writeFileSync(schemaFile, `${JSON.stringify(strikes.schema, null, 2)}\n`);
  const [proposed] = await processes.run('operator', [
    ...['charter', 'propose', '--schema', schemaFile, '--epsilon', String(EPSILON), '--delta', String(DELTA)],
    ...['--min-survivors', String(MIN_SURVIVORS), '--orders', String(order)],
    ...['--hold-out', String(HOLD_OUT), ...operator],
  ]);
  const digest = String(proposed?.digest);
  const signing = members.map((member) => member.process.line('charter signed'));
  await inPairs(members, ({ id, dir }) =>
    processes.run(id, ['charter', 'sign', '--dir', dir, '--digest', digest]),
  );
  await Promise.all(signing);
  terminal.step(
    'charter',
    `All ${members.length} signed the charter ${digest.slice(0, 12)}…: ε ≤ ${EPSILON} at δ = ${DELTA}, at least ${MIN_SURVIVORS} in every sum, one colluder assumed, ${100 * HOLD_OUT} % of the rows held out`,
    { digest, epsilonLimit: EPSILON, delta: DELTA },
  );
  return { coordinator, url, engine, at, operator, approver, members };
}

/** On the first free port; another process may take it between the look and the start, then the next one is tried. */
async function startCoordinator(processes: Processes, dataDir: string, wanted: number) {
  for (let port = await freePort(wanted); ; port = await freePort(port + 1)) {
    const coordinator = processes.start('coordinator', [
      ...['coordinator', 'start', '--data', dataDir, '--federation', FEDERATION, '--port', String(port)],
      ...['--reconnect-grace', '1500', '--phase-deadline', '20000'],
      ...['--gather', '3000', '--quorum-wait', '30000'],
    ]);
    try {
      return { coordinator, listening: await coordinator.line('listening') };
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'EADDRINUSE') throw error;
      await coordinator.ended;
    }
  }
}

/** Eight participants, each with its own rows, key and spending record, waiting to be let in. */
async function startParticipants({ processes, terminal, folder }: Stage, url: string) {
  const files = await writeGroupCsv(join(folder, 'records'));
  const applicants = await inPairs(files, async ({ id, name, path, rows }) => {
    const dir = join(folder, 'participants', id);
    await mkdir(join(folder, 'participants'), { recursive: true });
    await processes.run(id, [
      ...['participant', 'init', '--dir', dir, '--coordinator', url, '--federation', FEDERATION],
      ...['--name', name, '--declared-records', String(declared(rows))],
    ]);
    const child = processes.start(id, ['participant', 'start', '--dir', dir, '--records', path]);
    await child.line('waiting for an operator to approve');
    return { id, name, dir, process: child };
  });
  terminal.step(
    'participants',
    `${applicants.length} participants, each a process with its own rows and key: ${applicants.map((a) => a.name).join(', ')}`,
    { participants: applicants.map(({ id, name, process: { pid } }) => ({ id, name, pid })) },
  );
  return applicants;
}

/** A public, rounded undertaking: to the nearest fifty. */
function declared(rows: number): number {
  return Math.max(50, Math.round(rows / 50) * 50);
}
