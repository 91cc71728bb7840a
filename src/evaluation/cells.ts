import { z } from 'zod';
import { formatCalendar } from '../synthesis/table/calendar.js';
import { type Block, tableEncoding } from '../synthesis/table/encoding.js';
import {
  type CategoricalField,
  ordinalOf,
  type RangeField,
  type TableSchema,
} from '../synthesis/table/schema.js';

/** What a fidelity measure sees of one column: public categories or bins, and one cell for missing if it may be. */
export interface ColumnCells {
  readonly name: string;
  /** The schema's title of the field, or its name. */
  readonly title: string;
  readonly kind: 'categories' | 'bins';
  readonly labels: readonly string[];
  /** The cell of a row's value, or −1 where the schema does not allow it. */
  readonly cellOf: (value: unknown) => number;
}

export const MISSING_LABEL = 'missing';

const titlesJson = z.object({ fields: z.array(z.object({ title: z.string().optional() })) });

/**
 * The columns of a schema in its order, on the same cells as the synthesizers' row vectors. What a cell is depends
 * on the public schema alone, never on rows.
 */
export function columnCells(schema: TableSchema): ColumnCells[] {
  const titles = titlesJson.safeParse(schema.json);
  return tableEncoding(schema).blocks.map((block, index): ColumnCells => {
    const { field, edges } = block;
    const values =
      field.domain === 'categories' ? field.categories.map(String) : binLabels(field, edges ?? []);
    const cellOf = field.domain === 'categories' ? categoryOf(field) : binOf(field, edges ?? []);
    return {
      name: field.name,
      title: titles.data?.fields[index]?.title ?? field.name,
      kind: field.domain === 'categories' ? 'categories' : 'bins',
      labels: field.required ? values : [...values, MISSING_LABEL],
      cellOf: (value) => (value === null ? missingCell(block) : cellOf(value)),
    };
  });
}

const missingCell = ({ field, cells }: Block): number => (field.required ? -1 : cells - 1);

function categoryOf({ categories, type }: CategoricalField): (value: unknown) => number {
  const cells = new Map<unknown, number>(categories.map((category, index) => [category, index]));
  // A number's text is another value than the number, except for years, which files write as text.
  return (value) => cells.get(type === 'year' && typeof value === 'string' ? Number(value) : value) ?? -1;
}

function binOf({ type, minimum, maximum }: RangeField, edges: readonly number[]): (value: unknown) => number {
  return (value) => {
    if (typeof value !== 'number' && typeof value !== 'string') return -1;
    const ordinal = ordinalOf(type, value);
    if (ordinal === undefined || ordinal < minimum || ordinal > maximum) return -1;
    let cell = 0;
    while (cell < edges.length - 2 && ordinal >= edges[cell + 1]!) cell++;
    return cell;
  };
}

/** "80–99" for whole values, "1.5 – <2" for real ones; the last bin is closed. */
function binLabels({ type }: RangeField, edges: readonly number[]): string[] {
  const text = (ordinal: number): string =>
    String(type === 'number' || type === 'integer' ? ordinal : formatCalendar(type, ordinal));
  const join = type === 'date' || type === 'yearmonth' ? ' – ' : '–';
  return edges.slice(0, -1).map((low, index) => {
    const high = edges[index + 1]!;
    const last = index === edges.length - 2;
    if (type === 'number') return `${text(low)} – ${last ? '' : '<'}${text(high)}`;
    const highest = last ? high : high - 1;
    return highest === low ? text(low) : `${text(low)}${join}${text(highest)}`;
  });
}
