import { QUALITY } from '../synthesis/index.js';
import { parseQualityOptions } from '../synthesis/quality/options.js';
import { decodeReport, type QualityReport } from '../synthesis/quality/report.js';
import { readCharter } from './charter.js';
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
    const report: QualityReport | undefined = (await measured(run))?.report;
    return gateResults(charter.releaseGates, { epsilon, report });
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

/**
 * The measurement that counts where there are several: the one with the least noise, the first of equals. Public before it was made,
 * so that nobody can measure again until a report pleases.
 */
async function decisiveRun(
  tx: Transaction,
  { id, releaseDigest }: RunRecord,
): Promise<RunRecord | undefined> {
  if (releaseDigest === null) return undefined;
  const candidates = (await tx.runs('completed'))
    .filter(({ synthesizer, releaseDigest: released }) => synthesizer === QUALITY && released !== null)
    .map((run) => ({ run, options: parseQualityOptions(run.options) }))
    .filter(({ options }) => options.run === id)
    .sort(
      (a, b) =>
        a.options.noiseMultiplier - b.options.noiseMultiplier ||
        a.run.createdAt.getTime() - b.run.createdAt.getTime(),
    );
  return candidates[0]?.run;
}
