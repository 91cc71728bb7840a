import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// The commands as they are shipped: `npm test` builds them first.
import {
  createProcesses,
  type Line,
  type LongRunning,
  type Processes,
} from '../../dist/src/cli/demo/processes.js';
import { emptyPGlite } from '../store/emptyPGlite.js';

/** Three columns, public bounds: small enough that a round is mostly protocol. */
export const SCHEMA = {
  fields: [
    { name: 'ward', type: 'string', constraints: { required: true, enum: ['north', 'south', 'east'] } },
    { name: 'smoker', type: 'boolean', constraints: { required: true } },
    {
      name: 'age',
      type: 'integer',
      constraints: { minimum: 0, maximum: 100 },
      'chorale:bins': [0, 20, 40, 60, 80, 100],
    },
  ],
  missingValues: [''],
};

export const TINY_GAN = {
  samplingRate: 0.5,
  noiseMultiplier: 4,
  criticHidden: [4],
  generatorHidden: [4],
  latent: 2,
  generatorBatch: 16,
};

export interface ProcessFederation {
  readonly folder: string;
  readonly url: string;
  readonly processes: Processes;
  readonly members: readonly {
    readonly id: string;
    readonly dir: string;
    readonly records: string;
    process: LongRunning;
  }[];
  coordinator: LongRunning;
  readonly operator: readonly string[];
  readonly approver: readonly string[];
  startCoordinator(): Promise<LongRunning>;
  startMember(id: string): LongRunning;
  /** Proposes and approves a run; gives its id. */
  run(options: Readonly<Record<string, unknown>>): Promise<string>;
  /** Follows a run to its end; gives the last progress line. */
  finished(runId: string): Promise<Line>;
  /** When so many sums of the run are there. */
  reached(runId: string, step: number): Promise<void>;
  /** A file with an auditor's or application's token. */
  token(role: 'auditor' | 'application'): Promise<readonly string[]>;
  end(): Promise<void>;
}

export function recordsCsv(count: number): string {
  const wards = ['north', 'south', 'east'];
  const rows = Array.from(
    { length: count },
    (_, i) => `${wards[i % 3]},${i % 4 === 0},${i % 11 === 0 ? '' : (i * 7) % 100}`,
  );
  return `ward,smoker,age\n${rows.join('\n')}\n`;
}

/** A coordinator and `count` participants as processes, charter signed, ready for a run. */
export async function processFederation(
  count: number,
  minSurvivors: number,
  port: number,
): Promise<ProcessFederation> {
  const folder = mkdtempSync(join(tmpdir(), 'chorale-'));
  const processes = createProcesses(join(folder, 'logs'));
  const data = join(folder, 'coordinator');
  await emptyPGlite(join(data, 'database'));
  const startCoordinator = async () => {
    const started = processes.start('coordinator', [
      ...[
        'coordinator',
        'start',
        '--data',
        data,
        '--federation',
        'wards',
        '--port',
        String(port),
        '--slots',
        '4',
      ],
      ...[
        '--reconnect-grace',
        '3000',
        '--phase-deadline',
        '20000',
        '--gather',
        '4000',
        '--quorum-wait',
        '20000',
      ],
    ]);
    await started.line('listening');
    return started;
  };
  const coordinator = await startCoordinator();
  const url = `http://127.0.0.1:${port}`;
  const as = (role: string) => ['--url', url, '--token-file', join(data, `${role}.token`)];
  const startMember = (id: string) =>
    processes.start(id, [
      'participant',
      'start',
      '--dir',
      join(folder, id),
      '--records',
      join(folder, `${id}.csv`),
    ]);

  const members = [];
  for (let i = 0; i < count; i += 1) {
    const id = `member-${i + 1}`;
    writeFileSync(join(folder, `${id}.csv`), recordsCsv(40));
    await processes.run(id, [
      'participant',
      'init',
      '--dir',
      join(folder, id),
      '--coordinator',
      url,
      '--federation',
      'wards',
      '--name',
      id,
      '--declared-records',
      '40',
    ]);
    const member = startMember(id);
    await member.line('waiting for an operator to approve');
    members.push({ id, dir: join(folder, id), records: join(folder, `${id}.csv`), process: member });
  }
  const enrolled = await processes.run('operator', ['charter', 'members', ...as('operator')]);
  await processes.run('operator', [
    'charter',
    'approve',
    ...enrolled.map((line) => String(line.participantId)),
    ...as('operator'),
  ]);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
  const [proposed] = await processes.run('operator', [
    ...['charter', 'propose', '--schema', join(folder, 'schema.json'), '--epsilon', '100', '--delta', '1e-6'],
    ...['--min-survivors', String(minSurvivors), '--orders', '4', ...as('operator')],
  ]);
  const signed = members.map((member) => member.process.line('charter signed'));
  for (const member of members)
    await processes.run(member.id, [
      'charter',
      'sign',
      '--dir',
      member.dir,
      '--digest',
      String(proposed?.digest),
    ]);
  await Promise.all(signed);

  const federation: ProcessFederation = {
    folder,
    url,
    processes,
    members,
    coordinator,
    operator: as('operator'),
    approver: as('approver'),
    startCoordinator,
    startMember,
    async run(options) {
      const [run] = await processes.run('operator', [
        'run',
        'propose',
        '--options',
        JSON.stringify({ ...TINY_GAN, ...options }),
        ...as('operator'),
      ]);
      await processes.run('approver', ['run', 'approve', String(run?.runId), ...as('approver')]);
      return String(run?.runId);
    },
    async reached(runId, step) {
      const watching = processes.start('watch', ['run', 'watch', runId, ...as('operator')]);
      await new Promise<void>((resolve) => {
        watching.onLine((line) => {
          if (line.event === 'progress' && Number(line.step) >= step) resolve();
        });
        void watching.ended.then(() => resolve());
      });
      watching.kill();
      await watching.ended;
    },
    async finished(runId) {
      const watching = processes.start('watch', ['run', 'watch', runId, ...as('operator')]);
      let last: Line = {};
      watching.onLine((line) => {
        if (line.event === 'progress') last = line;
      });
      await watching.ended;
      return last;
    },
    async token(role) {
      const out = join(folder, `${role}.token`);
      await processes.run('operator', [
        'budget',
        'token',
        '--role',
        role,
        '--name',
        role,
        '--out',
        out,
        ...as('operator'),
      ]);
      return ['--url', url, '--token-file', out];
    },
    async end() {
      await processes.endAll();
      // Kept for whoever wants to see what went wrong.
      if (process.env.CHORALE_KEEP !== '1') rmSync(folder, { recursive: true, force: true });
    },
  };
  return federation;
}
