import { z } from 'zod';
import { formatCalendar } from '../synthesis/table/calendar.js';
import { tableEncoding } from '../synthesis/table/encoding.js';
import type { RangeField, TableSchema } from '../synthesis/table/schema.js';
import { codeOf } from './codes.js';

export interface ColumnNames {
  readonly name: string;
  /** The schema's title of the field, or its name. */
  readonly title: string;
}

/** What a fidelity measure sees of one column: public categories or bins, and one cell for missing if it may be. */
export interface ColumnCells extends ColumnNames {
  readonly kind: 'categories' | 'bins';
  readonly labels: readonly string[];
  /** The cell of a row's value, or −1 where the schema does not allow it. */
  readonly cellOf: (value: unknown) => number;
}

export const MISSING_LABEL = 'missing';

const titlesJson = z.object({ fields: z.array(z.object({ title: z.string().optional() })) });

export function columnNames(schema: TableSchema): ColumnNames[] {
  const titles = titlesJson.safeParse(schema.json);
  return schema.fields.map(({ name }, index) => ({ name, title: titles.data?.fields[index]?.title ?? name }));
}

/**
 * The columns of a schema in its order, on the same cells as the synthesizers' row vectors. What a cell is depends
 * on the public schema alone, never on rows.
 */
export function columnCells(schema: TableSchema): ColumnCells[] {
  const names = columnNames(schema);
  return tableEncoding(schema).blocks.map((block, index): ColumnCells => {
    const { field, edges, cells } = block;
    const values =
      field.domain === 'categories' ? field.categories.map(String) : binLabels(field, edges ?? []);
    const code = codeOf(field);
    return {
      ...names[index]!,
      kind: field.domain === 'categories' ? 'categories' : 'bins',
      labels: field.required ? values : [...values, MISSING_LABEL],
      cellOf: (value) => {
        const found = code(value);
        if (found === undefined) return -1;
        if (Number.isNaN(found)) return cells - 1;
        return edges === undefined ? found : binAt(edges, found);
      },
    };
  });
}

function binAt(edges: readonly number[], ordinal: number): number {
  let cell = 0;
  while (cell < edges.length - 2 && ordinal >= edges[cell + 1]!) cell++;
  return cell;
}

/** A number, or a date as it is written. */
export function ordinalText({ type }: RangeField, ordinal: number): string {
  return String(type === 'number' || type === 'integer' ? ordinal : formatCalendar(type, ordinal));
}

/** "80–99" for whole values, "1.5 – <2" for real ones; the last bin is closed. */
function binLabels(field: RangeField, edges: readonly number[]): string[] {
  const { type } = field;
  const text = (ordinal: number): string => ordinalText(field, ordinal);
  const join = type === 'date' || type === 'yearmonth' ? ' – ' : '–';
  return edges.slice(0, -1).map((low, index) => {
    const high = edges[index + 1]!;
    const last = index === edges.length - 2;
    if (type === 'number') return `${text(low)} – ${last ? '' : '<'}${text(high)}`;
    const highest = last ? high : high - 1;
    return highest === low ? text(low) : `${text(low)}${join}${text(highest)}`;
  });
}
