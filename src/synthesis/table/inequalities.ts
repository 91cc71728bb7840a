import { InvalidTableSchema } from '../errors.js';
import type { CodedRow } from './codedRow.js';
import { topologicalOrder } from './dependencies.js';
import type { Field, RangeField } from './field.js';

/** One inequality between two fields, by their indices. */
export interface Less {
  readonly low: number;
  readonly high: number;
  readonly strict: boolean;
}

/** All inequalities of a schema: a directed graph without cycles. */
export interface Ordering {
  readonly inequalities: readonly Less[];
  /** Indices of the compared fields, each after all that must not exceed it. */
  readonly order: readonly number[];
  readonly fields: readonly Field[];
}

/** @throws InvalidTableSchema where inequalities form a circle, or bounds leave no values that keep them all. */
export function orderingOf(fields: readonly Field[], inequalities: readonly Less[]): Ordering {
  const compared = [...new Set(inequalities.flatMap(({ low, high }) => [low, high]))];
  const dependencies = inequalities.map(({ low, high }) => ({ before: low, after: high }));
  const { order, cyclic } = topologicalOrder(compared, dependencies);
  if (cyclic.length > 0) {
    const names = cyclic.map((index) => `"${fields[index]?.name}"`).join(', ');
    throw new InvalidTableSchema(
      undefined,
      `the inequalities form a circle among ${names}; leave one of them out`,
    );
  }
  const ordering = { inequalities, order, fields };
  const highest = ceilings(ordering, () => true);
  for (const index of order) {
    const field = rangeAt(ordering, index);
    if ((highest.get(index) as number) < field.minimum)
      throw new InvalidTableSchema(
        field.name,
        'no value within its bounds keeps the inequalities that begin at it; widen the bounds or leave one out',
      );
  }
  return ordering;
}

/** Whether it holds; it does where one of the two is missing (NaN compares with nothing). */
export function holds({ low, high, strict }: Less, row: CodedRow): boolean {
  return !exceeds(row[low] as number, row[high] as number, strict);
}

function exceeds(below: number, above: number, strict: boolean): boolean {
  return strict ? below >= above : below > above;
}

/**
 * Moves present values so that all inequalities hold, within bounds, and changes nothing where they do. Where two are
 * the wrong way round they change places if each suits the other's bounds and type; what is still wrong is raised to
 * the value below it, after a value was lowered where the bounds above it leave no room.
 */
export function putInOrder(ordering: Ordering, row: CodedRow): void {
  const { inequalities, order } = ordering;
  // Each exchange takes away an inversion with regard to `order`, so they come to an end.
  for (let moved = true; moved; ) {
    moved = false;
    for (const { low, high } of inequalities) {
      const below = row[low] as number;
      const above = row[high] as number;
      if (!(below > above)) continue;
      if (!suits(rangeAt(ordering, low), above) || !suits(rangeAt(ordering, high), below)) continue;
      row[low] = above;
      row[high] = below;
      moved = true;
    }
  }
  if (inequalities.every((inequality) => holds(inequality, row))) return;
  const highest = ceilings(ordering, (index) => !Number.isNaN(row[index] as number));
  for (const index of order) {
    const ceiling = highest.get(index);
    if (ceiling === undefined) continue;
    let value = Math.min(row[index] as number, ceiling);
    for (const { low, high, strict } of inequalities)
      if (high === index && exceeds(row[low] as number, value, strict))
        value = Math.min(atLeast(rangeAt(ordering, index), row[low] as number, strict), ceiling);
    row[index] = value;
  }
}

/** Of each field that takes part the highest value from which all inequalities above it can still be kept. */
function ceilings(ordering: Ordering, takesPart: (index: number) => boolean): ReadonlyMap<number, number> {
  const highest = new Map<number, number>();
  for (const index of [...ordering.order].reverse()) {
    if (!takesPart(index)) continue;
    const field = rangeAt(ordering, index);
    let ceiling = field.maximum;
    for (const { low, high, strict } of ordering.inequalities) {
      const above = low === index ? highest.get(high) : undefined;
      if (above !== undefined) ceiling = Math.min(ceiling, atMost(field, above, strict));
    }
    highest.set(index, ceiling);
  }
  return highest;
}

/** The least value of the field's type that is ≥ `value`, or > `value` where strict. */
function atLeast(field: RangeField, value: number, strict: boolean): number {
  if (field.type === 'number') return strict ? value + grain(field, value) : value;
  return strict ? Math.floor(value) + 1 : Math.ceil(value);
}

/** The greatest value of the field's type that is ≤ `value`, or < `value` where strict. */
function atMost(field: RangeField, value: number, strict: boolean): number {
  if (field.type === 'number') return strict ? value - grain(field, value) : value;
  return strict ? Math.ceil(value) - 1 : Math.floor(value);
}

/**
 * How far two real values are moved apart: about a millionth of the range, a power of ten, so that no digits are claimed
 * that nobody measured; but never so little that a double cannot tell them apart (|value|·2⁻⁵² is at least its last digit).
 */
function grain({ minimum, maximum }: RangeField, value: number): number {
  const millionth = 10 ** (Math.floor(Math.log10(maximum - minimum)) - 6);
  return Math.max(millionth, Math.abs(value) * 2 ** -52, Number.MIN_VALUE);
}

function suits({ type, minimum, maximum }: RangeField, value: number): boolean {
  return value >= minimum && value <= maximum && (type === 'number' || Number.isInteger(value));
}

function rangeAt({ fields }: Ordering, index: number): RangeField {
  return fields[index] as RangeField;
}
