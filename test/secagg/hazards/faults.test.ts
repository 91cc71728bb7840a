import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import { seededRng } from '../../../src/crypto/rng.js';
import {
  abandonSlot,
  closeConsistency,
  closeMaskedInputs,
  createMaskedInput,
  decodeState,
  encodeState,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  type MemberState,
  type Outbound,
  openRound,
  type ReadyMember,
  type Received,
  type RoundContext,
  receiveConsistency,
  receiveMaskedInput,
  receiveUnmasking,
  type SharedMember,
  shareBundle,
  UnreadableState,
  unmask,
} from '../../../src/secagg/index.js';
import {
  accepted,
  advertise,
  expectRefusal,
  idAt,
  ready,
  roundOf,
  seedOf,
  setUp,
  sumOf,
  vectorOf,
} from '../choir.js';

/** Crashes of members, and a line that duplicates, reorders, delays and cuts. */

/** What a member finds on its disk after a crash. */
const restarted = <State extends MemberState>(state: State): State =>
  decodeState<State>(nodePrimitives, encodeState(nodePrimitives, state), [state.kind]);
const sent = (outbound: Outbound): Uint8Array => outbound.release('state-durable');

/** One member through a round, `between` every two steps; gives its three messages. */
async function throughRound(
  choir: ReturnType<typeof setUp>,
  id: string,
  round: RoundContext,
  between: (state: ReadyMember) => ReadyMember,
) {
  const party = choir.parties.get(id)!;
  const steps: { readonly state: ReadyMember; readonly message: Uint8Array }[] = [];
  const keep = (next: { state: ReadyMember; outbound: Outbound }): ReadyMember => {
    steps.push({ state: next.state, message: sent(next.outbound) });
    return between(next.state);
  };
  let state = between(choir.members.get(id)!);
  state = keep(await createMaskedInput(party, state, round, vectorOf(choir, id, round)));
  state = keep(handleSurvivors(party, state, round.slot, round.expected));
  const checks = await Promise.all(
    round.expected.map(async (other) => {
      const of = choir.parties.get(other)!;
      const masked = await createMaskedInput(
        of,
        choir.members.get(other)!,
        round,
        vectorOf(choir, other, round),
      );
      return sent(handleSurvivors(of, masked.state, round.slot, round.expected).outbound);
    }),
  );
  keep(handleConsistency(party, state, round.slot, checks));
  return { steps, checks, party };
}

describe('hazard S19: a member that crashes', () => {
  const choir = setUp({ n: 4 });
  const round = roundOf(choir);
  const id = idAt(1);

  it('and goes on from its saved state sends byte-equal messages in every phase', async () => {
    const uncrashed = await throughRound(choir, id, round, (state) => state);
    const crashed = await throughRound(choir, id, round, restarted);
    expect(crashed.steps.map(({ message }) => message)).toEqual(
      uncrashed.steps.map(({ message }) => message),
    );
  });

  it('and goes on gives the same bytes to the same request and nothing to another: no mask is used twice', async () => {
    const { steps, checks, party } = await throughRound(choir, id, round, restarted);
    const [masked, signed, answered] = steps.map(({ state, message }) => ({
      state: restarted(state),
      message,
    })) as [(typeof steps)[0], (typeof steps)[0], (typeof steps)[0]];
    const x = vectorOf(choir, id, round);
    const others = [0, 1, 3].map(idAt);

    for (const { state } of [masked, signed])
      expect(sent((await createMaskedInput(party, state, round, x)).outbound)).toEqual(masked.message);
    for (const { state } of [masked, signed, answered]) {
      const other = x.with(2, x[2]! ^ 1);
      for (const [vector, context] of [
        [other, round],
        [x, { ...round, attempt: 2 }],
        [x, { ...round, expected: others }],
      ] as const)
        await expect(createMaskedInput(party, state, context, vector)).rejects.toMatchObject({
          code: 'SlotUsed',
        });
    }
    for (const { state } of [signed, answered]) {
      expect(sent(handleSurvivors(party, state, 0, round.expected).outbound)).toEqual(signed.message);
      expectRefusal('SurvivorsConflict', () => handleSurvivors(party, state, 0, others));
    }
    for (const told of [checks, []])
      expect(sent(handleConsistency(party, answered.state, 0, told).outbound)).toEqual(answered.message);
  });

  it('and abandons answers nothing, in any phase, also after another restart', async () => {
    const { steps, checks, party } = await throughRound(choir, id, round, restarted);
    for (const { state } of [{ state: choir.members.get(id)! }, ...steps]) {
      const given = restarted(abandonSlot(restarted(state), 0).state);
      const x = vectorOf(choir, id, round);
      await expect(createMaskedInput(party, given, round, x)).rejects.toMatchObject({ code: 'SlotBurnt' });
      expectRefusal('SlotBurnt', () => handleSurvivors(party, given, 0, round.expected));
      expectRefusal('SlotBurnt', () => handleConsistency(party, given, 0, checks));
      // The other slot's secrets are still there; the abandoned one's are not.
      expect(given.slots.map(({ kind }) => kind)).toEqual(['burnt', 'fresh']);
      expect(Object.keys(given.slots[0]!).sort()).toEqual(['attempt', 'kind']);
    }
  });

  it('during set-up repeats its AdvertiseKeys and ShareKeys, and refuses other adverts or shares', () => {
    const shared = new Map<string, SharedMember>();
    const again = setUp({
      n: 4,
      alterShareKeys: (who, message, state) => {
        shared.set(who, state);
        return message;
      },
    });
    const { states, adverts, parties } = advertise({ n: 4 });
    expect(restarted(states.get(id)!).advert).toEqual(adverts.get(id)!);
    const party = parties.get(id)!;
    const state = restarted(shared.get(id)!);
    const all = [...adverts.values()];
    const rng = seededRng(seedOf('after the crash'));
    expect(sent(handleAdverts(party, state, all, rng).outbound)).toEqual(state.shareKeys);
    expectRefusal('AdvertsConflict', () => handleAdverts(party, state, all.slice(0, 3), rng));
    const bundle = shareBundle(nodePrimitives, again.block, id);
    const taken = handleShares(party, state, bundle).state;
    expect(restarted(taken)).toEqual(again.members.get(id)!);
    expect(handleShares(party, restarted(taken), bundle).state).toEqual(taken);
    expectRefusal('SharesConflict', () => handleShares(party, restarted(taken), bundle.with(5, 9)));
  });

  it('whose file was torn or altered is told so, and never goes on from half a state', async () => {
    const { steps } = await throughRound(choir, id, round, restarted);
    for (const { state } of steps) {
      const bytes = encodeState(nodePrimitives, state);
      for (let at = 0; at < bytes.length; at += 97) {
        for (const torn of [bytes.subarray(0, at), bytes.with(at, bytes[at]! ^ 1)])
          expect(() => decodeState(nodePrimitives, torn, ['ready'])).toThrow(UnreadableState);
      }
      expect(() => decodeState(nodePrimitives, bytes, ['shared'])).toThrow(UnreadableState);
    }
  });
});

describe('hazard S20: the line', () => {
  const choir = setUp({ n: 5 });

  /** Whatever a line may do to a phase's messages, seeded; every one arrives whole at least once. */
  function mangled(messages: readonly Uint8Array[], seed: string): Uint8Array[] {
    const rng = seededRng(seedOf(seed));
    const pick = (bound: number): number => rng(1)[0]! % bound;
    const line = messages.flatMap((message) => [
      message,
      ...Array.from({ length: pick(3) }, () => message.slice()),
      message.subarray(0, pick(Math.min(255, message.length))),
    ]);
    for (let i = line.length - 1; i > 0; i--) {
      const j = pick(i + 1);
      [line[i], line[j]] = [line[j]!, line[i]!];
    }
    return line;
  }

  /** Delivers all of them; whole ones are taken once, torn ones never. */
  function deliver<State>(
    state: State,
    messages: readonly Uint8Array[],
    receive: (state: State, message: Uint8Array) => Received<State>,
  ): State {
    const outcomes = { accepted: 0, duplicate: 0, rejected: 0 };
    for (const message of messages) {
      const received = receive(state, message);
      outcomes[received.kind] += 1;
      state = received.state;
    }
    expect(outcomes.accepted).toBe(5);
    expect(outcomes.rejected).toBe(5);
    return state;
  }

  it('may duplicate, reorder and truncate the messages of every phase: the sum is the same', async () => {
    for (const seed of ['one', 'two', 'three']) {
      const round = roundOf(choir);
      const parties = round.expected.map((id) => ({ id, party: choir.parties.get(id)! }));
      const masked = await Promise.all(
        parties.map(({ id, party }) =>
          createMaskedInput(party, choir.members.get(id)!, round, vectorOf(choir, id, round)),
        ),
      );
      const late = masked.map(({ outbound }) => sent(outbound));
      const inputs = closeMaskedInputs(
        deliver(openRound(nodePrimitives, choir.block, round), mangled(late, seed), (state, message) =>
          receiveMaskedInput(nodePrimitives, state, message),
        ),
      );
      const { state: checkingState, survivors } = ready(inputs);
      const signed = parties.map(({ party }, i) => handleSurvivors(party, masked[i]!.state, 0, survivors));
      const checks = signed.map(({ outbound }) => sent(outbound));
      // Late ones of the phase before in between.
      const checking = deliver(checkingState, mangled(checks, seed), (state, message) => {
        expect(receiveMaskedInput(nodePrimitives, state, late[0]!).kind).toBe('duplicate');
        return receiveConsistency(nodePrimitives, state, message);
      });
      const closed = ready(closeConsistency(checking));
      const answers = parties.map(({ id, party }, i) => {
        // The coordinator's relay is a line too: signatures come in any order, torn ones are skipped.
        const told = mangled(closed.checksFor.get(id)!, seed);
        return sent(handleConsistency(party, signed[i]!.state, 0, told).outbound);
      });
      const state = deliver(closed.state, mangled(answers, seed), (before, message) => {
        expect(receiveConsistency(nodePrimitives, before, checks[0]!).kind).toBe('duplicate');
        return receiveUnmasking(nodePrimitives, before, message);
      });
      const outcome = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), state);
      expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, round.expected, round));
    }
  });

  it('may bring an input past the cut-off: it is refused, its sender counts as dropped, the others’ sum is exact', async () => {
    const round = roundOf(choir);
    const slow = idAt(4);
    const alive = round.expected.filter((id) => id !== slow);
    const masked = new Map(
      await Promise.all(
        round.expected.map(async (id) => {
          const party = choir.parties.get(id)!;
          const x = vectorOf(choir, id, round);
          return [id, await createMaskedInput(party, choir.members.get(id)!, round, x)] as const;
        }),
      ),
    );
    let collecting = openRound(nodePrimitives, choir.block, round);
    for (const id of alive)
      collecting = accepted(receiveMaskedInput(nodePrimitives, collecting, sent(masked.get(id)!.outbound)));
    const inputs = ready(closeMaskedInputs(collecting));
    const past = receiveMaskedInput(nodePrimitives, inputs.state, sent(masked.get(slow)!.outbound));
    expect(past).toMatchObject({ kind: 'rejected', reason: 'PhaseClosed' });
    // The slow one is told the survivors all the same, and helps to unmask nothing.
    const { party, state: own } = { party: choir.parties.get(slow)!, state: masked.get(slow)!.state };
    expectRefusal('InvalidSurvivors', () => handleSurvivors(party, own, 0, inputs.survivors));
    let checking = inputs.state;
    const signed = alive.map((id) =>
      handleSurvivors(choir.parties.get(id)!, masked.get(id)!.state, 0, inputs.survivors),
    );
    for (const { outbound } of signed)
      checking = accepted(receiveConsistency(nodePrimitives, checking, sent(outbound)));
    const checks = ready(closeConsistency(checking));
    let unmasking = checks.state;
    for (const [i, id] of alive.entries()) {
      const { outbound } = handleConsistency(
        choir.parties.get(id)!,
        signed[i]!.state,
        0,
        checks.checksFor.get(id)!,
      );
      unmasking = accepted(receiveUnmasking(nodePrimitives, unmasking, sent(outbound)));
    }
    const outcome = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), unmasking);
    expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, alive, round));
  });
});
