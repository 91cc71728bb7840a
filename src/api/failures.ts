import type { ObjectRef, UnionRef } from '@pothos/core';
import { type FailureCode, FederationError } from '../federation/errors.js';
import { InvalidOptions, InvalidTableSchema } from '../synthesis/errors.js';
import { builder, type Types } from './builder.js';

/**
 * Expected failures are results, not errors: a field's type is the union of its success and of one type a code. Every
 * union holds every code, so that a rule which refuses in a new way is no breaking change; a client reads
 * `... on Failure { code message }` where it does not care which.
 */

const MEANING: Readonly<Record<FailureCode, string>> = {
  InvalidInput: 'Something in the input is wrong; the message says what and how to mend it.',
  NotEnrolled: 'The key is not enrolled, or not a member under this charter.',
  NotApproved: 'Somebody has still to approve this.',
  KeyRevoked: 'The key was revoked: enrol with a new one.',
  CharterNotActive: 'No charter is signed by all of its members yet.',
  CharterMismatch: 'Another charter is in force than the one meant.',
  NotFound: 'There is no such thing, or it is not yours to see.',
  Conflict: 'Something else stands already where this would go.',
  IdempotencyConflict: 'The idempotency key was used for another request.',
  PhaseClosed: 'The phase is over, or belongs to another round: take the next task.',
  MessageRejected: 'The protocol message is not acceptable.',
  BudgetExceeded: 'The charter’s limit does not cover the cost.',
  QuorumNotReached: 'Fewer than the charter’s minimum are left.',
  ReleaseNotReady: 'The run has released nothing yet.',
  ReleaseGated:
    'A gate of the charter is failed or not measured yet, so the release is held back; `details` has each gate.',
};

export class Failure {
  readonly message: string;
  readonly details: Readonly<Record<string, string | number>>;
  readonly code: FailureCode;
  constructor(error: FederationError) {
    this.code = error.code;
    this.message = error.message;
    this.details = error.details;
  }
}

const failureInterface = builder.interfaceRef<Failure>('Failure').implement({
  description: 'An expected failure.',
  resolveType: ({ code }) => `${code}Failure`,
  fields: (t) => ({
    code: t.exposeString('code', { description: 'Stable; the type’s name without "Failure".' }),
    message: t.exposeString('message', { description: 'For people: what was wrong and what to do.' }),
    details: t.expose('details', { type: 'JSON', description: 'Public figures, such as limits.' }),
  }),
});

const failureTypes = Object.entries(MEANING).map(([code, description]) =>
  builder.objectRef<Failure>(`${code}Failure`).implement({ description, interfaces: [failureInterface] }),
);

/** `<name>Result`: the success or any failure. */
export function resultUnion<Shape extends object>(
  name: string,
  success: ObjectRef<Types, Shape>,
  successName: string,
): UnionRef<Types, Shape | Failure> {
  return builder.unionType(`${name}Result`, {
    types: [success, ...failureTypes],
    resolveType: (value: object) => (value instanceof Failure ? `${value.code}Failure` : successName),
  }) as UnionRef<Types, Shape | Failure>;
}

/** Turns the rules' refusals into results; anything else is a bug and goes on. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | Failure> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FederationError) return new Failure(error);
    if (error instanceof InvalidOptions || error instanceof InvalidTableSchema)
      return new Failure(new FederationError('InvalidInput', error.message, {}, { cause: error }));
    throw error;
  }
}
