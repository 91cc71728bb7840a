import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import { handleShares, type SharedMember, shareBundle } from '../../../src/secagg/index.js';
import { decodeShareBundle, encodeShareBundle, type RelayedPart } from '../../../src/secagg/shareBundle.js';
import { type Choir, idAt, play, roundOf, setUp, sumOf } from '../choir.js';

/** Members that deal shares which are not what they should be, and a coordinator that mixes them up. */

function setUpKeeping(block: string): { choir: Choir; shared: Map<string, SharedMember> } {
  const shared = new Map<string, SharedMember>();
  const choir = setUp({
    slots: 1,
    block,
    alterShareKeys: (id, message, state) => {
      shared.set(id, state);
      return message;
    },
  });
  return { choir, shared };
}

describe('hazard S14: sealed shares', () => {
  const { choir, shared } = setUpKeeping('block-1');
  const elsewhere = setUpKeeping('block-2').choir;
  const self = idAt(0);
  const party = choir.parties.get(self)!;
  const bundleOf = (from: Choir, to: string) =>
    decodeShareBundle(shareBundle(nodePrimitives, from.block, to), 1);
  const good = bundleOf(choir, self);
  const partOf = (from: Choir, dealer: number, to: string): RelayedPart =>
    bundleOf(from, to).parts.find((part) => part.dealer === dealer)!;

  /** Member 0 with another part in the place of dealer 1's. */
  const receiving = (part: RelayedPart | undefined) =>
    handleShares(
      party,
      shared.get(self)!,
      encodeShareBundle({
        ...good,
        parts: good.parts.flatMap((own) => (own.dealer !== 1 ? [own] : part === undefined ? [] : [part])),
      }),
    ).state;
  const held = (part: RelayedPart | undefined): number[] => {
    const slot = receiving(part).slots[0]!;
    return slot.kind === 'fresh' ? slot.openings.map(({ dealer }) => dealer) : [];
  };
  const all = [0, 1, 2, 3, 4];
  const others = [0, 2, 3, 4];

  it('arrives as dealt, one from every dealer', () => {
    expect(held(partOf(choir, 1, self))).toEqual(all);
  });

  it('with any byte altered (recipient, commitments, nonce, ciphertext, tag, path) counts as missing', () => {
    const { part, path, dealer } = partOf(choir, 1, self);
    for (let at = 0; at < part.length; at += 5)
      expect(held({ dealer, part: part.with(at, part[at]! ^ 1), path }), `byte ${at}`).toEqual(others);
    const last = part.length - 1;
    expect(held({ dealer, part: part.with(last, part[last]! ^ 1), path })).toEqual(others);
    for (const [i, hash] of path.entries())
      expect(held({ dealer, part, path: path.with(i, hash.with(3, hash[3]! ^ 1)) })).toEqual(others);
    expect(held({ dealer, part, path: path.slice(1) })).toEqual(others);
    expect(held(undefined), 'not relayed at all').toEqual(others);
  });

  it.each([
    ['of another dealer', { ...partOf(choir, 2, self), dealer: 1 }],
    ['for another recipient', partOf(choir, 1, idAt(2))],
    ['of another block', partOf(elsewhere, 1, self)],
  ])('%s counts as missing', (_which, part) => {
    expect(held(part)).toEqual(others);
  });

  it('of another recipient, sealed anew and under the root that its dealer signed, counts as missing: the commitment tells', () => {
    const swapped = setUp({
      slots: 1,
      block: 'block-3',
      // The dealer seals and commits for holder 2 what it seals for holder 0, under one root that it signs.
      crooked: new Map([
        [
          idAt(1),
          (() => {
            const first = new Map<string, Uint8Array>();
            return ({ holder, kind, opening }) => {
              if (holder === 0) first.set(kind, opening);
              const made = holder === 2 ? first.get(kind)! : opening;
              // Committed to as its own holder's, so that only the commitment tells.
              return { sealed: made, committed: opening };
            };
          })(),
        ],
      ]),
    });
    const slot = swapped.members.get(idAt(2))!.slots[0]!;
    expect(slot.kind === 'fresh' && slot.openings.map(({ dealer }) => dealer)).toEqual(others);
  });

  it('that is missing costs nobody the sum', async () => {
    const members = new Map(choir.members).set(self, receiving(undefined));
    const round = roundOf(choir);
    const { outcome } = await play({ ...choir, members }, round);
    expect(outcome.kind === 'unmasked' && [...outcome.sum]).toEqual(sumOf(choir, round.expected, round));
  });
});
