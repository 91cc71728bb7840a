import { z } from 'zod';
import { canonicalJson, type Json } from '../../crypto/canonical.js';
import { MalformedBytes } from '../errors.js';
import type { TableEncoding } from '../table/encoding.js';
import { MAX_SCALE } from './weights.js';

/**
 * What one sum counts: each marginal adds `weight` to one cell for each record. A public document, made of what earlier sums
 * gave, that a query names by digest; every participant reads it before it looks at a record.
 */
export interface Measured {
  readonly version: 1;
  /**
   * Coarser cells of the columns, several a column if need be: for each fine cell the coarse one that it is in, 0, 1, …
   */
  readonly maps: readonly { readonly column: number; readonly cells: readonly number[] }[];
  /** In the order of their cells in the sum, row-major over `axes`. */
  readonly marginals: readonly Marginal[];
}

export interface Marginal {
  /** Of each attribute a column's fine cells, or an index into `maps`. */
  readonly axes: readonly Axis[];
  /** A whole number: the sum is then exact, and a record's vector has norm √Σ weight². */
  readonly weight: number;
}

export type Axis = { readonly column: number } | { readonly map: number };

const MOST_MARGINALS = 4096;
/** A document is read before it is known to be honest. */
export const MAX_DOCUMENT_BYTES = 4 * 2 ** 20;

const index = z.number().int().min(0);
/** The length first: zod lists what is wrong with every item, of a million too. */
const listOf = <T extends z.ZodType>(least: number, most: number, item: T) =>
  z
    .custom<readonly unknown[]>((list) => Array.isArray(list) && list.length >= least && list.length <= most)
    .pipe(z.array(item));
const cells = z.custom<readonly number[]>(
  (list) =>
    Array.isArray(list) && list.every((cell) => Number.isInteger(cell) && cell >= 0 && cell <= 65_535),
);
const measuredJson = z.strictObject({
  version: z.literal(1),
  maps: listOf(0, MOST_MARGINALS, z.strictObject({ column: index, cells })),
  marginals: listOf(
    0,
    MOST_MARGINALS,
    z.strictObject({
      axes: listOf(1, 2, z.union([z.strictObject({ column: index }), z.strictObject({ map: index })])),
      weight: z.number().int().min(1).max(MAX_SCALE),
    }),
  ),
});

export function encodeMeasured(measured: Measured): Uint8Array {
  return new TextEncoder().encode(canonicalJson(measured as unknown as Json));
}

/**
 * Reads a document that came from the coordinator, who may lie: whatever it says, a record moves the sum by at most `scale`.
 * @throws MalformedBytes
 */
export function decodeMeasured(bytes: Uint8Array, fine: TableEncoding, scale: number): Measured {
  if (bytes.length > MAX_DOCUMENT_BYTES)
    throw new MalformedBytes(`the measurements take more than ${MAX_DOCUMENT_BYTES} bytes`);
  return measuredOf(jsonOf(bytes), fine, scale);
}

/** @throws MalformedBytes */
export function measuredOf(json: unknown, fine: TableEncoding, scale: number): Measured {
  const parsed = measuredJson.safeParse(json);
  if (!parsed.success) throw new MalformedBytes('the measurements are not of the form that they have');
  const measured: Measured = parsed.data;
  for (const { column, cells } of measured.maps)
    if (cells.length !== fine.blocks[column]?.cells)
      throw new MalformedBytes('a map has not one entry for each cell of its column');
  for (const { axes } of measured.marginals) {
    for (const axis of axes)
      if ('map' in axis ? measured.maps[axis.map] === undefined : fine.blocks[axis.column] === undefined)
        throw new MalformedBytes('a marginal names a column or a map that is not there');
    if (axes.length === 2 && columnOf(measured, axes[0] as Axis) === columnOf(measured, axes[1] as Axis))
      throw new MalformedBytes('a marginal names a column twice');
  }
  const square = measured.marginals.reduce((sum, { weight }) => sum + weight ** 2, 0);
  if (square > scale ** 2)
    throw new MalformedBytes(`the weights allow a record to move the sum by more than ${scale}`);
  return measured;
}

export function columnOf({ maps }: Pick<Measured, 'maps'>, axis: Axis): number {
  return 'map' in axis ? (maps[axis.map] as Measured['maps'][number]).column : axis.column;
}

export function sizeOf({ maps }: Pick<Measured, 'maps'>, axis: Axis, fine: TableEncoding): number {
  if ('column' in axis) return fine.blocks[axis.column]?.cells ?? 0;
  return (maps[axis.map] as Measured['maps'][number]).cells.reduce(
    (most, cell) => Math.max(most, cell + 1),
    0,
  );
}

/** Cells of one marginal. */
export function cellsOfMarginal(
  measured: Pick<Measured, 'maps'>,
  { axes }: Marginal,
  fine: TableEncoding,
): number {
  return axes.reduce((product, axis) => product * sizeOf(measured, axis, fine), 1);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
