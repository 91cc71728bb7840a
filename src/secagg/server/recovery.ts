import { equalBytes } from '@noble/ciphers/utils.js';
import type { Primitives } from '../../crypto/primitives.js';
import { givesAdvertised } from '../adverts.js';
import { commitmentAt, shareOf } from '../dealing.js';
import { areConsistent, decodeShares, dualWord } from '../decoding.js';
import { abscissa, shareholders } from '../graph.js';
import { type SecretKind, scalarBytes, shareCommitment } from '../keys.js';
import { memoize } from '../memo.js';
import { decodeDealtPart, decodeUnmasking } from '../messages.js';
import { interpolate, LagrangeCache, scalarField } from '../shamir.js';
import { dealtBy, present } from './block.js';
import type { UnmaskingRound } from './state.js';

/** One answer's opening of a dealer's share: share ‖ salt. */
interface Opening {
  readonly responder: number;
  readonly bytes: Uint8Array;
}

/** Who was caught: a responder by an opening that its dealer did not commit to, a dealer by what it committed to. */
export type Lie =
  | { readonly kind: 'wrong-opening'; readonly dealer: number; readonly responder: number }
  | { readonly kind: 'wrong-dealing'; readonly dealer: number; readonly responders: readonly number[] };

export interface Recovery {
  /** The root of each member's secret that could be opened: of its seed if it survived, else of its mask key. */
  readonly secrets: ReadonlyMap<number, Uint8Array>;
  /** Members whose secret lacks correct shares, ascending, and the shares held of the worst. */
  readonly lost: readonly number[];
  readonly fewest: number;
  readonly lies: readonly Lie[];
}

/**
 * Reconstructs one secret of every expected member. The first t shares nearly always give what was advertised, and a
 * dual-code product (decoding.ts) then tells that all the others lie on the same polynomial: nobody lied. Only where
 * something is off are the commitments looked at: a wrong opening is struck out, and if the rest still does not fit
 * its dealer lied, whose secret is then decoded around the wrong shares where there are t + 2e (S13; DESIGN §4).
 */
export function recoverSecrets(primitives: Primitives, state: UnmaskingRound): Recovery {
  const { threshold, expected } = state;
  const reader = createReader(threshold, dualSeed(primitives, state));
  const secrets = new Map<number, Uint8Array>();
  const lost: number[] = [];
  const lies: Lie[] = [];
  let fewest = Number.POSITIVE_INFINITY;
  const openings = openingsByDealer(state);
  const fates = new Set(state.survivors);
  for (const dealer of expected) {
    const kind: SecretKind = fates.has(dealer) ? 'seed' : 'mask';
    const isRoot = (root: Uint8Array) => isAdvertised(primitives, state, dealer, kind, root);
    const all = openings.get(dealer) ?? [];
    let read = reader(all, isRoot);
    if (read.wrong) {
      const good = all.filter((opening) => isHonest(primitives, state, dealer, kind, opening));
      for (const { responder } of all.filter((opening) => !good.includes(opening)))
        lies.push({ kind: 'wrong-opening', dealer, responder });
      read = reader(good, isRoot);
      if (read.wrong && good.length >= threshold)
        lies.push({
          kind: 'wrong-dealing',
          dealer,
          responders: good.map(({ responder }) => responder),
        });
      fewest = Math.min(fewest, good.length);
    } else fewest = Math.min(fewest, all.length);
    if (read.root === undefined) lost.push(dealer);
    else secrets.set(dealer, read.root);
  }
  return { secrets, lost, fewest, lies };
}

interface Reading {
  readonly root: Uint8Array | undefined;
  /** Whether a share is certainly not what an honest dealer and an honest responder would give. */
  readonly wrong: boolean;
}

/** Weights depend on the responders alone, and those are mostly the same for all secrets of a round. */
function createReader(threshold: number, seed: Uint8Array) {
  const weights = new LagrangeCache();
  const duals = new Map<string, bigint[]>();
  return (openings: readonly Opening[], isRoot: (root: Uint8Array) => boolean): Reading => {
    if (openings.length < threshold) return { root: undefined, wrong: false };
    const shares = openings.map(({ responder, bytes }) => ({ x: abscissa(responder), y: shareOf(bytes) }));
    if (!shares.every(isCanonical)) return { root: undefined, wrong: true };
    const first = shares.slice(0, threshold);
    const ys = first.map(({ y }) => y);
    const root = scalarBytes(interpolate(scalarField, weights.weights(first.map(({ x }) => x)), ys));
    if (!isRoot(root)) {
      const decoded = decodeShares(shares, threshold);
      const corrected = decoded === undefined ? undefined : scalarBytes(decoded.secret);
      return { root: corrected !== undefined && isRoot(corrected) ? corrected : undefined, wrong: true };
    }
    if (shares.length === threshold) return { root, wrong: false };
    const xs = shares.map(({ x }) => x);
    const key = xs.join();
    let dual = duals.get(key);
    if (dual === undefined) duals.set(key, (dual = dualWord(xs, threshold, seed)));
    return {
      root,
      wrong: !areConsistent(
        shares.map(({ y }) => y),
        dual,
      ),
    };
  };
}

/** Of all answers together: whoever made one of them could not know the word that its shares are held against. */
function dualSeed(primitives: Primitives, { transcript, answers }: UnmaskingRound): Uint8Array {
  return primitives.sha256(transcript, ...present(answers));
}

function isCanonical(share: { x: number; y: bigint | undefined }): share is { x: number; y: bigint } {
  return share.y !== undefined;
}

/** What the answers hold of each dealer's secret, by responder, ascending. */
function openingsByDealer(state: UnmaskingRound): Map<number, Opening[]> {
  const byDealer = new Map<number, Opening[]>();
  for (const bytes of state.answers) {
    if (bytes === null) continue;
    const { sender, answers } = unmaskingOf(bytes);
    for (const { member, kind, opening } of answers) {
      if (kind === 'none') continue;
      const known = byDealer.get(member);
      if (known === undefined) byDealer.set(member, [{ responder: sender, bytes: opening }]);
      else known.push({ responder: sender, bytes: opening });
    }
  }
  return byDealer;
}

const unmaskingOf = memoize(decodeUnmasking);

/**
 * Whether the opening is what the dealer committed to, for this responder, slot and kind, and canonical: a member
 * takes no other share on arrival (dealing.ts), so whoever opens one has lied, together with its dealer or not.
 */
function isHonest(
  primitives: Primitives,
  { block, context }: UnmaskingRound,
  dealer: number,
  kind: SecretKind,
  { responder, bytes }: Opening,
): boolean {
  if (shareOf(bytes) === undefined) return false;
  const { config, graph, setup, shareKeys } = block;
  const { parts } = dealtBy(primitives, shareKeys[dealer]!, config.slots);
  const part = parts[shareholders(graph, dealer).indexOf(responder)]!;
  const { commitments } = decodeDealtPart(part.bytes, config.slots);
  const commitment = shareCommitment(primitives, setup, dealer, responder, context.slot, kind, bytes);
  return equalBytes(commitment, commitmentAt(commitments, context.slot, kind));
}

/** Whether a reconstructed root gives what its owner advertised: wrong shares are always noticed (S13). */
function isAdvertised(
  primitives: Primitives,
  { block, context }: UnmaskingRound,
  member: number,
  kind: SecretKind,
  root: Uint8Array,
): boolean {
  return givesAdvertised(primitives, block.digest, block.adverts[member]!, context.slot, kind, root);
}
