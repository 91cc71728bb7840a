import { InvalidTableSchema } from '../errors.js';
import type { CodedRow } from './codedRow.js';
import { type Combinations, fits, keyOf, type Nearest, nearestIn, type Presence } from './combinations.js';
import { topologicalOrder } from './dependencies.js';
import type { Field } from './field.js';

/** One implied-missing constraint over codes: `column` is missing where `other` has one of `triggers` (NaN: is missing). */
export interface Absence {
  /** Of the constraint in the schema. */
  readonly index: number;
  readonly column: number;
  readonly other: number;
  readonly triggers: ReadonlySet<number>;
  /** And nowhere else. */
  readonly exactly: boolean;
  /** Code that a repair writes where the column must be present; NaN leaves it the choice. */
  readonly fill: number;
}

/** What an absence asks of its column, beside this code of the other. */
export function impliedPresence({ triggers, exactly }: Absence, other: number): Presence {
  if (triggers.has(other)) return 'missing';
  return exactly ? 'present' : 'either';
}

/** Columns that are settled together: those of joined lists of combinations, or one alone. */
interface Group {
  readonly columns: readonly number[];
  /** The lists' rows that keep the absences within the group, too; undefined of a column without a list. */
  readonly list: { readonly rows: readonly Float64Array[]; readonly nearest: Nearest } | undefined;
  /** Absences of its columns that depend on columns of other groups. */
  readonly absences: readonly Absence[];
}

export interface PresencePlan {
  readonly fields: readonly Field[];
  /** Each after all on which it depends. */
  readonly groups: readonly Group[];
}

/** Limit on the joint states of the columns that one group depends on. */
const MAX_STATES = 65_536;

/**
 * @throws InvalidTableSchema where columns' absences depend on each other in a circle, or where some values of the columns
 * that others depend on would leave those no value: then a repair could fail, and rows could not be drawn one column after another.
 */
export function presencePlan(
  fields: readonly Field[],
  lists: readonly Combinations[],
  absences: readonly Absence[],
): PresencePlan {
  const listed = new Set(lists.flatMap(({ columns }) => columns));
  const alone = new Set(absences.flatMap(({ column, other }) => [column, other]));
  const columnSets = [
    ...lists.map(({ columns }) => columns),
    ...[...alone].filter((column) => !listed.has(column)).map((column) => [column]),
  ];
  const groups = columnSets.map((columns, g): Group => {
    const own = absences.filter(({ column }) => columns.includes(column));
    const within = own.filter(({ other }) => columns.includes(other));
    const list = lists[g] === undefined ? undefined : listKeeping(fields, lists[g], within);
    return { columns, list, absences: own.filter((absence) => !within.includes(absence)) };
  });
  const groupOf = (column: number) => groups.findIndex(({ columns }) => columns.includes(column));
  const { order, cyclic } = topologicalOrder(
    groups.map((_, g) => g),
    groups.flatMap((group, after) => group.absences.map(({ other }) => ({ before: groupOf(other), after }))),
  );
  if (cyclic.length > 0) {
    const names = cyclic.flatMap((g) => namesOf(fields, groups[g]?.columns ?? [])).join(', ');
    throw new InvalidTableSchema(
      undefined,
      `what is missing depends on itself in a circle among ${names}; leave out one impliedMissing, or list the combinations (fixedCombinations, null for missing)`,
    );
  }
  for (const group of groups) assertAlwaysPossible(fields, groups, group);
  return { fields, groups: order.map((g) => groups[g] as Group) };
}

/** Settles categories and what is missing, each group after those that it depends on; a group that is right stays as it is. */
export function putPresence({ fields, groups }: PresencePlan, row: CodedRow): void {
  for (const { columns, list, absences } of groups) {
    const presences = columns.map((column) => presenceOf(column, absences, (other) => row[other] as number));
    if (list !== undefined) {
      const nearest = list.nearest(row, presences as readonly Presence[]);
      columns.forEach((column, i) => {
        row[column] = nearest[i] as number;
      });
    } else if (presences[0] === 'missing') row[columns[0] as number] = Number.NaN;
    else if (presences[0] === 'present' && Number.isNaN(row[columns[0] as number])) {
      const column = columns[0] as number;
      row[column] =
        absences.find(({ fill }) => !Number.isNaN(fill))?.fill ?? middleOf(fields[column] as Field);
    }
  }
}

/** What all absences of a column ask together; undefined where they contradict each other. */
function presenceOf(
  column: number,
  absences: readonly Absence[],
  codeOf: (other: number) => number,
): Presence | undefined {
  const asked = new Set(
    absences
      .filter((absence) => absence.column === column)
      .map((absence) => impliedPresence(absence, codeOf(absence.other))),
  );
  if (asked.has('missing')) return asked.has('present') ? undefined : 'missing';
  return asked.has('present') ? 'present' : 'either';
}

function listKeeping(fields: readonly Field[], { columns, rows }: Combinations, within: readonly Absence[]) {
  const kept = rows.filter((row) =>
    within.every((absence) =>
      fits(
        row[columns.indexOf(absence.column)] as number,
        impliedPresence(absence, row[columns.indexOf(absence.other)] as number),
      ),
    ),
  );
  if (kept.length === 0)
    throw new InvalidTableSchema(
      undefined,
      `no fixed combination of ${namesOf(fields, columns).join(', ')} keeps impliedMissing, too; correct one of the two`,
    );
  return { rows: kept, nearest: nearestIn({ columns, rows: kept }) };
}

/** Whatever the columns on which it depends say, the group has values; theirs are all that their own lists allow. */
function assertAlwaysPossible(fields: readonly Field[], groups: readonly Group[], group: Group): void {
  let states: ReadonlyMap<number, number>[] = [new Map()];
  for (const parent of groups) {
    const others = parent.columns.filter((column) => group.absences.some(({ other }) => other === column));
    if (others.length === 0) continue;
    const distinct = new Map<string, ReadonlyMap<number, number>>();
    for (const state of statesOf(fields, parent, others)) distinct.set(keyOf(state.values()), state);
    if (states.length * distinct.size > MAX_STATES)
      throw new InvalidTableSchema(
        undefined,
        `whether ${namesOf(fields, group.columns).join(', ')} may be missing depends on more than ${MAX_STATES} states of other columns; leave out some impliedMissing`,
      );
    states = states.flatMap((state) => [...distinct.values()].map((other) => new Map([...state, ...other])));
  }
  const rows = group.list?.rows;
  for (const state of states) {
    const presences = group.columns.map((column) =>
      presenceOf(column, group.absences, (other) => state.get(other) as number),
    );
    const possible =
      rows === undefined
        ? presences[0] !== undefined
        : rows.some((row) => row.every((code, i) => presences[i] !== undefined && fits(code, presences[i])));
    if (possible) continue;
    const numbers = group.absences.map(({ index }) => `#${index + 1}`).join(', ');
    const names = namesOf(fields, group.columns).join(', ');
    throw new InvalidTableSchema(
      group.columns.length === 1 ? fields[group.columns[0] as number]?.name : undefined,
      `impliedMissing ${numbers}: for some values of the columns in "when" nothing is left for ${names}; correct one of them, or list which values go together (fixedCombinations)`,
    );
  }
}

/** The joint codes that a group can have in some of its columns. */
function statesOf(
  fields: readonly Field[],
  { columns, list }: Group,
  wanted: readonly number[],
): ReadonlyMap<number, number>[] {
  if (list !== undefined)
    return list.rows.map(
      (row) => new Map(wanted.map((column) => [column, row[columns.indexOf(column)] as number])),
    );
  const column = wanted[0] as number;
  const field = fields[column] as Field;
  // Of a range it matters only whether it is there.
  const codes = field.domain === 'categories' ? field.categories.map((_, index) => index) : [field.minimum];
  if (!field.required) codes.push(Number.NaN);
  return codes.map((code) => new Map([[column, code]]));
}

function middleOf(field: Field): number {
  if (field.domain === 'categories') return 0;
  const half = (field.maximum - field.minimum) / 2;
  return field.minimum + (field.type === 'number' ? half : Math.floor(half));
}

function namesOf(fields: readonly Field[], columns: readonly number[]): string[] {
  return columns.map((column) => `"${fields[column]?.name}"`);
}
