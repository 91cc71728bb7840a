import { parseEvent } from '../privacy/events.js';
import { admits, costUnits, epsilonOfUnits, totalUnits } from '../privacy/filter.js';
import { views } from '../privacy/views.js';
import { synthesizerOf } from '../synthesis/index.js';
import { readCharter, synthesisContext } from './charter.js';
import { FederationError, refusingInput } from './errors.js';
import { budgetFigures } from './ledger.js';
import { planDigest, totalSteps } from './plan.js';
import type { Store, Transaction } from './ports.js';
import type { Compliance } from './service.js';

export function createCompliance(store: Store): Compliance {
  return {
    budget: () =>
      store.transaction(async (tx) => {
        const { charter, budget } = await inForce(tx);
        return { charterDigest: charter.digest, ...budgetFigures(budget) };
      }),

    views: (runId) =>
      store.transaction(async (tx) => {
        const run = await tx.run(runId);
        if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
        const record = await tx.charter(run.charterDigest);
        const { epsilon, delta, orders } = readCharter(record!.body).privacy;
        const committed = (await tx.ledger(runId)).flatMap((entry) =>
          entry.committedEvent === null ? [] : [parseEvent(entry.committedEvent)],
        );
        return views({ epsilon, delta, orders }, committed);
      }),

    preview: ({ synthesizer: kind, options }) =>
      store.transaction(async (tx) => {
        const { charter, budget } = await inForce(tx);
        const plan = refusingInput(() => {
          const synthesizer = synthesizerOf(kind);
          return synthesizer.plan(
            synthesisContext(readCharter(charter.body)),
            synthesizer.parseOptions(options),
          );
        });
        let units = budget.orders.map(() => 0n);
        for (const { event, count } of plan) {
          const cost = costUnits(event, budget.orders);
          units = units.map((sum, i) => sum + cost[i]! * BigInt(count));
        }
        const after = totalUnits(budget).map((standing, i) => standing + units[i]!);
        return {
          epsilon: epsilonOfUnits(budget, units),
          steps: totalSteps(plan),
          fits: admits(budget, after),
          planDigest: planDigest(plan),
        };
      }),
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
