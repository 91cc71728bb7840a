import type { Primitives } from '../../crypto/primitives.js';
import type { Evidence } from '../blame.js';
import { shareholders } from '../graph.js';
import { dealtBy, dealtRoots, present, relayedPart } from './block.js';
import type { Lie } from './recovery.js';
import type { UnmaskingRound } from './state.js';

/** Everything that a third party needs to see the lie for itself (blame.ts), and nothing that was not opened anyway. */
export function evidenceOf(
  primitives: Primitives,
  { block, context, answers }: UnmaskingRound,
  lie: Lie,
): Evidence {
  const { config, adverts, graph, members, shareKeys } = block;
  const responders = lie.kind === 'wrong-opening' ? [lie.responder] : lie.responders;
  const { signature } = dealtBy(primitives, shareKeys[lie.dealer]!, config.slots);
  return {
    lie: lie.kind,
    dealer: lie.dealer,
    config,
    adverts: present(adverts),
    roots: dealtRoots(primitives, block, members),
    context,
    dealerSignature: signature,
    openings: responders
      .filter((responder) => shareholders(graph, lie.dealer).includes(responder))
      .map((responder) => ({
        part: relayedPart(primitives, block, lie.dealer, responder),
        answer: answers[responder]!,
      })),
  };
}
