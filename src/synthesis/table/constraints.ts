import type { Row } from '../synthesizer.js';
import { codedRow, valueOfCode } from './codedRow.js';
import { brokenBy, type Enforcement, enforcementOf, repair } from './enforcement.js';
import type { Field } from './field.js';
import type { TableSchema } from './schema.js';

/** A category as the schema lists it; null is a missing value. */
export type CategoryValue = string | number | boolean | null;

/** low ≤ high, or low < high where `strict`, in every row that has both. Two range columns of one type, or two numeric ones. */
export interface Inequality {
  readonly type: 'inequality';
  readonly low: string;
  readonly high: string;
  readonly strict: boolean;
}

/** Of these categorical columns only these combinations occur, each in the order of `columns`. */
export interface FixedCombinations {
  readonly type: 'fixedCombinations';
  readonly columns: readonly string[];
  readonly combinations: readonly (readonly CategoryValue[])[];
}

/**
 * `column` is missing wherever `when.column` has one of `when.values` (null: wherever that one is missing), and where
 * `otherwiseRequired`, nowhere else.
 */
export interface ImpliedMissing {
  readonly type: 'impliedMissing';
  readonly column: string;
  readonly when: { readonly column: string; readonly values: readonly CategoryValue[] };
  readonly otherwiseRequired: boolean;
  /** The public value that `enforced` writes where the column is missing and must not be; undefined leaves it the choice. */
  readonly fill: string | number | boolean | undefined;
}

/** `chorale:constraints`: what is publicly known to hold in every row, beyond its single columns. */
export type TableConstraint = Inequality | FixedCombinations | ImpliedMissing;

/** Limits, so that a plan's size is known before a row is read. */
export const MAX_CONSTRAINTS = 64;
export const MAX_COMBINATIONS = 16_384;

/** Indices of the constraints that a row breaks, in their order. A value that the schema does not allow counts as missing. */
export function violations(schema: TableSchema, row: Row): number[] {
  const enforcement = enforcementFor(schema);
  return brokenBy(enforcement, codedRow(schema.fields, row, enforcement.columns));
}

/**
 * A row near this one that keeps all constraints, the row itself if it does: of fixed combinations the one that agrees in the
 * most columns (the first listed on ties), what must be missing blanked, what must not be filled with the stated value
 * (`fill`, else the first category or the middle of the bounds), values in the wrong order exchanged or moved to their
 * neighbour. The same row gives the same result, a repaired row itself; a row that is valid by the schema stays so.
 */
export function enforced(schema: TableSchema, row: Row): Row {
  const enforcement = enforcementFor(schema);
  const { columns } = enforcement;
  const before = codedRow(schema.fields, row, columns);
  if (brokenBy(enforcement, before).length === 0) return row;
  const after = before.slice();
  repair(enforcement, after);
  const changed = columns.filter((column) => !Object.is(before[column], after[column]));
  return {
    ...row,
    ...Object.fromEntries(
      changed.map((column) => {
        const field = schema.fields[column] as Field;
        return [field.name, valueOfCode(field, after[column] as number)];
      }),
    ),
  };
}

/** A constraint in words, for people. */
export function describeConstraint(constraint: TableConstraint): string {
  switch (constraint.type) {
    case 'inequality':
      return `"${constraint.low}" is ${constraint.strict ? 'below' : 'at most'} "${constraint.high}", where both are present`;
    case 'fixedCombinations': {
      const names = constraint.columns.map((name) => `"${name}"`).join(', ');
      return `${names} have one of ${constraint.combinations.length} listed combinations`;
    }
    case 'impliedMissing': {
      const values = constraint.when.values.map((value) =>
        value === null ? 'missing' : JSON.stringify(value),
      );
      const only = constraint.otherwiseRequired ? 'exactly where' : 'wherever';
      return `"${constraint.column}" is missing ${only} "${constraint.when.column}" is ${values.join(' or ')}`;
    }
  }
}

const enforcements = new WeakMap<TableSchema, Enforcement>();

/** Made from the schema at its first row, and kept as long as the schema is. */
export function enforcementFor(schema: TableSchema): Enforcement {
  let enforcement = enforcements.get(schema);
  if (enforcement === undefined) {
    enforcement = enforcementOf(schema.fields, schema.constraints);
    enforcements.set(schema, enforcement);
  }
  return enforcement;
}
