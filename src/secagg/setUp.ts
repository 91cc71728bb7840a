import { merkleRoot } from '../crypto/merkle.js';
import type { Primitives } from '../crypto/primitives.js';
import type { BlockKeys } from './adverts.js';
import { MAX_COMPLETE_MEMBERS } from './block.js';
import { type Graph, graphDescriptor, graphOf } from './graph.js';
import { SecaggRefusal } from './refusal.js';
import { advertsDigest, permutationSeed, setupTranscript } from './transcript.js';

/**
 * Adverts to graph to setup transcript: the same computation for members, coordinator and whoever judges evidence.
 * Throws SecaggRefusal InvalidConfig where no Harary graph holds and the complete one would be too large.
 * @param adverts by roster index, as received; null for members that did not advertise.
 */
export function setUpGraph(
  primitives: Primitives,
  { config, digest }: BlockKeys,
  adverts: readonly (Uint8Array | null)[],
): { readonly graph: Graph; readonly setup: Uint8Array } {
  const members = [...adverts.keys()].filter((member) => adverts[member] !== null);
  const signed = advertsDigest(
    primitives,
    digest,
    members.map((member) => adverts[member]!),
  );
  const graph = graphOf(config.graph, members, config, permutationSeed(primitives, signed), primitives);
  if (graph.kind === 'complete' && members.length > MAX_COMPLETE_MEMBERS)
    throw new SecaggRefusal(
      'InvalidConfig',
      `no Harary graph of ${members.length} members tolerates ${members.length - config.minSurvivors} drop-outs and ${config.maxColluders} colluders, and the complete graph ends at ${MAX_COMPLETE_MEMBERS}: raise minSurvivors or lower maxColluders`,
    );
  return { graph, setup: setupTranscript(primitives, signed, graphDescriptor(graph)) };
}

/** What a ShareKeys is a signature of: the root of the tree over its parts (RFC 9162, 2.1.1). */
export function dealtRoot(
  primitives: Primitives,
  parts: readonly { readonly bytes: Uint8Array }[],
): Uint8Array {
  return merkleRoot(
    primitives.sha256,
    parts.map(({ bytes }) => bytes),
  );
}
