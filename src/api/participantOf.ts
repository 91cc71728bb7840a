import type { Identity } from './identity.js';

/** The participant's id; the scopes have made sure that there is one. */
export function participantOf(identity: Identity): string {
  if (identity.kind !== 'key' || identity.participant === null)
    throw new TypeError('participantOf: the field lacks the scope "participant"');
  return identity.participant.id;
}

/** The token's id: the person or application behind a request. */
export function tokenOf(identity: Identity): string {
  if (identity.kind !== 'token') throw new TypeError('tokenOf: the field lacks the scope of a role');
  return identity.token.id;
}
