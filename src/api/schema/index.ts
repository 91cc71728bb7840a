import type { GraphQLSchema } from 'graphql';
import { builder } from '../builder.js';
import './participant.js';
import './charter.js';
import './run.js';
import './budget.js';
import './exchange.js';
import './progress.js';
import './quality.js';
import './samples.js';
import './token.js';

/** The scopes that a root field asks for, by "Query.field"; what the field × role test walks. */
export function rootScopes(schema: GraphQLSchema): Map<string, readonly string[]> {
  const scopes = new Map<string, readonly string[]>();
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(root?.getFields() ?? {})) {
      const options = field.extensions.pothosOptions as { readonly authScopes?: unknown } | undefined;
      const asked = options?.authScopes;
      const names =
        typeof asked === 'object' && asked !== null
          ? Object.entries(asked).flatMap(([name, wanted]) => (wanted === true ? [name] : []))
          : [];
      scopes.set(`${root?.name}.${field.name}`, names);
    }
  }
  return scopes;
}

/** Default deny: a root field that names no scope keeps the coordinator from starting. */
export function buildSchema(): GraphQLSchema {
  const schema = builder.toSchema();
  for (const [field, scopes] of rootScopes(schema)) {
    if (scopes.length === 0)
      throw new Error(`${field} says nobody's scope: every field must name who may ask it`);
  }
  return schema;
}
