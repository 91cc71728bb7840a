import { type PrivacyEvent, parseEvent } from '../privacy/events.js';
import { type FilterLimit, totalUnits } from '../privacy/filter.js';
import { type ObserverView, observerViews } from '../privacy/observerViews.js';
import { views } from '../privacy/views.js';
import { synthesizerOf } from '../synthesis/index.js';
import type { PlannedCost } from '../synthesis/synthesizer.js';
import { readCharter, synthesisContext } from './charter.js';
import { FederationError, refusingInput } from './errors.js';
import { budgetFigures, openToPlans } from './ledger.js';
import type { Store, Transaction } from './ports.js';
import { type PreviewRequest, previewRun } from './preview.js';
import type { Compliance } from './service.js';

/** Runs whose views are kept: reckoning them takes a second, and a finished run's never change. */
const KEPT_VIEWS = 16;

export function createCompliance(store: Store): Compliance {
  const kept = new Map<string, readonly ObserverView[]>();
  return {
    budget: () =>
      store.transaction(async (tx) => {
        const { charter, budget } = await inForce(tx);
        return { charterDigest: charter.digest, ...budgetFigures(budget) };
      }),

    views: async (runId) => {
      const { limit, committed } = await releaseOf(runId);
      return views(limit, committed);
    },

    observerViews: async (runId) => {
      const { limit, committed } = await releaseOf(runId);
      if (committed.length === 0) return [];
      // A committed entry is never changed: run and count say which events these are.
      const key = `${runId}/${committed.length}`;
      const views = kept.get(key) ?? observerViews(limit, committed);
      kept.delete(key);
      kept.set(key, views);
      for (const oldest of [...kept.keys()].slice(0, -KEPT_VIEWS)) kept.delete(oldest);
      return views;
    },

    refusals: (runId) => store.transaction((tx) => tx.refusals(runId)),

    async preview({ synthesizer: kind, options, targetEpsilon }) {
      if (targetEpsilon !== undefined && !(targetEpsilon > 0 && targetEpsilon < 2 ** 40))
        throw new FederationError(
          'InvalidInput',
          `The target ε is positive and finite, got ${targetEpsilon}: leave it out to plan for what is left.`,
        );
      const { charter, budget, open } = await store.transaction(async (tx) => {
        const standing = await inForce(tx);
        return { ...standing, open: await openToPlans(tx, standing.budget) };
      });
      return refusingInput(() => {
        const synthesizer = synthesizerOf(kind);
        const parsed = synthesizer.parseOptions(options);
        const context = synthesisContext(readCharter(charter.body));
        const noise = noiseOf(parsed, (changed) =>
          synthesizer.plan(context, synthesizer.parseOptions(changed)),
        );
        return previewRun({
          budget: { limit: budget, standing: totalUnits(budget), openToPlans: open },
          plan: synthesizer.plan(context, parsed),
          ...(noise && { noise }),
          ...(targetEpsilon !== undefined && { targetEpsilon }),
        });
      });
    },
  };

  /** What a run really spent, and the limit at the orders where it was charged. */
  function releaseOf(runId: string): Promise<{ limit: FilterLimit; committed: PrivacyEvent[] }> {
    return store.transaction(async (tx) => {
      const run = await tx.run(runId);
      if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
      const { epsilon, delta, orders } = readCharter((await tx.charter(run.charterDigest))!.body).privacy;
      const fixed = (await tx.lockBudget())?.orders ?? orders;
      const committed = (await tx.ledger(runId)).flatMap((entry) =>
        entry.committedEvent === null ? [] : [parseEvent(entry.committedEvent)],
      );
      return { limit: { epsilon, delta, orders: fixed }, committed };
    });
  }
}

/** The option by which a synthesizer takes its noise, if it has one, and the plan that another value makes. */
function noiseOf(
  options: unknown,
  planOf: (options: object) => readonly PlannedCost[],
): PreviewRequest['noise'] {
  if (typeof options !== 'object' || options === null || !('noiseMultiplier' in options)) return undefined;
  const multiplier = options.noiseMultiplier;
  if (typeof multiplier !== 'number') return undefined;
  return {
    multiplier,
    plan(noiseMultiplier) {
      try {
        return refusingInput(() => planOf({ ...options, noiseMultiplier }));
      } catch (error) {
        // Too little noise for the grid, or more than the ring holds.
        if (error instanceof FederationError) return undefined;
        throw error;
      }
    },
  };
}

/** The active charter and its budget. */
async function inForce(tx: Transaction) {
  const charter = (await tx.charters()).find((c) => c.status === 'active');
  const budget = await tx.lockBudget();
  if (charter === undefined || budget === null)
    throw new FederationError(
      'CharterNotActive',
      'There is no budget yet: every member must sign the charter first.',
    );
  return { charter, budget };
}
