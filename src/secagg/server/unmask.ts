import { equalBytes } from '@noble/ciphers/utils.js';
import { memberIds } from '../block.js';
import { abscissa } from '../graph.js';
import { maskPrivateKey, pairMask, scalarFrom, seedCommitment, selfMask } from '../keys.js';
import { addMasks, type MaskStream, reduceToRing } from '../mask.js';
import { interpolate, lagrangeWeights, type Share, scalarField } from '../shamir.js';
import type { Aborted, UnmaskingRound } from './state.js';

/** Sets of shares tried for one secret before it counts as lost; the good ones decode around one liar of ten. */
const MAX_SUBSETS = 256;

export interface Unmasked {
  readonly kind: 'unmasked';
  /** Σ of the survivors' vectors modulo 2^modulusBits; unsigned ring elements. */
  readonly sum: Uint32Array;
  readonly survivors: readonly string[];
  /** Members whose share lies off the polynomial that gave the committed secret: suspects, no proof yet. */
  readonly suspects: readonly string[];
}

/**
 * Reconstructs the seed of every survivor and the mask key of every dropped member, checks each against what was
 * advertised (seed commitment, public key), and takes the masks off a copy of the running sum. May be called
 * again when more answers have come.
 */
export function unmask(state: UnmaskingRound): Unmasked | Aborted {
  const { block, context, threshold, answersHeld } = state;
  if (answersHeld < threshold)
    return { kind: 'aborted', reason: 'TooFewAnswers', have: answersHeld, need: threshold, members: [] };

  const secrets = new Map<number, bigint>();
  const lost: number[] = [];
  const suspects = new Set<number>();
  const recovery = new Recovery(threshold);
  let fewest = answersHeld;
  for (const member of state.expected) {
    const shares = sharesOf(state, member);
    fewest = Math.min(fewest, shares.length);
    const found = recovery.recover(shares, (secret) => isAdvertised(state, member, secret));
    if (found === undefined) lost.push(member);
    else {
      secrets.set(member, found.secret);
      for (const x of found.off) suspects.add(x - 1);
    }
  }
  if (lost.length > 0)
    return {
      kind: 'aborted',
      reason: 'SecretNotReconstructed',
      have: fewest,
      need: threshold,
      members: memberIds(block.config, lost),
    };

  const sum = state.running.sum.slice();
  addMasks(block.primitives, sum, masksLeft(state, secrets));
  reduceToRing(sum, context.modulusBits);
  const { config } = block;
  return {
    kind: 'unmasked',
    sum,
    survivors: memberIds(config, state.survivors),
    suspects: memberIds(
      config,
      [...suspects].sort((a, b) => a - b),
    ),
  };
}

/** What must be added to the running sum: −PRG(self) of the survivors, and the dropped members' side of each pair. */
function masksLeft(state: UnmaskingRound, secrets: ReadonlyMap<number, bigint>): MaskStream[] {
  const { block, context, transcript, survivors } = state;
  const { primitives } = block;
  const masks: MaskStream[] = [];
  for (const [member, secret] of secrets) {
    if (survivors.includes(member)) {
      masks.push({ ...selfMask(primitives, transcript, member, secret), sign: -1 });
      continue;
    }
    const key = maskPrivateKey(primitives, block.digest, member, context.slot, secret);
    for (const other of block.graph.neighbours(member))
      if (survivors.includes(other)) {
        const { maskKey } = block.adverts.get(other)!.keys.slots[context.slot]!;
        const secret = primitives.x25519SharedSecret(key, maskKey);
        masks.push(pairMask(primitives, transcript, member, other, secret));
      }
  }
  return masks;
}

/** The shares held of one member's secret: of its seed if it survived, of its mask root if it dropped out. */
function sharesOf(state: UnmaskingRound, member: number): Share[] {
  const shares: Share[] = [];
  for (const { message } of state.answers.values()) {
    const answer = message.answers.find((given) => given.member === member && given.kind !== 'none');
    const y = answer === undefined ? undefined : scalarFrom(answer.share);
    if (y !== undefined) shares.push({ x: abscissa(message.sender), y });
  }
  return shares.sort((a, b) => a.x - b.x);
}

/** Whether a reconstructed root gives what its owner advertised: wrong shares are always noticed (S13). */
function isAdvertised(state: UnmaskingRound, member: number, secret: bigint): boolean {
  const { block, context, survivors } = state;
  const { primitives, digest } = block;
  const advertised = block.adverts.get(member)!.keys.slots[context.slot]!;
  if (survivors.includes(member))
    return equalBytes(
      seedCommitment(primitives, digest, member, context.slot, secret),
      advertised.seedCommitment,
    );
  const key = maskPrivateKey(primitives, digest, member, context.slot, secret);
  return equalBytes(primitives.x25519PublicKey(key), advertised.maskKey);
}

/**
 * Finds t shares that give the advertised secret. The first t nearly always do; where a share is wrong, other
 * sets are tried, a bounded number. (Proper error correction and evidence come with share commitments.)
 */
class Recovery {
  /** Lagrange weights depend on the shareholders alone, and those are mostly the same for all secrets of a round. */
  readonly #weights = new Map<string, bigint[]>();
  constructor(readonly threshold: number) {}

  recover(
    shares: readonly Share[],
    matches: (secret: bigint) => boolean,
  ): { secret: bigint; off: number[] } | undefined {
    if (shares.length < this.threshold) return undefined;
    let tries = 0;
    for (const subset of subsets(shares, this.threshold)) {
      if (tries++ === MAX_SUBSETS) return undefined;
      const secret = this.#at(subset, 0);
      if (matches(secret)) {
        // With a first try nobody is doubted and nothing more is computed.
        const doubted = tries === 1 ? [] : shares.filter(({ x, y }) => this.#at(subset, x) !== y);
        return { secret, off: doubted.map(({ x }) => x) };
      }
    }
    return undefined;
  }

  #at(subset: readonly Share[], target: number): bigint {
    const key = `${target}:${subset.map(({ x }) => x).join()}`;
    let weights = this.#weights.get(key);
    if (weights === undefined) {
      weights = lagrangeWeights(
        scalarField,
        subset.map(({ x }) => x),
        target,
      );
      this.#weights.set(key, weights);
    }
    return interpolate(
      scalarField,
      weights,
      subset.map(({ y }) => y),
    );
  }
}

/** The subsets of `size` elements, those that leave out one late element first. */
function* subsets<T>(items: readonly T[], size: number, from = 0): Generator<T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = from; i <= items.length - size; i++)
    for (const rest of subsets(items, size - 1, i + 1)) yield [items[i]!, ...rest];
}
