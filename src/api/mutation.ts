import type { InputObjectRef, ObjectRef, UnionRef } from '@pothos/core';
import { builder, type Types } from './builder.js';
import type { ApiContext } from './context.js';
import { attempt, resultUnion } from './failures.js';
import { idempotently, type Reference } from './idempotency.js';
import { actorOf, type Scopes } from './identity.js';

interface MutationOptions<Input extends { readonly idempotencyKey: string }, Shape extends object> {
  readonly description: string;
  /** Whoever has one of these. */
  readonly scopes: Partial<Scopes>;
  readonly input: InputObjectRef<Types, Input>;
  readonly success: ObjectRef<Types, Shape>;
  readonly successName: string;
  /** Calls the rules and names what was made. */
  execute(input: Input, context: ApiContext): Promise<Reference>;
  /** Reads what was made, for the first answer and for each repeat. */
  load(reference: Reference, context: ApiContext, repeated: boolean): Promise<Shape>;
}

/** A mutation with its scope, its idempotency key and its typed failures: the only way to make one (but submitMessage). */
export function mutation<Input extends { readonly idempotencyKey: string }, Shape extends object>(
  name: string,
  options: MutationOptions<Input, Shape>,
): void {
  const { description, scopes, input, success, successName, execute, load } = options;
  // Pothos computes a field's types from concrete ones; here they are parameters, so its side of them is erased.
  const result = resultUnion(capital(name), success, successName) as UnionRef<Types, object>;
  const inputType = input as unknown as InputObjectRef<Types, { readonly idempotencyKey: string }>;
  builder.mutationField(name, (t) =>
    t.field({
      description,
      authScopes: scopes,
      type: result,
      args: { input: t.arg({ type: inputType, required: true }) },
      resolve: (_root, args, context) =>
        attempt(async () => {
          const given = args.input as Input;
          const { idempotencyKey: key, ...rest } = given;
          const request = { actor: actorOf(context.identity), key, operation: name, input: rest };
          const { reference, repeated } = await idempotently(context.store, request, () =>
            execute(given, context),
          );
          return load(reference, context, repeated);
        }),
    }),
  );
}

export function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** The description that every idempotency key has. */
export const IDEMPOTENCY_KEY = {
  required: true,
  description:
    'Any 8 to 128 printable characters, one key a request: the same key and input give the same answer.',
} as const;
