import type { Agreement, MaskWork } from '../../crypto/maskWork.js';
import type { Primitives } from '../../crypto/primitives.js';
import { advertisedKeys } from '../adverts.js';
import type { Evidence } from '../blame.js';
import { memberIds } from '../block.js';
import { neighbours } from '../graph.js';
import { maskPrivateKey, pairMaskInfo, pairSign, selfMask } from '../keys.js';
import { type MaskStream, reduceToRing } from '../mask.js';
import { evidenceOf } from './evidence.js';
import { recoverSecrets } from './recovery.js';
import type { Aborted, UnmaskingRound } from './state.js';

export interface Unmasked {
  readonly kind: 'unmasked';
  /** Σ of the survivors' vectors modulo 2^modulusBits; unsigned ring elements. */
  readonly sum: Uint32Array;
  readonly survivors: readonly string[];
  /** Against members that gave or dealt wrong shares, decoded around or not; anyone can check it (verifyEvidence). */
  readonly evidence: readonly Evidence[];
}

/** An abort that names who caused it, where that can be proved. */
export interface UnmaskAborted extends Aborted {
  readonly evidence: readonly Evidence[];
}

/**
 * Reconstructs the seed of every survivor and the mask key of every dropped member, checks each against what was
 * advertised, and takes the masks off a copy of the running sum. May be called again when more answers have come.
 */
export async function unmask(
  primitives: Primitives,
  masks: MaskWork,
  state: UnmaskingRound,
): Promise<Unmasked | UnmaskAborted> {
  const { block, context, threshold, answersHeld } = state;
  if (answersHeld < threshold)
    return {
      kind: 'aborted',
      reason: 'TooFewAnswers',
      have: answersHeld,
      need: threshold,
      members: [],
      evidence: [],
    };
  const { secrets, lost, fewest, lies } = recoverSecrets(primitives, state);
  const evidence = lies.map((lie) => evidenceOf(primitives, state, lie));
  if (lost.length > 0)
    return {
      kind: 'aborted',
      reason: 'SecretNotReconstructed',
      have: fewest,
      need: threshold,
      members: memberIds(block.config, lost),
      evidence,
    };

  const sum = masks.vector(context.dimension);
  sum.set(state.running.sum);
  await masks.addMasks(sum, await masksLeft(primitives, masks, state, secrets));
  reduceToRing(sum, context.modulusBits);
  return { kind: 'unmasked', sum, survivors: memberIds(block.config, state.survivors), evidence };
}

/** What must be added to the running sum: −PRG(self) of the survivors, and the dropped members' side of each pair. */
async function masksLeft(
  primitives: Primitives,
  work: MaskWork,
  { block, context, transcript, survivors }: UnmaskingRound,
  secrets: ReadonlyMap<number, Uint8Array>,
): Promise<MaskStream[]> {
  const alive = new Set(survivors);
  const masks: MaskStream[] = [];
  const agreements: Agreement[] = [];
  const signs: (1 | -1)[] = [];
  for (const [member, root] of secrets) {
    if (alive.has(member)) {
      masks.push({ ...selfMask(primitives, transcript, member, root), sign: -1 });
      continue;
    }
    const privateKey = maskPrivateKey(primitives, block.digest, member, context.slot, root);
    for (const other of neighbours(block.graph, member)) {
      if (!alive.has(other)) continue;
      const { maskKey } = advertisedKeys(block.adverts[other]!).slots[context.slot]!;
      const info = pairMaskInfo(member, other);
      agreements.push({ privateKey, publicKey: maskKey, salt: transcript, info });
      signs.push(pairSign(member, other));
    }
  }
  const keys = await work.agree(agreements);
  return masks.concat(keys.map((key, i) => ({ key, sign: signs[i]! })));
}
