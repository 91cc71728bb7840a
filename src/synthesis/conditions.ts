import { z } from 'zod';
import { InvalidCondition } from './errors.js';
import type { SampleConditions } from './synthesizer.js';
import { type Field, ordinalOf, type RangeType, type TableSchema } from './table/schema.js';

/** Values of one column by the schema: a category's index, or the ordinal of a number or date (schema.ts, `ordinalOf`). */
export interface Allowed {
  /** Of a column of categories; empty for a range. */
  readonly categories: ReadonlySet<number>;
  /** Of a range, disjoint, ascending; empty for categories. */
  readonly intervals: readonly Interval[];
  readonly missing: boolean;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
  /** The bound itself is left out. */
  readonly above: boolean;
  readonly below: boolean;
}

export interface Group {
  /** As it was asked, for messages. */
  readonly text: string;
  readonly allowed: Allowed;
  readonly share: number;
}

/** A request's conditions, checked against the schema; columns by their place in it. */
export interface ParsedConditions {
  readonly where: ReadonlyMap<number, Allowed>;
  readonly balance: { readonly column: number; readonly groups: readonly Group[] } | undefined;
}

/** Most values that one condition lists, as a field has categories. */
const MOST_VALUES = 1024;
/** Shares are written as decimals: so far from 1 they still are the whole. */
export const SHARE_ROUNDING = 1e-9;

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const bound = z.union([z.string(), z.number()]);
const conditionShape = {
  in: z.array(value).min(1).max(MOST_VALUES).optional(),
  from: bound.optional(),
  to: bound.optional(),
  above: bound.optional(),
  below: bound.optional(),
};
const conditionJson = z.strictObject(conditionShape);
const shareJson = z.strictObject({ ...conditionShape, value: value.optional(), share: z.number().min(0) });
const conditionsJson = z.strictObject({
  where: z.record(z.string(), conditionJson).optional(),
  balance: z
    .strictObject({ column: z.string(), shares: z.array(shareJson).min(1).max(MOST_VALUES) })
    .optional(),
});
type ConditionJson = z.infer<typeof conditionJson>;

/** The form alone, of a JSON value from outside. @throws InvalidCondition */
export function readConditions(input: unknown): SampleConditions {
  const parsed = conditionsJson.safeParse(input);
  if (parsed.success) return parsed.data as SampleConditions;
  const [issue] = parsed.error.issues;
  const at = issue?.path.map(String) ?? [];
  throw new InvalidCondition(
    'malformed',
    at[0] === 'where' ? at[1] : undefined,
    `${at.join('.') || 'the request'}: ${issue?.message ?? 'is not valid'}`,
  );
}

/**
 * Every value is held against the schema: one that it does not have is refused rather than never drawn.
 * @throws InvalidCondition
 */
export function parseConditions(schema: TableSchema, input: SampleConditions): ParsedConditions {
  const { where = {}, balance } = readConditions(conditionsOf(input));
  return {
    where: new Map(
      Object.entries(where).map(([name, condition]) => {
        const column = columnOf(schema, name);
        return [column, allowedOf(schema.fields[column] as Field, condition as ConditionJson)];
      }),
    ),
    balance: balance === undefined ? undefined : groupsOf(schema, balance as BalanceJson),
  };
}
type BalanceJson = NonNullable<z.infer<typeof conditionsJson>['balance']>;

/** The conditions of a request, without what else it says. */
export function conditionsOf({ where, balance }: SampleConditions): SampleConditions {
  return { ...(where !== undefined && { where }), ...(balance !== undefined && { balance }) };
}

export function isConditional({ where, balance }: SampleConditions): boolean {
  return balance !== undefined || Object.keys(where ?? {}).length > 0;
}

export function columnOf({ fields }: TableSchema, name: string): number {
  const column = fields.findIndex((field) => field.name === name);
  if (column >= 0) return column;
  const known = fields.map((field) => field.name).join(', ');
  throw new InvalidCondition('outside-schema', name, `there is no such column; there are: ${known}`);
}

function groupsOf(schema: TableSchema, { column: name, shares }: BalanceJson): ParsedConditions['balance'] {
  const column = columnOf(schema, name);
  const field = schema.fields[column] as Field;
  const groups = shares.map(({ value: single, share, ...condition }): Group => {
    const text = JSON.stringify(single === undefined ? condition : single);
    if (single === undefined) return { text, allowed: allowedOf(field, condition), share };
    if (Object.keys(condition).length > 0)
      throw new InvalidCondition('malformed', name, 'a share is of one value or of a condition, not of both');
    return { text, allowed: allowedOf(field, { in: [single] }), share };
  });
  groups.forEach(({ allowed }, i) => {
    if (groups.some((other, j) => j < i && overlap(other.allowed, allowed)))
      throw new InvalidCondition('malformed', name, 'a value has two shares; give it one');
  });
  const total = groups.reduce((sum, { share }) => sum + share, 0);
  if (!(total <= 1 + SHARE_ROUNDING) || total === 0)
    throw new InvalidCondition(
      'malformed',
      name,
      `the shares add up to ${total}; they are parts of 1, and what they leave is for all other values`,
    );
  return { column, groups };
}

function allowedOf(field: Field, condition: ConditionJson): Allowed {
  const { in: listed, ...bounds } = condition;
  const isRange = Object.keys(bounds).length > 0;
  const refuse = (message: string) => new InvalidCondition('malformed', field.name, message);
  if (listed === undefined && !isRange) throw refuse('needs in, or one of from, to, above, below');
  if (listed !== undefined && isRange) throw refuse('has in and a range; give one of them');
  if (isRange) return { ...within(field, intervalOf(field, bounds)), missing: false };
  const places = (listed ?? []).map((item) => placeOf(field, item));
  const present = [...new Set(places.filter((place) => place !== undefined))].sort((a, b) => a - b);
  const missing = places.includes(undefined);
  return field.domain === 'categories'
    ? { categories: new Set(present), intervals: [], missing }
    : {
        categories: new Set(),
        intervals: present.map((place) => ({ low: place, high: place, above: false, below: false })),
        missing,
      };
}

function intervalOf(field: Field, { from, to, above, below }: Omit<ConditionJson, 'in'>): Interval {
  const refuse = (message: string) => new InvalidCondition('malformed', field.name, message);
  if ((from !== undefined && above !== undefined) || (to !== undefined && below !== undefined))
    throw refuse('has the same bound twice, with and without itself; give one');
  const low = above ?? from;
  const high = below ?? to;
  return {
    low: low === undefined ? -Infinity : ordinalIn(field, low),
    high: high === undefined ? Infinity : ordinalIn(field, high),
    above: above !== undefined,
    below: below !== undefined,
  };
}

/** Of a range, or of categories that have an order: numbers and dates that are listed. */
function within(field: Field, interval: Interval): Omit<Allowed, 'missing'> {
  if (field.domain === 'categories') {
    const categories = new Set<number>();
    field.categories.forEach((category, index) => {
      const ordinal = typeof category === 'number' ? category : ordinalIn(field, category as string);
      if (holds(interval, ordinal)) categories.add(index);
    });
    if (categories.size > 0) return { categories, intervals: [] };
  } else {
    const low = Math.max(interval.low, field.minimum);
    const high = Math.min(interval.high, field.maximum);
    const narrowed: Interval = {
      ...{ low, high },
      ...{ above: interval.above && low === interval.low, below: interval.below && high === interval.high },
    };
    const whole = field.type !== 'number';
    const isEmpty = whole
      ? low + (narrowed.above ? 1 : 0) > high - (narrowed.below ? 1 : 0)
      : low > high || (low === high && (narrowed.above || narrowed.below));
    if (!isEmpty) return { categories: new Set(), intervals: [narrowed] };
  }
  throw new InvalidCondition('outside-schema', field.name, 'no value of the column is within these bounds');
}

export function holds({ low, high, above, below }: Interval, ordinal: number): boolean {
  return (above ? ordinal > low : ordinal >= low) && (below ? ordinal < high : ordinal <= high);
}

function overlap(a: Allowed, b: Allowed): boolean {
  return (
    (a.missing && b.missing) ||
    [...a.categories].some((category) => b.categories.has(category)) ||
    a.intervals.some((x) => b.intervals.some((y) => meet(x, y)))
  );
}

function meet(x: Interval, y: Interval): boolean {
  const low = Math.max(x.low, y.low);
  const high = Math.min(x.high, y.high);
  return low < high || (low === high && holds(x, low) && holds(y, low));
}

/** Index or ordinal of a value as the schema writes it, or as a CSV file does; undefined is missing. */
function placeOf(field: Field, item: string | number | boolean | null): number | undefined {
  const outside = (message: string) => new InvalidCondition('outside-schema', field.name, message);
  const index = field.domain === 'categories' ? categoryOf(field, item) : undefined;
  if (index !== undefined) return index;
  if (item === null || (typeof item === 'string' && field.missingValues.has(item))) {
    if (field.required) throw outside('is required, so it has no missing values');
    return undefined;
  }
  if (field.domain === 'categories') {
    const known = field.categories.slice(0, 12).join(', ');
    throw outside(
      `${JSON.stringify(item)} is none of its categories: ${known}${field.categories.length > 12 ? ', …' : ''}`,
    );
  }
  if (typeof item === 'boolean') throw outside(`a ${field.type} is wanted`);
  const ordinal = ordinalIn(field, item);
  if (ordinal < field.minimum || ordinal > field.maximum)
    throw outside(`${JSON.stringify(item)} is outside its minimum and maximum`);
  return ordinal;
}

function categoryOf(
  field: Extract<Field, { domain: 'categories' }>,
  item: string | number | boolean | null,
): number | undefined {
  if (item === null) return undefined;
  if (field.type === 'boolean' && typeof item === 'boolean') return item ? 1 : 0;
  const numeric = isNumeric(field.type) && typeof item === 'string' && item.trim() !== '';
  return field.indexOf.get(String(numeric ? Number(item) : item));
}

function ordinalIn({ type, name }: Field, item: string | number): number {
  const refuse = () =>
    new InvalidCondition('outside-schema', name, `${JSON.stringify(item)} is not of type ${type}`);
  if (type === 'string' || type === 'boolean')
    throw new InvalidCondition('malformed', name, 'has no order; list values with in');
  const text = typeof item === 'string' && isNumeric(type);
  if (text && item.trim() === '') throw refuse();
  const ordinal = ordinalOf(type as RangeType, text ? Number(item) : item);
  if (ordinal === undefined) throw refuse();
  return ordinal;
}

const isNumeric = (type: Field['type']): boolean => type === 'integer' || type === 'number';
