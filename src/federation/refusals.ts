import { budgetFigures } from './ledger.js';
import type { BudgetStatement, RefusalRecord, Transaction } from './ports.js';

/**
 * When coordinator and member disagree about the budget, the member's refusal wins, and both figures are kept: the
 * member's by its own record, the coordinator's by its ledger, in which this sum is reserved already.
 */
export async function recordRefusal(
  tx: Transaction,
  refusal: {
    readonly roundId: string;
    readonly participantId: string;
    readonly reason: string;
    readonly budget: BudgetStatement;
  },
): Promise<Omit<RefusalRecord, 'createdAt'>> {
  const { roundId, participantId, reason, budget: participant } = refusal;
  const { epsilonSpent, epsilonReserved, epsilonLimit } = budgetFigures((await tx.lockBudget())!);
  const coordinator = { epsilonSpent, epsilonAsked: epsilonReserved, epsilonLimit };
  const record = { roundId, participantId, reason, participant, coordinator };
  await tx.insertRefusal(record);
  return record;
}

/** One clause, for the reason of a round or a run. */
export function describeRefusal(
  name: string,
  { participant, coordinator }: Pick<RefusalRecord, 'participant' | 'coordinator'>,
): string {
  return `${name} refused by its own record (${inWords(participant)}), the coordinator’s ledger has ${inWords(coordinator)}`;
}

function inWords({ epsilonSpent, epsilonAsked, epsilonLimit }: BudgetStatement): string {
  return `ε ${epsilonSpent.toFixed(4)} spent, ${epsilonAsked.toFixed(4)} with this sum, limit ${epsilonLimit}`;
}
