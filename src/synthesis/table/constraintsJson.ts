import { z } from 'zod';
import { InvalidTableSchema } from '../errors.js';
import {
  type CategoryValue,
  type FixedCombinations,
  type ImpliedMissing,
  type Inequality,
  MAX_COMBINATIONS,
  type TableConstraint,
} from './constraints.js';
import { type Field, ordinalOf, type RangeField } from './field.js';

const value = z.union([z.string(), z.number(), z.boolean()]);

/** One entry of `chorale:constraints`, as it is written. */
export const constraintJson = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('inequality'),
    low: z.string(),
    high: z.string(),
    strict: z.boolean().optional(),
  }),
  z.strictObject({
    type: z.literal('fixedCombinations'),
    columns: z.array(z.string()).min(2),
    combinations: z
      .array(z.array(z.nullable(value)))
      .min(1)
      .max(MAX_COMBINATIONS),
  }),
  z.strictObject({
    type: z.literal('impliedMissing'),
    column: z.string(),
    when: z.strictObject({ column: z.string(), values: z.array(z.nullable(value)).min(1) }),
    otherwiseRequired: z.boolean().optional(),
    fill: value.optional(),
  }),
]);
type ConstraintJson = z.infer<typeof constraintJson>;
type JsonOf<Type extends ConstraintJson['type']> = Extract<ConstraintJson, { type: Type }>;

/** The field of a name that a constraint uses. */
type FieldNamed = (name: string) => Field;
type Refuse = (column: string | undefined, message: string) => InvalidTableSchema;

/** @throws InvalidTableSchema naming the constraint by its place from 1, the column, and what to write instead. */
export function parseConstraint(
  json: ConstraintJson,
  index: number,
  fields: readonly Field[],
): TableConstraint {
  const refuse: Refuse = (column, message) =>
    new InvalidTableSchema(column, `constraint #${index + 1} (${json.type}): ${message}`);
  const fieldNamed: FieldNamed = (name) => {
    const field = fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw refuse(name, 'the schema has no such field; correct the name');
    return field;
  };
  switch (json.type) {
    case 'inequality':
      return inequality(json, fieldNamed, refuse);
    case 'fixedCombinations':
      return fixedCombinations(json, fieldNamed, refuse);
    case 'impliedMissing':
      return impliedMissing(json, fieldNamed, refuse);
  }
}

function inequality(json: JsonOf<'inequality'>, fieldNamed: FieldNamed, refuse: Refuse): Inequality {
  const low = rangeNamed(json.low, fieldNamed, refuse);
  const high = rangeNamed(json.high, fieldNamed, refuse);
  if (low.name === high.name) throw refuse(low.name, 'compares the column with itself; name two columns');
  const numeric = ({ type }: RangeField) => type === 'integer' || type === 'number';
  if (low.type !== high.type && !(numeric(low) && numeric(high)))
    throw refuse(
      high.name,
      `is of type ${high.type} and "${low.name}" of type ${low.type}; only columns of one type, or two numeric ones, can be compared`,
    );
  if (low.utc !== high.utc)
    throw refuse(
      high.name,
      `one of it and "${low.name}" is in UTC, the other in local time; write both alike`,
    );
  return { type: 'inequality', low: low.name, high: high.name, strict: json.strict ?? false };
}

function rangeNamed(name: string, fieldNamed: FieldNamed, refuse: Refuse): RangeField {
  const field = fieldNamed(name);
  if (field.domain === 'range') return field;
  throw refuse(name, 'has categories, which have no order; give it a minimum and a maximum instead');
}

function fixedCombinations(
  json: JsonOf<'fixedCombinations'>,
  fieldNamed: FieldNamed,
  refuse: Refuse,
): FixedCombinations {
  const columns = json.columns.map(fieldNamed);
  columns.forEach(({ name, domain }, i) => {
    if (domain !== 'categories')
      throw refuse(
        name,
        'has bounds and no categories; only columns with an enum, or booleans, can be combined',
      );
    if (json.columns.indexOf(name) !== i) throw refuse(name, 'is named twice; name it once');
  });
  const seen = new Set<string>();
  const combinations = json.combinations.map((combination, row) => {
    if (combination.length !== columns.length)
      throw refuse(
        undefined,
        `combination ${row + 1} has ${combination.length} values for ${columns.length} columns`,
      );
    const values = combination.map((item, i) => categoryValue(columns[i] as Field, item, refuse));
    const key = JSON.stringify(values);
    if (seen.has(key)) throw refuse(undefined, `combination ${row + 1} is there twice; list it once`);
    seen.add(key);
    return values;
  });
  return { type: 'fixedCombinations', columns: json.columns, combinations };
}

function impliedMissing(
  json: JsonOf<'impliedMissing'>,
  fieldNamed: FieldNamed,
  refuse: Refuse,
): ImpliedMissing {
  const field = fieldNamed(json.column);
  const other = fieldNamed(json.when.column);
  if (field === other) throw refuse(field.name, 'depends on itself; name another column in "when"');
  if (field.required)
    throw refuse(field.name, 'is required, so it is never missing; take constraints.required away');
  const values = json.when.values.map((item) => categoryValue(other, item, refuse));
  if (new Set(values).size < values.length) throw refuse(other.name, 'a value of "when" is there twice');
  const otherwiseRequired = json.otherwiseRequired ?? false;
  if (json.fill !== undefined && !otherwiseRequired)
    throw refuse(
      field.name,
      'fill is for otherwiseRequired: true; without it the column may always be missing',
    );
  if (json.fill !== undefined && !isValue(field, json.fill))
    throw refuse(field.name, 'fill must be one of the column’s categories, or within its bounds');
  const when = { column: other.name, values };
  return { type: 'impliedMissing', column: field.name, when, otherwiseRequired, fill: json.fill };
}

/** A category of the field, or null for missing. Of a field with bounds there is null alone. */
function categoryValue(field: Field, item: CategoryValue, refuse: Refuse): CategoryValue {
  if (item === null) {
    if (field.required) throw refuse(field.name, 'is required, so it is never missing; leave null out');
    return null;
  }
  if (field.domain === 'range')
    throw refuse(field.name, 'has bounds and no categories: here it can only be missing (null)');
  const category = field.type === 'year' ? Number(item) : item;
  if (!field.categories.includes(category))
    throw refuse(
      field.name,
      `${JSON.stringify(item)} is none of its categories; correct it, or add it to the enum`,
    );
  return category;
}

function isValue(field: Field, item: string | number | boolean): boolean {
  if (field.domain === 'categories')
    return field.categories.includes(field.type === 'year' ? Number(item) : item);
  if (typeof item === 'boolean') return false;
  const ordinal = ordinalOf(field.type, item);
  return ordinal !== undefined && ordinal >= field.minimum && ordinal <= field.maximum;
}
