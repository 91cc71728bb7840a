import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import {
  type Aborted,
  type AbortReason,
  closeAdverts,
  closeConsistency,
  closeMaskedInputs,
  closeShares,
  createBlock,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  type Outbound,
  openRound,
  type ReadyMember,
  type Received,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  type SharedMember,
  shareBundle,
  unmask,
} from '../../src/secagg/index.js';
import {
  accepted,
  advertise,
  type Choir,
  type ChoirOptions,
  idAt,
  play,
  roundOf,
  setUp,
  subsetsOf,
  sumOf,
  vectorOf,
} from './choir.js';

const primitives = nodePrimitives;
const masks = inlineMaskWork(primitives);
const bytesOf = ({ outbound }: { outbound: Outbound }): Uint8Array => outbound.release('state-durable');

interface Cohort {
  readonly n: number;
  readonly minSurvivors: number;
  readonly maxColluders: number;
  readonly graph: 'complete' | 'harary';
}

/** Who sent each of the five messages, as roster indices: every list is part of the one before. */
interface Heard {
  readonly adverts: readonly number[];
  readonly shares: readonly number[];
  readonly inputs: readonly number[];
  readonly checks: readonly number[];
  readonly answers: readonly number[];
}

/** Ring places of those who advertised, with k and t: public, planned in cohortPlan.ts and tested there. */
interface Ring {
  readonly order: readonly number[];
  readonly shareholders: number;
  readonly threshold: number;
  readonly cutFloor: number;
}

type Outcome = AbortReason | 'sum';

/** What the protocol must do, said anew: on the complete graph from the numbers of senders alone. */
function predictedOnCompleteGraph(cohort: Cohort, heard: Heard): Outcome {
  const k = heard.adverts.length;
  if (k < cohort.minSurvivors) return 'TooFewAdverts';
  let t = 1;
  while (3 * t < 2 * k || 2 * t <= k + cohort.maxColluders) t++;
  const floor = Math.max(cohort.minSurvivors, t);
  if (heard.shares.length < floor) return 'TooFewShareKeys';
  if (heard.inputs.length < floor) return 'TooFewMaskedInputs';
  if (heard.checks.length < t) return 'TooFewChecks';
  if (heard.answers.length < t) return 'TooFewAnswers';
  return 'sum';
}

/** On a ring it depends on who is whose neighbour: who has t checks to go by, of whose secrets t shares are given. */
function predictedOnRing(cohort: Cohort, heard: Heard, ring: Ring | undefined): Outcome {
  if (ring === undefined) return 'TooFewAdverts';
  const { order, shareholders: k, threshold: t, cutFloor } = ring;
  const n = order.length;
  const apart = (a: number, b: number): number => {
    const steps = Math.abs(order.indexOf(a) - order.indexOf(b));
    return Math.min(steps, n - steps);
  };
  const heldBy = (member: number, senders: readonly number[]): number =>
    senders.filter((other) => other !== member && apart(other, member) <= k / 2).length;
  const floor = Math.max(cohort.minSurvivors, t);
  if (heard.shares.length < floor) return 'TooFewShareKeys';
  if (heard.inputs.length < floor) return 'TooFewMaskedInputs';
  const windows = order.map((_, from) =>
    Array.from({ length: k / 2 }, (_place, i) => order[(from + i) % n]!),
  );
  for (const one of windows)
    for (const other of windows) {
      const both = new Set([...one, ...other]);
      if (both.size < k) continue;
      if (heard.inputs.filter((member) => both.has(member)).length < cutFloor) return 'SurvivorsSplit';
    }
  const asked = heard.inputs.filter((member) => heldBy(member, heard.checks) >= t);
  if (asked.length < t) return 'TooFewChecks';
  const answering = heard.answers.filter((member) => asked.includes(member));
  if (answering.length < t) return 'TooFewAnswers';
  if (heard.shares.some((member) => heldBy(member, answering) < t)) return 'SecretNotReconstructed';
  return 'sum';
}

type Receive<State> = (p: typeof primitives, state: State, bytes: Uint8Array) => Received<State>;

/** The state after each subset of the messages; what subsets have in common is received once. */
function afterEverySubset<State>(
  state: State,
  receive: Receive<State>,
  messages: ReadonlyMap<number, Uint8Array>,
): { readonly senders: readonly number[]; readonly state: State }[] {
  let all = [{ senders: [] as readonly number[], state }];
  for (const [sender, message] of messages)
    all = all.flatMap((without) => [
      without,
      {
        senders: [...without.senders, sender],
        state: accepted(receive(primitives, without.state, message)),
      },
    ]);
  return all;
}

const count = (outcomes: Map<Outcome, number>, outcome: Outcome, times: number): void => {
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + times);
};

/**
 * Plays every way in which each of n members can fall silent before one of its five messages or stay to the end:
 * 6^n assignments. They are walked as a tree, phase by phase, so that what assignments have in common is done
 * once; an abort is the end of all assignments below it. Gives how many assignments had each outcome.
 */
async function everyDropOut(cohort: Cohort): Promise<Map<Outcome, number>> {
  const { n, graph } = cohort;
  const outcomes = new Map<Outcome, number>();
  const everybody = Array.from({ length: n }, (_, member) => member);
  const { config, floors, seeds, parties, rngs, states, adverts } = advertise({ ...cohort, slots: 1 });
  const party = (member: number) => parties.get(idAt(member))!;
  const advertOf = new Map(everybody.map((member) => [member, adverts.get(idAt(member))!]));

  const opened = afterEverySubset(createBlock(primitives, config), receiveAdvert, advertOf);
  for (const { senders: advertised, state: open } of opened) {
    let ring: Ring | undefined;
    /** Holds what happened against the prediction. `later`: the messages that are still to come. */
    const judge = (
      closed: Aborted | { readonly kind: 'ready' | 'unmasked' },
      later: 0 | 1 | 2 | 3 | 4,
      heard: Partial<Heard>,
      ways = 1,
    ): Outcome => {
      const none = { shares: [], inputs: [], checks: [], answers: [] };
      const full: Heard = { ...none, adverts: advertised, ...heard };
      const predicted =
        graph === 'complete' ? predictedOnCompleteGraph(cohort, full) : predictedOnRing(cohort, full, ring);
      const found = closed.kind === 'aborted' ? closed.reason : 'sum';
      expect(found, JSON.stringify(full)).toBe(predicted);
      // What a member may still have fallen silent at, had it gone on: each of `later` messages, or none.
      const last = Object.values(heard).at(-1) ?? advertised;
      count(outcomes, found, ways * (later + 1) ** last.length);
      if (closed.kind === 'aborted' && (graph === 'complete' || closed.reason !== 'TooFewChecks'))
        expect(closed.have, JSON.stringify(full)).toBeLessThan(closed.need);
      return found;
    };

    const relayed = closeAdverts(primitives, open);
    if (relayed.kind === 'aborted') {
      judge(relayed, 4, {});
      continue;
    }
    ring = relayed.state.graph;
    const shared = new Map<number, SharedMember>();
    const shareKeys = new Map<number, Uint8Array>();
    for (const member of advertised) {
      const rng = rngs.get(idAt(member))!;
      const next = handleAdverts(party(member), states.get(idAt(member))!, relayed.adverts, rng);
      shared.set(member, next.state);
      shareKeys.set(member, bytesOf(next));
    }

    for (const { senders: sharing, state: dealt } of afterEverySubset(
      relayed.state,
      receiveShares,
      shareKeys,
    )) {
      const closed = closeShares(primitives, dealt);
      if (closed.kind === 'aborted') {
        judge(closed, 3, { shares: sharing });
        continue;
      }
      const block = closed.state;
      const members = new Map<string, ReadyMember>();
      for (const member of sharing) {
        const bundle = shareBundle(primitives, block, idAt(member));
        members.set(idAt(member), handleShares(party(member), shared.get(member)!, bundle).state);
      }
      const threshold = block.graph.threshold;
      const set = { config, floors, seeds, block, parties, members, threshold, primitives };
      const choir: Choir = { ...set, transcript: [] };
      const round = roundOf(choir, { dimension: 2 });
      const masked = new Map<number, ReadyMember>();
      const inputs = new Map<number, Uint8Array>();
      for (const member of sharing) {
        const id = idAt(member);
        const vector = vectorOf(choir, id, round);
        const next = await createMaskedInput(party(member), members.get(id)!, round, vector);
        masked.set(member, next.state);
        inputs.set(member, bytesOf(next));
      }

      for (const alive of subsetsOf(sharing)) {
        // The one state that changes in place: every subset has its own.
        const collected = openRound(primitives, block, round);
        for (const member of alive) accepted(receiveMaskedInput(primitives, collected, inputs.get(member)!));
        const folded = closeMaskedInputs(collected);
        const heard = { shares: sharing, inputs: alive };
        if (folded.kind === 'aborted') {
          judge(folded, 2, heard);
          continue;
        }
        const survivors = alive.map(idAt);
        expect(folded.survivors).toEqual(survivors);
        const exact = sumOf(choir, survivors, round);
        const signed = new Map<number, ReadyMember>();
        const checks = new Map<number, Uint8Array>();
        for (const member of alive) {
          const next = handleSurvivors(party(member), masked.get(member)!, 0, survivors);
          signed.set(member, next.state);
          checks.set(member, bytesOf(next));
        }

        for (const { senders: checking, state } of afterEverySubset(
          folded.state,
          receiveConsistency,
          checks,
        )) {
          const consistent = closeConsistency(state);
          if (consistent.kind === 'aborted') {
            judge(consistent, 1, { ...heard, checks: checking });
            continue;
          }
          const { checksFor } = consistent;
          const answers = new Map<number, Uint8Array>();
          for (const member of checking) {
            const received = checksFor.get(idAt(member));
            if (received === undefined) continue;
            answers.set(member, bytesOf(handleConsistency(party(member), signed.get(member)!, 0, received)));
          }
          // Who is not asked gives no answer, whether it is there or not.
          const idle = 2 ** (checking.length - answers.size);
          for (const { senders, state } of afterEverySubset(consistent.state, receiveUnmasking, answers)) {
            const outcome = await unmask(primitives, masks, state);
            const found = judge(outcome, 0, { ...heard, checks: checking, answers: senders }, idle);
            expect(outcome.evidence).toEqual([]);
            if (outcome.kind === 'unmasked') {
              expect(outcome.survivors).toEqual(survivors);
              expect([...outcome.sum], JSON.stringify({ ...heard, senders })).toEqual(exact);
            } else if (found === 'SecretNotReconstructed') expect(outcome.members.length).toBeGreaterThan(0);
            else expect(outcome.members).toEqual([]);
          }
        }
      }
    }
  }
  return outcomes;
}

const ON_COMPLETE_GRAPH: Outcome[] = [
  'TooFewAdverts',
  'TooFewShareKeys',
  'TooFewMaskedInputs',
  'TooFewChecks',
  'TooFewAnswers',
  'sum',
];

describe('hazard S18: every member at every message, all combinations: the exact sum or the predicted abort', () => {
  it.each([
    [{ n: 3, minSurvivors: 3, maxColluders: 1, graph: 'complete' }, ON_COMPLETE_GRAPH],
    [{ n: 4, minSurvivors: 3, maxColluders: 1, graph: 'complete' }, ON_COMPLETE_GRAPH],
    [{ n: 5, minSurvivors: 3, maxColluders: 1, graph: 'complete' }, ON_COMPLETE_GRAPH],
    [{ n: 6, minSurvivors: 3, maxColluders: 1, graph: 'complete' }, ON_COMPLETE_GRAPH],
    [{ n: 5, minSurvivors: 4, maxColluders: 2, graph: 'complete' }, ON_COMPLETE_GRAPH],
    [
      { n: 5, minSurvivors: 4, maxColluders: 1, graph: 'harary' },
      [...ON_COMPLETE_GRAPH, 'SecretNotReconstructed'],
    ],
    [
      { n: 6, minSurvivors: 5, maxColluders: 1, graph: 'harary' },
      [...ON_COMPLETE_GRAPH, 'SecretNotReconstructed'],
    ],
  ] as [Cohort, Outcome[]][])('%o', async (cohort, possible) => {
    const outcomes = await everyDropOut(cohort);
    const total = [...outcomes.values()].reduce((sum, times) => sum + times, 0);
    expect(total, 'assignments of a last message to each member').toBe(6 ** cohort.n);
    // The enumeration met every outcome that exists: no branch is tested by nobody.
    expect([...outcomes.keys()].sort()).toEqual([...possible].sort());
  });
});

describe('hazard S18: who may be lost', () => {
  const six: ChoirOptions = { n: 6, slots: 2 };
  const lost = (...members: number[]) => members.map(idAt);

  it('six tolerate two lost, wherever: the threshold is 4 of 6', async () => {
    const choir = setUp(six);
    expect(choir.threshold).toBe(4);
    for (const silent of [
      { atMaskedInput: lost(4, 5) },
      { atMaskedInput: lost(4), atConsistency: lost(5) },
      { atConsistency: lost(0), atUnmasking: lost(1) },
      { atUnmasking: lost(2, 3) },
    ])
      expect((await play(choir, roundOf(choir), silent)).outcome.kind).toBe('unmasked');
  });

  it.each([
    ['TooFewMaskedInputs', { atMaskedInput: lost(1, 3, 5) }],
    ['TooFewChecks', { atMaskedInput: lost(1), atConsistency: lost(3, 5) }],
    ['TooFewAnswers', { atConsistency: lost(1), atUnmasking: lost(3, 5) }],
  ] as const)(
    't − 1 left: %s, cleanly, and the next slot gives the sum of everybody',
    async (reason, silent) => {
      const choir = setUp(six);
      const { outcome, members, refusals } = await play(choir, roundOf(choir), silent);
      expect(outcome).toMatchObject({ kind: 'aborted', reason, have: 3, need: 4, members: [] });
      expect(refusals.size).toBe(0);
      const retry = roundOf(choir, { slot: 1, attempt: 2 });
      const second = await play({ ...choir, members }, retry);
      expect(second.outcome.kind === 'unmasked' && [...second.outcome.sum]).toEqual(
        sumOf(choir, retry.expected, retry),
      );
    },
  );

  it('goes on round after round with whoever is left, one slot each', async () => {
    let choir = setUp({ n: 6, slots: 3 });
    let expected: readonly string[] = [...choir.members.keys()];
    for (const [slot, silent] of [lost(1), lost(4), []].entries()) {
      const round = roundOf(choir, { slot, round: `round-${slot}`, expected });
      const { outcome, members } = await play(choir, round, { atMaskedInput: silent });
      if (outcome.kind !== 'unmasked') throw new Error(outcome.reason);
      expect([...outcome.sum]).toEqual(sumOf(choir, outcome.survivors, round));
      choir = { ...choir, members };
      expected = outcome.survivors;
    }
    expect(expected.length).toBe(4);
  });
});
