import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { shareholders } from '../../src/secagg/graph.js';
import {
  type Evidence,
  EvidenceRejected,
  type UnmaskingRound,
  unmask,
  verifyEvidence,
} from '../../src/secagg/index.js';
import { evidenceOf } from '../../src/secagg/server/evidence.js';
import type { Choir } from './choir.js';

/** Accusations, true and false, and what a third party makes of them. */

export const evidenceFrom = async (state: UnmaskingRound): Promise<readonly Evidence[]> =>
  (await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), state)).evidence;

/** Who is accused, or why nobody is. Anything thrown that is no EvidenceRejected fails the test. */
export function judged(choir: Pick<Choir, 'floors'>, evidence: Evidence): string {
  try {
    return verifyEvidence(nodePrimitives, choir.floors, evidence).accused;
  } catch (error) {
    if (error instanceof EvidenceRejected) return `rejected: ${error.code}`;
    throw error;
  }
}

/** Every claim that a malicious coordinator could make of a round: each responder, each dealer. */
export function everyClaim(state: UnmaskingRound): Evidence[] {
  const responders = state.answers.flatMap((answer, member) => (answer === null ? [] : [member]));
  return state.expected.flatMap((dealer) => {
    const held = responders.filter((member) => shareholders(state.block.graph, dealer).includes(member));
    return [
      ...held.map((responder) =>
        evidenceOf(nodePrimitives, state, { kind: 'wrong-opening', dealer, responder }),
      ),
      evidenceOf(nodePrimitives, state, { kind: 'wrong-dealing', dealer, responders: held }),
    ];
  });
}
