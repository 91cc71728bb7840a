import { equalBytes } from '@noble/ciphers/utils.js';
import type { Primitives } from './primitives.js';

/**
 * Merkle trees of RFC 9162 (Certificate Transparency 2.0), 2.1, over SHA-256. The tree of n leaves splits at the
 * largest power of two below n; built from the leaves up, that pairs neighbours and lifts an odd last node
 * unchanged. Leaves and nodes are hashed under different prefixes, so that no node can pass for a leaf.
 */
type Sha256 = Primitives['sha256'];

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const HASH_BYTES = 32;

/** MTH(D) (RFC 9162, 2.1.1), 32 bytes; without leaves SHA-256 of nothing. */
export function merkleRoot(sha256: Sha256, leaves: readonly Uint8Array[]): Uint8Array {
  return levels(sha256, leaves).at(-1)![0] ?? sha256();
}

/** PATH(index, D) (RFC 9162, 2.1.3.1): at most ⌈log₂ n⌉ hashes, from the leaf's sibling up. */
export function inclusionProof(sha256: Sha256, leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
    throw new RangeError(`inclusionProof: no leaf ${index} among ${leaves.length}; count them from 0`);
  return path(levels(sha256, leaves), index);
}

/** The proofs of all leaves, in their order; every node is hashed once (2n − 1 hashes) and shared by the proofs. */
export function inclusionProofs(sha256: Sha256, leaves: readonly Uint8Array[]): Uint8Array[][] {
  const tree = levels(sha256, leaves);
  return leaves.map((_, index) => path(tree, index));
}

/**
 * Whether `leaf` is the one at `index` of the `size` leaves under `root` (RFC 9162, 2.1.3.2). False, never an
 * exception, for anything malformed: an index outside the tree, a proof too long or too short, a hash that is not
 * 32 bytes. The root does not determine `size` (leaf 0 has paths of one shape at 5 to 8 leaves): take both from
 * the same signed statement.
 */
export function verifyInclusion(
  sha256: Sha256,
  root: Uint8Array,
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): boolean {
  // Step 1.
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  // Steps 2 and 3; halves instead of shifts, which would end at 32 bits.
  let fn = index;
  let sn = size - 1;
  let r = sha256(LEAF, leaf);
  // Step 4.
  for (const p of proof) {
    if (sn === 0 || p.length !== HASH_BYTES) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = sha256(NODE, p, r);
      // A last node without a sibling was lifted: skip the levels where it has none.
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else r = sha256(NODE, r, p);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  // Step 5.
  return sn === 0 && equalBytes(r, root);
}

/** All nodes: the leaf hashes first, the root alone last. */
function levels(sha256: Sha256, leaves: readonly Uint8Array[]): Uint8Array[][] {
  const tree = [leaves.map((leaf) => sha256(LEAF, leaf))];
  for (let below = tree[0]!; below.length > 1; ) {
    const level: Uint8Array[] = [];
    for (let i = 0; i < below.length; i += 2) {
      const right = below[i + 1];
      level.push(right === undefined ? below[i]! : sha256(NODE, below[i]!, right));
    }
    tree.push(level);
    below = level;
  }
  return tree;
}

function path(tree: readonly (readonly Uint8Array[])[], index: number): Uint8Array[] {
  const proof: Uint8Array[] = [];
  let at = index;
  for (const level of tree) {
    const sibling = level[at % 2 === 0 ? at + 1 : at - 1];
    if (sibling !== undefined) proof.push(sibling);
    at = Math.floor(at / 2);
  }
  return proof;
}
