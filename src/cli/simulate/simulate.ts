import { bytesToHex } from '@noble/hashes/utils.js';
import type { Json } from '../../crypto/canonical.js';
import type { ObserverView } from '../../privacy/observerViews.js';
import {
  parseTableSchema,
  type RecordSource,
  unconfirmedFields,
  withoutMarks,
} from '../../synthesis/index.js';
import { splitRecords } from '../../synthesis/table/holdOut.js';
import type { Terminal } from '../demo/terminal.js';
import { checkPage } from '../evaluate/page.js';
import { readJsonFile } from '../exits.js';
import { movedNotices, unconfirmedWarning } from '../schema/notices.js';
import { cohortFor } from './cohort.js';
import { openFederation, type Transport } from './federation.js';
import { ordersFor } from './orders.js';
import { type RoundSeconds, roundSeconds, stopwatch } from './phases.js';
import { randomnessOf } from './randomness.js';
import { filesMatching, openHoldings } from './records.js';
import { HELD_OUT, writeReport } from './report.js';
import { checkWritable, writeTable } from './table.js';
import { checkRun, noiseWithin, type RunSettings, train } from './training.js';

export interface SimulationSettings extends RunSettings {
  /** A Table Schema file. */
  readonly schema: string;
  /** Paths and glob patterns of CSV files. */
  readonly participants: readonly string[];
  readonly outOfBounds: 'clamp' | 'refuse';
  /** Against the coordinator and `maxColluders` members: the charter's limit, which the run is made to use up. */
  readonly epsilon: number;
  readonly delta: number;
  /** Fewest contributions in a sum; all participants if left out. */
  readonly minParticipants?: number;
  readonly maxColluders: number;
  readonly rows: number;
  readonly seed?: string;
  readonly transport: Transport;
  readonly out: string;
  /** An HTML page on the table's worth; then HELD_OUT of each participant's records is kept from the generator. */
  readonly report?: string;
}

export interface Simulation {
  readonly synthesizer: string;
  readonly participants: readonly { readonly name: string; readonly declaredRecords: number }[];
  readonly minParticipants: number;
  readonly maxColluders: number;
  /** Spent by the ledger, of `epsilonCommitted`, at `delta`, against the coordinator and `maxColluders` members. */
  readonly epsilon: number;
  readonly epsilonCommitted: number;
  readonly delta: number;
  /** The order that the plan fixed: Rényi, or 1 for Gaussian DP. */
  readonly order: number | null;
  readonly noiseMultiplier: number;
  /** ε by who looks; Infinity where nothing protects, which JSON has as null. */
  readonly views: readonly Omit<ObserverView, 'curve'>[];
  /** Sums that were opened. */
  readonly rounds: number;
  /** Protocol messages, set-up included, and models: bodies, without what HTTP adds. */
  readonly bytes: {
    readonly sentByEach: number;
    readonly receivedByEach: number;
    readonly sentByAll: number;
  };
  /** Wall-clock time of each phase, and of the training's parts. */
  readonly seconds: Readonly<Record<SimulationPhase | 'total', number>> & { readonly rounds: RoundSeconds };
  readonly rows: number;
  readonly seed: string | null;
  readonly out: string;
  readonly report: string | null;
}

export type SimulationPhase = 'records' | 'federation' | 'noise' | 'training' | 'views' | 'table' | 'report';

/**
 * A whole federation in one process: the coordinator's service, accountant, filter and store, and the participants' sessions with
 * secure aggregation, noise and spending records, as in a deployment; HTTP alone is left out, unless it is asked for. Throws CliError and the
 * rooms' own errors with what was wrong and what to do; then nothing is written.
 */
export async function simulate(settings: SimulationSettings, terminal: Terminal): Promise<Simulation> {
  const watch = stopwatch<SimulationPhase>(() => performance.now());
  checkRun(settings);
  checkWritable(settings.out);
  const { report } = settings;
  if (report !== undefined) checkPage('--report', report);
  const declared = readJsonFile(settings.schema) as Json;
  const schema = parseTableSchema(declared);
  const unconfirmed = unconfirmedFields(schema);
  if (unconfirmed.length > 0)
    terminal.step('unconfirmed', unconfirmedWarning(unconfirmed), { fields: unconfirmed });
  const { participants: patterns, outOfBounds } = settings;
  const files = filesMatching(patterns);
  const cohort = cohortFor(files.length, settings);
  const { minSurvivors: minParticipants, maxColluders } = cohort;
  const { epsilon, delta, seed } = settings;
  const orders = ordersFor(epsilon, delta);
  const division = randomnessOf(seed, 'hold-out');
  const divided = async (records: RecordSource): Promise<RecordSource> =>
    report === undefined ? records : await splitRecords(records, HELD_OUT, division(32));
  const holdings = await watch.phase('records', () => openHoldings(files, schema, outOfBounds, divided));
  try {
    const declarations = holdings.map(({ name, declaredRecords }) => ({ name, declaredRecords }));
    const records = declarations.reduce((sum, one) => sum + one.declaredRecords, 0);
    terminal.step(
      'records',
      `${holdings.length} participants with about ${records.toLocaleString('en-US')} records, all valid by the schema`,
      { participants: declarations },
    );
    for (const { file, moved } of holdings)
      for (const notice of movedNotices(moved, schema)) terminal.note(`${file}: ${notice}`);
    const federation = await watch.phase('federation', () =>
      // A trial's charter is nobody's publication; a real one refuses what was read from data.
      openFederation({
        ...{ schema: withoutMarks(declared), holdings, epsilon, delta, orders, cohort, seed },
        transport: settings.transport,
      }),
    );
    try {
      const { service, participants } = federation;
      terminal.step(
        'charter',
        `Charter signed by all: ε ≤ ${epsilon} at δ = ${delta}, every sum of at least ${minParticipants} contributions`,
        { epsilon, delta, orders, minParticipants, maxColluders },
      );
      const noiseMultiplier = await watch.phase('noise', () => noiseWithin(federation, settings));
      const options = { ...settings.options, noiseMultiplier };
      terminal.step('noise', `Noise multiplier ${noiseMultiplier}: the least with which the whole run fits`, {
        noiseMultiplier,
      });
      const started = performance.now();
      const run = await watch.phase('training', () =>
        train(federation, { synthesizer: settings.synthesizer, options }, async ({ step, totalSteps }) => {
          const { epsilonSpent } = await service.compliance.budget();
          const roundsPerSecond = (1000 * step) / (performance.now() - started);
          terminal.progress(step, totalSteps, { epsilon: epsilonSpent, roundsPerSecond });
        }),
      );
      terminal.settle();
      const rounds = await federation.rounds(run.id);
      const views = await watch.phase('views', () => service.compliance.observerViews(run.id));
      const { epsilonSpent, order } = await service.compliance.budget();
      await watch.phase('table', async () => {
        const sampling = seed ?? bytesToHex(randomnessOf(undefined, 'samples')(16));
        const rows = await service.samples.rows(run.id, { seed: sampling, offset: 0, count: settings.rows });
        await writeTable(settings.out, schema, rows);
      });
      if (report !== undefined) {
        const privacy = { epsilon: epsilonSpent, delta };
        const request = { schema, holdings, synthetic: settings.out, privacy, seed: seed ?? '' };
        await watch.phase('report', () => writeReport(report, request, new Date()));
      }
      const sent = participants.map(({ traffic }) => traffic.sent);
      return {
        synthesizer: run.synthesizer,
        participants: declarations,
        minParticipants,
        maxColluders,
        epsilon: epsilonSpent,
        epsilonCommitted: epsilon,
        delta,
        order,
        noiseMultiplier,
        views: views.map(({ curve: _, ...view }) => view),
        rounds: rounds.filter(({ phase }) => phase === 'completed').length,
        bytes: {
          sentByEach: Math.max(...sent),
          receivedByEach: Math.max(...participants.map(({ traffic }) => traffic.received)),
          sentByAll: sent.reduce((sum, bytes) => sum + bytes, 0),
        },
        seconds: { ...watch.seconds(), rounds: roundSeconds(rounds) },
        rows: settings.rows,
        seed: seed ?? null,
        out: settings.out,
        report: report ?? null,
      };
    } finally {
      await federation.close();
    }
  } finally {
    await Promise.all(holdings.map(({ records }) => records.close()));
  }
}
