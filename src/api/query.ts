import type { InputFieldMap, InputShapeFromFields, ObjectRef, UnionRef } from '@pothos/core';
import { builder, type Types } from './builder.js';
import type { ApiContext } from './context.js';
import { attempt, resultUnion } from './failures.js';
import type { Scopes } from './identity.js';
import { capital } from './mutation.js';

/** A query that the rules may refuse: its type is a union, as a mutation's is. */
export function query<Args extends InputFieldMap, Shape extends object>(
  name: string,
  options: {
    readonly description: string;
    readonly scopes: Partial<Scopes>;
    readonly success: ObjectRef<Types, Shape>;
    readonly successName: string;
    readonly args: Args;
    resolve(args: InputShapeFromFields<Args>, context: ApiContext): Promise<Shape>;
  },
): void {
  const { description, scopes, success, successName, args, resolve } = options;
  // As in mutation.ts: the types are parameters here, so Pothos's side of them is erased.
  const result = resultUnion(capital(name), success, successName) as UnionRef<Types, object>;
  builder.queryField(name, (t) =>
    t.field({
      description,
      authScopes: scopes,
      type: result,
      args: args as InputFieldMap,
      resolve: (_root, given, context) =>
        attempt(() => resolve(given as InputShapeFromFields<Args>, context)) as Promise<object>,
    }),
  );
}
