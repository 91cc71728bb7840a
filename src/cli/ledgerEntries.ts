import { canonicalJson } from '../crypto/canonical.js';
import { type Charter, synthesisContext } from '../federation/charter.js';
import { planDigest, plannedEvent } from '../federation/plan.js';
import { type PrivacyEvent, parseEvent } from '../privacy/events.js';
import { synthesizerOf } from '../synthesis/index.js';
import type { PlannedCost } from '../synthesis/synthesizer.js';
import type { LedgerEntry, LedgerFile, LedgerRound } from './ledgerShape.js';

/** A run as its charter and options have it, whatever the file says of it. */
export interface RunPlan {
  readonly charterDigest: string;
  readonly charter: Charter;
  readonly costs: readonly PlannedCost[];
}

/** What an entry is held against: undefined where the file does not have it. */
export interface EntryFrame {
  readonly round: LedgerRound | undefined;
  readonly plan: RunPlan | undefined;
}

/** Each run's plan, recomputed as a participant does it (clients/participant/policy.ts); what stands in the way goes to `faults`. */
export function runPlans(
  { runs, entries }: LedgerFile,
  charters: ReadonlyMap<string, Charter>,
  faults: string[],
): ReadonlyMap<string, RunPlan> {
  const plans = new Map<string, RunPlan>();
  for (const runId of new Set(entries.map((entry) => entry.runId))) {
    const run = runs.find((each) => each.runId === runId);
    const charter = run && charters.get(run.charterDigest);
    if (run === undefined || charter === undefined) {
      faults.push(`run ${runId} is not in the file with its charter: nothing shows what its plan was`);
      continue;
    }
    try {
      const synthesizer = synthesizerOf(run.synthesizer);
      const costs = synthesizer.plan(synthesisContext(charter), synthesizer.parseOptions(run.options));
      plans.set(runId, { charterDigest: run.charterDigest, charter, costs });
      if (planDigest(costs) !== run.planDigest)
        faults.push(`the plan of run ${runId} is not the one that its options give`);
    } catch (cause) {
      faults.push(`the options of run ${runId} give no plan: ${(cause as Error).message}`);
    }
  }
  return plans;
}

/** In which phases a round may stand, by its entry: only what was aborted may be voided, and what was opened is paid for. */
const PHASES: Readonly<Record<LedgerEntry['status'], readonly string[]>> = {
  RESERVED: ['MASKED_INPUT', 'UNMASKING'],
  COMMITTED: ['COMPLETED', 'ABORTED'],
  VOIDED: ['ABORTED'],
};

/** What is wrong with one entry, its figures aside. */
export function entryFaults(entry: LedgerEntry, { round, plan }: EntryFrame): string[] {
  const which = `entry ${entry.sequence}`;
  if (round === undefined || round.runId !== entry.runId)
    return [`${which} is for round ${entry.roundId}, which run ${entry.runId} does not have`];
  const faults: string[] = [];
  if (!PHASES[entry.status].includes(round.phase))
    faults.push(`${which} is ${entry.status}, but its round is ${round.phase}`);
  if (plan === undefined) return faults;

  const planned = plannedEvent(plan.costs, round.step);
  if (planned === undefined || !same(entry.reservedEvent, planned))
    faults.push(
      `${which} reserves another event than the plan of run ${entry.runId} has for step ${round.step}`,
    );
  if (entry.status !== 'COMMITTED' || planned === undefined) return faults;

  const contributors = new Set(round.contributors);
  const members = new Set(plan.charter.members.map(({ id }) => id));
  if (
    contributors.size !== round.contributors?.length ||
    [...contributors].some((id) => !members.has(id) || !round.expected.includes(id))
  )
    faults.push(`${which}: its round names contributors who were not asked, or twice, or none`);
  // An attempt that was given up after answers came is charged at its whole reservation.
  const charged = round.phase === 'ABORTED' ? planned : withContributors(planned, contributors.size);
  if (!same(entry.committedEvent, charged))
    faults.push(
      `${which} charges for another event than that of its round’s ${contributors.size} contributors`,
    );
  return faults;
}

/** Every round has one entry: a sum that was asked and is not in the ledger is the fault that all of this is for. */
export function roundFaults({ entries, rounds }: LedgerFile): string[] {
  const faults: string[] = [];
  const charged = new Set(entries.map(({ roundId }) => roundId));
  if (charged.size < entries.length) faults.push('a round has two entries');
  if (new Set(rounds.map(({ roundId }) => roundId)).size < rounds.length)
    faults.push('a round is in the file twice');
  for (const { roundId, phase } of rounds)
    if (!charged.has(roundId)) faults.push(`round ${roundId} is ${phase} and has no entry`);
  return faults;
}

/** The planned event with the noise that survived; the plan has as few contributors as the charter allows. */
function withContributors(event: PrivacyEvent, contributors: number): PrivacyEvent {
  if (event.kind === 'poisson-sampled')
    return { ...event, event: withContributors(event.event, contributors) };
  return event.kind === 'distributed-discrete-gaussian' ? { ...event, contributors } : event;
}

function same(stated: unknown, event: PrivacyEvent): boolean {
  return canonicalJson(parseEvent(stated)) === canonicalJson(event);
}
