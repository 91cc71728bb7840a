import { SHARE_VARIANCE_FLOOR } from '../accountants/bridge.js';
import { epsilonBounds } from '../epsilonBounds.js';
import type { PrivacyEvent } from '../events.js';
import { eventsWithin } from '../eventTree.js';
import type { Neighbouring } from '../relation.js';

/** Why an event whose ε is ∞ has none that is finite: one sentence for each part to which that is due. */
export function unproved(event: PrivacyEvent, relation: Neighbouring, delta: number): string[] {
  const parts = eventsWithin(event).filter(
    (one) =>
      !('event' in one || 'events' in one) &&
      epsilonBounds(one, { delta, relation }).epsilon.upper === Number.POSITIVE_INFINITY,
  );
  return parts.length === 0
    ? [
        'Each part has a finite ε of its own, but for the way in which they are combined no theorem is at hand under this relation.',
      ]
    : [...new Set(parts.map(reason))];
}

function reason(part: PrivacyEvent): string {
  switch (part.kind) {
    case 'non-private':
      return 'Something was released without any protection.';
    case 'randomized-response':
      return part.noiseParameter === 0
        ? 'Randomised response without randomness: every answer is the truth.'
        : 'Randomised response protects what is answered, not that there is an answer: it has an ε under replace one, and under no other relation.';
    case 'distributed-discrete-gaussian':
      return part.contributors <= part.colluders
        ? 'A sum in which no contributor is left whose noise could count: as many may collude as contributed.'
        : `A sum to which each contributor added noise of variance below ${SHARE_VARIANCE_FLOOR} grid steps²: for so little no theorem is at hand. A finer grid helps.`;
    case 'discrete-gaussian':
      return 'Discrete Gaussian noise that is too small for the theorem at hand.';
    default:
      return `A part of kind ${part.kind} without noise.`;
  }
}
