import { QUALITY } from '../synthesis/index.js';
import { parseQualityOptions, type QualityOptions } from '../synthesis/quality/options.js';
import { qualityPlan } from '../synthesis/quality/plan.js';
import { decodeReport } from '../synthesis/quality/report.js';
import { readCharter, synthesisContext } from './charter.js';
import { FederationError } from './errors.js';
import { assertGatesPassed, type GateResult, gateResults } from './gates.js';
import type { Blobs, RunRecord, Store, Transaction } from './ports.js';
import type { Compliance, Quality } from './service.js';

/** What the federation measured of its releases, and whether the charter lets them out. */
export interface QualityService extends Quality {
  /** Throws ReleaseGated where the run's charter holds it back. */
  assertReleasable(run: RunRecord): Promise<void>;
}

export function createQuality(
  store: Store,
  blobs: Blobs,
  compliance: Pick<Compliance, 'observerViews'>,
): QualityService {
  async function measured(run: RunRecord) {
    const decisive = await store.transaction((tx) => decisiveRun(tx, run));
    if (decisive === undefined) return undefined;
    const bytes = await blobs.get(decisive.releaseDigest as string);
    if (bytes === undefined) throw new Error(`the report of run ${decisive.id} is missing`);
    return { qualityRun: decisive, report: decodeReport(bytes) };
  }

  async function gatesOf(run: RunRecord): Promise<readonly GateResult[]> {
    const { charter } = await store.transaction(async (tx) => ({
      charter: readCharter((await tx.charter(run.charterDigest))!.body),
    }));
    // A report is no table; and what was never released can't be held back.
    if (charter.releaseGates === undefined || run.synthesizer === QUALITY) return [];
    const epsilon = await epsilonOf(run.id);
    const found = await measured(run);
    const fewestReferences = found === undefined ? 0 : await defaultReferences(found.qualityRun);
    return gateResults(charter.releaseGates, { epsilon, report: found?.report, fewestReferences });
  }

  /** As many as a measurement under that charter searches unless it is asked for fewer: by public counts, what participants can bear. */
  async function defaultReferences({ charterDigest, options }: RunRecord): Promise<number> {
    const charter = await store.transaction(async (tx) => (await tx.charter(charterDigest))!.body);
    const { run } = parseQualityOptions(options);
    return qualityPlan(synthesisContext(readCharter(charter)), parseQualityOptions({ run })).references;
  }

  /**
   * Of one run alone, against coordinator + maxColluders, by the tight accountants: its plan was committed before it began. The
   * filter's own order suits all runs together, and makes a small one look dearer than it is.
   */
  async function epsilonOf(runId: string): Promise<number> {
    const views = await compliance.observerViews(runId);
    return views.find(({ observer }) => observer === 'coordinatorWithColluders')?.interval.upper ?? 0;
  }

  const existing = async (runId: string): Promise<RunRecord> => {
    const run = await store.transaction((tx) => tx.run(runId));
    if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
    return run;
  };

  return {
    async report(runId) {
      const run = await existing(runId);
      const found = await measured(run);
      if (found === undefined)
        throw new FederationError(
          'ReleaseNotReady',
          `The quality of run ${runId} was not measured yet: propose it with "chorale run quality ${runId}".`,
        );
      const { qualityRun, report } = found;
      const epsilon = await epsilonOf(qualityRun.id);
      return { runId, qualityRunId: qualityRun.id, epsilon, report };
    },

    async gates(runId) {
      return gatesOf(await existing(runId));
    },

    async assertReleasable(run) {
      assertGatesPassed(run.id, await gatesOf(run));
    },
  };
}

/** A measurement replaces an earlier one with at most so much of its noise: at four times its price. */
const REPLACES = 0.5;

/**
 * The measurement that counts where there are several: the first, until one looks twice as closely, at no fewer rows and references. By
 * what was proposed, and not by what was found, so that nobody can measure again with a hair less noise until a report pleases
 * (hazard P23).
 */
async function decisiveRun(
  tx: Transaction,
  { id, releaseDigest }: RunRecord,
): Promise<RunRecord | undefined> {
  if (releaseDigest === null) return undefined;
  return (
    (await tx.runs('completed'))
      .filter(({ synthesizer, releaseDigest: released }) => synthesizer === QUALITY && released !== null)
      .map((run) => ({ run, options: parseQualityOptions(run.options) }))
      .filter(({ options }) => options.run === id)
      // Not when it was proposed: one kept in the drawer could replace what has been read.
      .sort((a, b) => finished(a.run) - finished(b.run))
      .reduce<{ readonly run: RunRecord; readonly options: QualityOptions } | undefined>(
        (standing, next) =>
          standing === undefined || closer(next.options, standing.options) ? next : standing,
        undefined,
      )?.run
  );
}

const finished = ({ finishedAt }: RunRecord): number => finishedAt?.getTime() ?? Number.POSITIVE_INFINITY;

function closer(next: QualityOptions, standing: QualityOptions): boolean {
  return (
    next.noiseMultiplier <= REPLACES * standing.noiseMultiplier &&
    next.rows >= standing.rows &&
    next.references >= standing.references
  );
}
