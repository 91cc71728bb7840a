import { utf8ToBytes } from '@noble/hashes/utils.js';
import { nodePrimitives } from '../../crypto/nodePrimitives.js';
import { type Rng, seededRng, systemRng } from '../../crypto/rng.js';

/**
 * Where a party's keys, masks, samples and noise come from. Under a seed each has a stream of its own, so that the same files make
 * the same bytes: whoever knows the seed can subtract the noise, so what such a run makes is for experiments. Without
 * one every party draws from the system, as in a deployment.
 */
export function randomnessOf(seed: string | undefined, party: string): Rng {
  if (seed === undefined) return systemRng();
  return seededRng(nodePrimitives.sha256(utf8ToBytes(`chorale/1 simulation\0${party}\0${seed}`)));
}
