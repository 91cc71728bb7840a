import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { shareholders } from '../../src/secagg/graph.js';
import {
  createMaskedInput,
  type Evidence,
  handleConsistency,
  handleShares,
  handleSurvivors,
  openRound,
  type RoundContext,
  receiveMaskedInput,
  SecaggRefusal,
  type SharedMember,
  shareBundle,
  unmask,
} from '../../src/secagg/index.js';
import { decodeShareKeys } from '../../src/secagg/messages.js';
import { dealtRoots, relayedPart } from '../../src/secagg/server/block.js';
import type { ReadyBlock } from '../../src/secagg/server/state.js';
import { decodeShareBundle, encodeShareBundle } from '../../src/secagg/shareBundle.js';
import { answered, type DealerScript, dealBy, idAt, roundOf, setUp, vectorOf } from './choir.js';
import { everyClaim, evidenceFrom, judged } from './claims.js';

/** The adversary of this file holds every signed message that was ever sent and may put any of them together. */

const DEALER = 2;

describe('honest members', () => {
  it('are never accused: random rounds with drop-outs give no evidence, and no claim about one is believed', async () => {
    const pick = fc.nat({ max: 2 ** 30 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 4, max: 8 }),
        fc.constantFrom('complete' as const, 'harary' as const),
        pick,
        pick,
        async (size, graph, lost, silent) => {
          // Six of ten members are neighbours where the graph is a ring.
          const options =
            graph === 'complete' ? { n: size, minSurvivors: 3 } : { n: 10, minSurvivors: 8, graph };
          const choir = setUp({ ...options, slots: 1, seed: `${lost}` });
          const round = roundOf(choir);
          const { shareholders: k, threshold } = choir.block.graph;
          const spare = Math.min(k, choir.members.size) - Math.max(threshold, options.minSurvivors);
          const drops = spare > 0 ? lost % Math.min(spare + 1, 3) : 0;
          const mutes = spare - drops > 0 ? silent % 2 : 0;
          const from = (start: number, count: number): string[] =>
            Array.from({ length: count }, (_, i) => idAt((start + i) % options.n));
          const dropped = from(lost % options.n, drops);
          const mute = from((lost % options.n) + drops, mutes);
          const state = await answered(choir, round, { dropped, mute });
          const outcome = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), state);
          expect(outcome.kind).toBe('unmasked');
          expect(outcome.evidence).toEqual([]);
          for (const claim of everyClaim(state)) expect(judged(choir, claim)).toMatch(/NoLie|NotCommitted/);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('any recombination of what they signed in different rounds, slots and blocks is rejected', async () => {
    const choir = setUp({ n: 6, slots: 3 });
    const elsewhere = setUp({ n: 6, slots: 3, block: 'block-2' });
    const states = [
      await answered(choir, roundOf(choir)),
      await answered(choir, roundOf(choir, { slot: 1, round: 'round-2' })),
      await answered(choir, roundOf(choir, { slot: 2, attempt: 2 }), { dropped: [idAt(1)] }),
      await answered(elsewhere, roundOf(elsewhere)),
    ];
    const claims = states.flatMap(everyClaim);
    const openings = claims.flatMap((claim) => claim.openings);
    fc.assert(
      fc.property(
        fc.constantFrom(...claims),
        fc.record({
          lie: fc.constantFrom<Evidence['lie']>('wrong-opening', 'wrong-dealing'),
          dealer: fc.nat({ max: 6 }),
          config: fc.constantFrom(...claims).map(({ config }) => config),
          adverts: fc.constantFrom(...claims).map(({ adverts }) => adverts),
          roots: fc.constantFrom(...claims).map(({ roots }) => roots),
          context: fc.constantFrom(...claims).map(({ context }) => context),
          dealerSignature: fc.constantFrom(...claims).map(({ dealerSignature }) => dealerSignature),
          openings: fc.array(
            fc.record({
              part: fc.constantFrom(...openings).map(({ part }) => part),
              answer: fc.constantFrom(...openings).map(({ answer }) => answer),
            }),
            { maxLength: 6 },
          ),
        }),
        fc.subarray([
          'lie',
          'dealer',
          'config',
          'adverts',
          'roots',
          'context',
          'dealerSignature',
          'openings',
        ] as const),
        (claim, others, replaced) => {
          const swapped = Object.fromEntries(replaced.map((field) => [field, others[field]]));
          expect(judged(choir, { ...claim, ...swapped })).toMatch(/^rejected/);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('a dealer that signs two sets of commitments, and a coordinator that helps it', () => {
  /** Deals everything anew: other shares, other salts, of the same secrets. */
  const anew: DealerScript = ({ opening }) => {
    const made = opening.with(40, opening[40]! ^ 1);
    return { sealed: made, committed: made };
  };

  it('can accuse nobody by either set, with its part, root and signature put together as it likes', async () => {
    let own: SharedMember | undefined;
    const choir = setUp({
      n: 6,
      slots: 1,
      alterShareKeys: (id, message, state) => {
        if (id === idAt(DEALER)) own = state;
        return message;
      },
    });
    const second = dealBy(choir.parties.get(idAt(DEALER))!, own!, anew);
    const shareKeys = choir.block.shareKeys.with(DEALER, second.shareKeys);
    const other: ReadyBlock = { ...choir.block, shareKeys };
    const signatureOf = (message: Uint8Array) => decodeShareKeys(message, 1).signature;

    const state = await answered(choir, roundOf(choir));
    for (const claim of everyClaim(state).filter(({ dealer }) => dealer === DEALER))
      for (const roots of [claim.roots, dealtRoots(nodePrimitives, other, choir.block.members)])
        for (const dealerSignature of [claim.dealerSignature, signatureOf(second.shareKeys)])
          for (const openings of [
            claim.openings,
            claim.openings.map(({ answer }, i) => {
              const responder = shareholders(choir.block.graph, DEALER)[i]!;
              return { answer, part: relayedPart(nodePrimitives, other, DEALER, responder) };
            }),
          ])
            expect(judged(choir, { ...claim, roots, dealerSignature, openings })).toMatch(/^rejected/);
  });

  it('shown to different members, the two sets give two transcripts: their inputs fit no common sum', async () => {
    const shared = new Map<string, SharedMember>();
    const choir = setUp({
      n: 6,
      slots: 1,
      alterShareKeys: (id, message, state) => {
        shared.set(id, state);
        return message;
      },
    });
    const dealer = choir.parties.get(idAt(DEALER))!;
    const second = dealBy(dealer, shared.get(idAt(DEALER))!, anew);
    const other: ReadyBlock = {
      ...choir.block,
      shareKeys: choir.block.shareKeys.with(DEALER, second.shareKeys),
    };
    const victim = idAt(0);
    const party = choir.parties.get(victim)!;
    const bundle = shareBundle(nodePrimitives, other, victim);
    const { state } = handleShares(party, shared.get(victim)!, bundle);
    const round = roundOf(choir);
    const input = await createMaskedInput(party, state, round, vectorOf(choir, victim, round));
    expect(
      receiveMaskedInput(
        nodePrimitives,
        openRound(nodePrimitives, choir.block, round),
        input.outbound.release('restart-abandons'),
      ),
    ).toMatchObject({ kind: 'rejected', reason: 'BadSignature' });
  });
});

describe('a coordinator that relays altered commitments', () => {
  it('makes a share missing, and nothing that it can put together accuses the member or the dealer', async () => {
    const shared = new Map<string, SharedMember>();
    const choir = setUp({
      n: 6,
      slots: 1,
      alterShareKeys: (id, message, state) => {
        shared.set(id, state);
        return message;
      },
    });
    const victim = idAt(0);
    const bundle = decodeShareBundle(shareBundle(nodePrimitives, choir.block, victim), 1);
    const parts = bundle.parts.map((relayed) =>
      relayed.dealer === DEALER ? { ...relayed, part: relayed.part.with(2, relayed.part[2]! ^ 1) } : relayed,
    );
    const party = choir.parties.get(victim)!;
    const { state } = handleShares(party, shared.get(victim)!, encodeShareBundle({ ...bundle, parts }));
    const slot = state.slots[0]!;
    expect(slot.kind === 'fresh' && slot.openings.map(({ dealer }) => dealer)).not.toContain(DEALER);
    const members = new Map(choir.members).set(victim, state);
    const round = await answered({ ...choir, members }, roundOf(choir));
    expect(await evidenceFrom(round)).toEqual([]);
    for (const claim of everyClaim(round)) expect(judged(choir, claim)).toMatch(/^rejected/);
  });

  it('with an own root for an honest dealer: that dealer refuses, and the others’ answers name no dealer', async () => {
    const shared = new Map<string, SharedMember>();
    const choir = setUp({
      n: 6,
      slots: 1,
      alterShareKeys: (id, message, state) => {
        shared.set(id, state);
        return message;
      },
    });
    const forgedFor = (id: string): Uint8Array => {
      const bundle = decodeShareBundle(shareBundle(nodePrimitives, choir.block, id), 1);
      const roots = bundle.roots.map(({ member, root }) => ({
        member,
        root: member === DEALER ? root.with(0, root[0]! ^ 1) : root,
      }));
      return encodeShareBundle({ ...bundle, roots });
    };
    const dealer = idAt(DEALER);
    expect(() => handleShares(choir.parties.get(dealer)!, shared.get(dealer)!, forgedFor(dealer))).toThrow(
      SecaggRefusal,
    );
    // The coordinator plays all others on its own transcript, to have their signed answers.
    const round: RoundContext = roundOf(choir, {
      expected: choir.config.members.map(({ id }) => id).filter((id) => id !== dealer),
    });
    const states = new Map(
      await Promise.all(
        round.expected.map(async (id) => {
          const party = choir.parties.get(id)!;
          const { state } = handleShares(party, shared.get(id)!, forgedFor(id));
          const masked = await createMaskedInput(party, state, round, vectorOf(choir, id, round));
          return [id, handleSurvivors(party, masked.state, 0, round.expected)] as const;
        }),
      ),
    );
    const checks = [...states.values()].map(({ outbound }) => outbound.release('restart-abandons'));
    const honest = await answered(choir, roundOf(choir, { expected: round.expected }));
    for (const claim of everyClaim(honest)) {
      const openings = claim.openings.map(({ part }, i) => {
        const id = round.expected[i % round.expected.length]!;
        const { outbound } = handleConsistency(choir.parties.get(id)!, states.get(id)!.state, 0, checks);
        return { part, answer: outbound.release('restart-abandons') };
      });
      const { roots } = decodeShareBundle(forgedFor(idAt(0)), 1);
      for (const forged of [
        { ...claim, openings },
        { ...claim, openings, roots },
      ])
        expect(judged(choir, forged)).toMatch(/^rejected/);
    }
  });
});
