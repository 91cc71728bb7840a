import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inclusionProof, inclusionProofs, merkleRoot, verifyInclusion } from '../../src/crypto/merkle.js';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';

const { sha256 } = nodePrimitives;

/** The Certificate Transparency reference tree (transparency-dev/merkle, testonly/constants.go). */
const reference = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => hexToBytes(hex));
/** Its roots at 0 to 8 leaves. */
const referenceRoots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
/** Its inclusion proofs (transparency-dev/merkle, proof/verify_test.go). */
const referenceProofs = [
  { index: 0, size: 1, proof: [] },
  {
    index: 0,
    size: 8,
    proof: [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  },
  {
    index: 5,
    size: 8,
    proof: [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
  {
    index: 2,
    size: 3,
    proof: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  },
  {
    index: 1,
    size: 5,
    proof: [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  },
];

const leavesOf = (size: number): Uint8Array[] =>
  Array.from({ length: size }, (_, i) => Uint8Array.of(i >> 8, i));
/** A tree of 1 to 70 leaves and a place in it. */
const places = fc
  .integer({ min: 1, max: 70 })
  .chain((size) => fc.record({ size: fc.constant(size), index: fc.nat({ max: size - 1 }) }));

describe.each([nodePrimitives, noblePrimitives])('Merkle trees with $name', ({ sha256 }) => {
  it('the roots of the Certificate Transparency reference tree at every size', () => {
    for (const [size, root] of referenceRoots.entries())
      expect(bytesToHex(merkleRoot(sha256, reference.slice(0, size))), `${size} leaves`).toBe(root);
  });

  it('its inclusion proofs, made and verified', () => {
    for (const { index, size, proof } of referenceProofs) {
      const leaves = reference.slice(0, size);
      const what = `${index} of ${size}`;
      expect(inclusionProof(sha256, leaves, index).map(bytesToHex), what).toEqual(proof);
      const root = hexToBytes(referenceRoots[size]!);
      const hashes = proof.map((hash) => hexToBytes(hash));
      expect(verifyInclusion(sha256, root, leaves[index]!, index, size, hashes), what).toBe(true);
    }
  });
});

describe('Merkle trees', () => {
  it('are the recursive definition of RFC 9162, 2.1.1 and 2.1.3.1, at every size up to 70', () => {
    const h = (...parts: Uint8Array[]): Uint8Array => sha256(...parts);
    const split = (n: number): number => 2 ** (Math.ceil(Math.log2(n)) - 1);
    const mth = (d: Uint8Array[]): Uint8Array => {
      if (d.length === 1) return h(Uint8Array.of(0), d[0]!);
      const k = split(d.length);
      return h(Uint8Array.of(1), mth(d.slice(0, k)), mth(d.slice(k)));
    };
    const path = (m: number, d: Uint8Array[]): Uint8Array[] => {
      if (d.length === 1) return [];
      const k = split(d.length);
      return m < k
        ? [...path(m, d.slice(0, k)), mth(d.slice(k))]
        : [...path(m - k, d.slice(k)), mth(d.slice(0, k))];
    };
    for (let size = 1; size <= 70; size++) {
      const leaves = leavesOf(size);
      expect(merkleRoot(sha256, leaves), `${size}`).toEqual(mth(leaves));
      if (size > 33) continue;
      const proofs = inclusionProofs(sha256, leaves);
      for (const [index, proof] of proofs.entries()) expect(proof).toEqual(path(index, leaves));
    }
  });

  it('all proofs together are the single ones, with 2n − 1 hashes', () => {
    const leaves = leavesOf(37);
    let hashes = 0;
    const counting = (...parts: readonly Uint8Array[]): Uint8Array => {
      hashes++;
      return sha256(...parts);
    };
    const proofs = inclusionProofs(counting, leaves);
    expect(hashes).toBe(2 * 37 - 1);
    expect(proofs).toEqual(leaves.map((_, index) => inclusionProof(sha256, leaves, index)));
    expect(inclusionProofs(sha256, [])).toEqual([]);
  });

  it('every leaf of every tree is proved', () => {
    fc.assert(
      fc.property(places, ({ size, index }) => {
        const leaves = leavesOf(size);
        const proof = inclusionProof(sha256, leaves, index);
        expect(proof.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
        expect(verifyInclusion(sha256, merkleRoot(sha256, leaves), leaves[index]!, index, size, proof)).toBe(
          true,
        );
      }),
    );
  });

  it('a proof is refused for another index, leaf or root, and altered, longer or shorter', () => {
    fc.assert(
      fc.property(places, fc.nat({ max: 69 }), fc.nat(), ({ size, index }, other, at) => {
        const leaves = leavesOf(size);
        const root = merkleRoot(sha256, leaves);
        const leaf = leaves[index]!;
        const proof = inclusionProof(sha256, leaves, index);
        const verify = (changed: {
          root?: Uint8Array;
          leaf?: Uint8Array;
          index?: number;
          proof?: Uint8Array[];
        }): boolean =>
          verifyInclusion(
            sha256,
            changed.root ?? root,
            changed.leaf ?? leaf,
            changed.index ?? index,
            size,
            changed.proof ?? proof,
          );
        expect(verify({})).toBe(true);
        if (other !== index) expect(verify({ index: other })).toBe(false);
        expect(verify({ leaf: Uint8Array.of(...leaf, 0) })).toBe(false);
        expect(verify({ root: sha256(root) })).toBe(false);
        expect(verify({ proof: [...proof, sha256()] })).toBe(false);
        expect(verify({ proof: [sha256(), ...proof] })).toBe(false);
        if (proof.length === 0) return;
        expect(verify({ proof: proof.slice(1) })).toBe(false);
        expect(verify({ proof: proof.slice(0, -1) })).toBe(false);
        const altered = proof.map((hash) => hash.slice());
        altered[at % proof.length]![at % 32]! ^= 1;
        expect(verify({ proof: altered })).toBe(false);
        const cut = proof.map((hash, i) => (i === at % proof.length ? hash.slice(0, 31) : hash));
        expect(verify({ proof: cut })).toBe(false);
      }),
    );
  });

  it('a proof is refused for a size at which the path has another shape', () => {
    // A proof binds the size through the shape of its path alone: leaf 0 has the same at 5 to 8 leaves. Whoever
    // signs a root therefore signs the size with it.
    const leaves = leavesOf(8);
    const root = merkleRoot(sha256, leaves);
    for (const [index, proof] of inclusionProofs(sha256, leaves).entries())
      for (const size of [0, 1, 2, 4, 9, 16, 17, 2 ** 40])
        expect(verifyInclusion(sha256, root, leaves[index]!, index, size, proof), `${index} ${size}`).toBe(
          false,
        );
    const first = inclusionProof(sha256, leaves, 0);
    for (const size of [5, 6, 7])
      expect(verifyInclusion(sha256, root, leaves[0]!, 0, size, first)).toBe(true);
    const last = inclusionProof(sha256, leaves, 7);
    for (const size of [5, 6, 7])
      expect(verifyInclusion(sha256, root, leaves[7]!, 7, size, last)).toBe(false);
  });

  it('indices and sizes that are none are refused, not thrown', () => {
    const leaves = leavesOf(4);
    const root = merkleRoot(sha256, leaves);
    const proof = inclusionProof(sha256, leaves, 0);
    for (const [index, size] of [
      [-1, 4],
      [4, 4],
      [0.5, 4],
      [Number.NaN, 4],
      [0, Number.POSITIVE_INFINITY],
      [0, 3.5],
    ] as const)
      expect(verifyInclusion(sha256, root, leaves[0]!, index, size, proof), `${index} ${size}`).toBe(false);
    expect(verifyInclusion(sha256, root.slice(1), leaves[0]!, 0, 4, proof)).toBe(false);
    expect(() => inclusionProof(sha256, leaves, 4)).toThrow(RangeError);
    expect(() => inclusionProof(sha256, [], 0)).toThrow(RangeError);
  });

  it('a node does not pass for a leaf; without the two prefixes it would', () => {
    const [left, right] = [Uint8Array.of(1), Uint8Array.of(2)];
    const hash = (prefix: number[], ...parts: Uint8Array[]): Uint8Array =>
      sha256(Uint8Array.from(prefix), ...parts);
    const forgery = (leafPrefix: number[]): Uint8Array =>
      Uint8Array.from([...hash(leafPrefix, left), ...hash(leafPrefix, right)]);
    expect(verifyInclusion(sha256, merkleRoot(sha256, [left, right]), forgery([0]), 0, 1, [])).toBe(false);
    const unprefixedRoot = hash([], hash([], left), hash([], right));
    expect(hash([], forgery([]))).toEqual(unprefixedRoot);
  });
});
