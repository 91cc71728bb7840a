import { z } from 'zod';
import type { Json } from '../../crypto/canonical.js';
import { InvalidTableSchema } from '../errors.js';
import { MAX_CONSTRAINTS, type TableConstraint } from './constraints.js';
import { constraintJson, parseConstraint } from './constraintsJson.js';
import { enforcementOf } from './enforcement.js';
import {
  type Field,
  fieldJson,
  missingValuesJson,
  type OutsidePolicy,
  outsideJson,
  parseField,
  textsOf,
} from './field.js';

export type * from './constraints.js';
export {
  type CategoricalField,
  FIELD_TYPES,
  type Field,
  type FieldType,
  MAX_BINS,
  MAX_CATEGORIES,
  type OutsidePolicy,
  ordinalOf,
  type RangeField,
  type RangeType,
} from './field.js';

/** Limit, so that a model's size is known before a row is read. */
export const MAX_FIELDS = 512;

/**
 * Table Schema (Data Package v2, https://datapackage.org/standard/table-schema/) with what differential privacy asks
 * for on top: every category and every bound is stated, since one that is read from the data is a release of the data.
 * A keyword that Chorale would not keep to is refused, not ignored. docs/table-schema.md has every property.
 */
export interface TableSchema {
  readonly fields: readonly Field[];
  /** `chorale:constraints`, in the order of the schema; together they can be kept (enforcement.ts). */
  readonly constraints: readonly TableConstraint[];
  /** `chorale:outside`: what becomes of a record that breaks a constraint. Of a field's bounds the field says it. */
  readonly outside: OutsidePolicy;
  /** `fieldsMatch` exact or equal: a file may have no other columns. Otherwise others are left unread. */
  readonly onlyTheseColumns: boolean;
  /** The schema as it was written, for the charter's canonical digest. */
  readonly json: Json;
}

export const schemaJson = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  fields: z.array(z.unknown()).min(1).max(MAX_FIELDS),
  fieldsMatch: z
    .union([z.enum(['exact', 'equal', 'subset']), z.tuple([z.enum(['exact', 'equal', 'subset'])])])
    .optional(),
  missingValues: missingValuesJson.optional(),
  'chorale:outside': outsideJson.optional(),
  'chorale:constraints': z.array(z.unknown()).max(MAX_CONSTRAINTS).optional(),
});

/** @throws InvalidTableSchema naming the field or constraint, what is wrong, and what to write instead. */
export function parseTableSchema(json: unknown): TableSchema {
  const parsed = schemaJson.safeParse(json);
  if (!parsed.success) throw new InvalidTableSchema(undefined, firstIssue(parsed.error));
  const outside = parsed.data['chorale:outside'] ?? 'refuse';
  const defaults = { missingValues: textsOf(parsed.data.missingValues ?? ['']), outside };
  const fields = parsed.data.fields.map((item, index) => {
    const field = fieldJson.safeParse(item);
    if (field.success) return parseField(field.data, defaults);
    const named = z.object({ name: z.string() }).safeParse(item);
    throw new InvalidTableSchema(named.success ? named.data.name : `#${index + 1}`, firstIssue(field.error));
  });
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) throw new InvalidTableSchema(name, 'is there twice; give each field its own name');
    seen.add(name);
  }
  if (fields.filter((field) => field.label).length > 1)
    throw new InvalidTableSchema(undefined, 'more than one field has chorale:label; leave it on one');
  const constraints = (parsed.data['chorale:constraints'] ?? []).map((item, index) => {
    const constraint = constraintJson.safeParse(item);
    if (constraint.success) return parseConstraint(constraint.data, index, fields);
    throw new InvalidTableSchema(undefined, `constraint #${index + 1}: ${firstIssue(constraint.error)}`);
  });
  // Refuses what could not be kept: found now, not at the first row.
  enforcementOf(fields, constraints);
  const match = [parsed.data.fieldsMatch ?? 'subset'].flat()[0];
  return {
    fields,
    constraints,
    outside,
    onlyTheseColumns: match !== 'subset',
    json: structuredClone(json) as Json,
  };
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'is not valid';
  const keys =
    issue.code === 'unrecognized_keys'
      ? ` (${issue.keys.join(', ')}: Chorale cannot keep to it; leave it out)`
      : '';
  const path = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  return `${path}${issue.message}${keys}`;
}
