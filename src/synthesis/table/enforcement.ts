import { type CodedRow, codeOf } from './codedRow.js';
import { type Combinations, fits, joined, keyOf } from './combinations.js';
import type { CategoryValue, TableConstraint } from './constraints.js';
import type { Field } from './field.js';
import { holds, type Less, type Ordering, orderingOf, putInOrder } from './inequalities.js';
import { type Absence, impliedPresence, type PresencePlan, presencePlan, putPresence } from './presence.js';

/** A constraint over coded rows: columns are field indices, values codes. */
type CodedConstraint =
  | (Less & { readonly type: 'inequality' })
  | (Combinations & { readonly type: 'fixedCombinations' })
  | (Absence & { readonly type: 'impliedMissing' });

/**
 * A schema's constraints over coded rows, made once. A repair settles first categories and what is missing, each column
 * after those that it depends on, then the inequalities of what is present: no step undoes an earlier one.
 */
export interface Enforcement {
  /** Indices of the fields that constraints speak of. */
  readonly columns: readonly number[];
  /** For each constraint whether a row keeps it. */
  readonly checks: readonly ((row: CodedRow) => boolean)[];
  readonly presence: PresencePlan;
  readonly ordering: Ordering;
}

/** @throws InvalidTableSchema where the constraints contradict each other or the bounds, or depend on each other in a circle. */
export function enforcementOf(
  fields: readonly Field[],
  constraints: readonly TableConstraint[],
): Enforcement {
  const coded = constraints.map((constraint, index) => codedConstraint(fields, constraint, index));
  const columns = new Set<number>();
  for (const constraint of coded) for (const column of columnsOf(constraint)) columns.add(column);
  const lists = joined(
    coded.filter((constraint) => constraint.type === 'fixedCombinations'),
    fields,
  );
  const absences = coded.filter((constraint) => constraint.type === 'impliedMissing');
  return {
    columns: [...columns],
    checks: coded.map(checkOf),
    presence: presencePlan(fields, lists, absences),
    ordering: orderingOf(
      fields,
      coded.filter((constraint) => constraint.type === 'inequality'),
    ),
  };
}

/** Indices of the constraints that a row breaks. */
export function brokenBy({ checks }: Enforcement, row: CodedRow): number[] {
  return checks.flatMap((holdsFor, index) => (holdsFor(row) ? [] : [index]));
}

/** Changes the row to one that keeps all constraints; leaves a row that does as it is. */
export function repair({ presence, ordering }: Enforcement, row: CodedRow): void {
  putPresence(presence, row);
  putInOrder(ordering, row);
}

function codedConstraint(
  fields: readonly Field[],
  constraint: TableConstraint,
  index: number,
): CodedConstraint {
  // Parsed constraints name fields and categories that there are (constraintsJson.ts).
  const at = (name: string) => fields.findIndex((field) => field.name === name);
  const code = (column: number, value: CategoryValue) => codeOf(fields[column] as Field, value);
  switch (constraint.type) {
    case 'inequality':
      return {
        type: constraint.type,
        low: at(constraint.low),
        high: at(constraint.high),
        strict: constraint.strict,
      };
    case 'fixedCombinations': {
      const columns = constraint.columns.map(at);
      const rows = constraint.combinations.map((combination) =>
        Float64Array.from(combination, (value, i) => code(columns[i] as number, value)),
      );
      return { type: constraint.type, columns, rows };
    }
    case 'impliedMissing': {
      const column = at(constraint.column);
      const other = at(constraint.when.column);
      return {
        type: constraint.type,
        index,
        column,
        other,
        triggers: new Set(constraint.when.values.map((value) => code(other, value))),
        exactly: constraint.otherwiseRequired,
        fill: code(column, constraint.fill ?? null),
      };
    }
  }
}

function columnsOf(constraint: CodedConstraint): readonly number[] {
  switch (constraint.type) {
    case 'inequality':
      return [constraint.low, constraint.high];
    case 'fixedCombinations':
      return constraint.columns;
    case 'impliedMissing':
      return [constraint.column, constraint.other];
  }
}

function checkOf(constraint: CodedConstraint): (row: CodedRow) => boolean {
  switch (constraint.type) {
    case 'inequality':
      return (row) => holds(constraint, row);
    case 'fixedCombinations': {
      const listed = new Set(constraint.rows.map(keyOf));
      return (row) => listed.has(keyOf(constraint.columns.map((column) => row[column] as number)));
    }
    case 'impliedMissing':
      return (row) =>
        fits(row[constraint.column] as number, impliedPresence(constraint, row[constraint.other] as number));
  }
}
