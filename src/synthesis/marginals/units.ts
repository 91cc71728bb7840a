import type { Rng } from '../../crypto/rng.js';
import { uniforms } from '../randomness.js';
import type { TableEncoding } from '../table/encoding.js';
import type { Piece, Pieces } from './pieces.js';

/** Cells of a block of rows: row-major over the table's columns. */
export interface BlockCells {
  readonly rows: number;
  /** The model's. */
  readonly cells: Uint16Array;
  readonly fine: Uint16Array;
  /** Where in its fine cell a number or date lies, in [0, 1). */
  readonly within: Float64Array;
  /** The value itself, as an ordinal, where it is not `within` that says it; else NaN. */
  readonly ordinals: Float64Array;
}

/** A uniform for each row, for the choice of a column's fine cell; rows of one group choose from the same ones. */
export type Strata = (groups: Int32Array, column: number) => Float64Array;
/** Of a row, the ordinals of those of the unit's columns that are given: NaN is missing, undefined is to be drawn. */
export type GivenOrdinals = readonly (number | undefined)[];
export type Drawer = (
  block: BlockCells,
  strata: Strata,
  given?: (row: number) => GivenOrdinals | undefined,
) => void;

/**
 * Columns whose values, once a row has its cells of the model, are drawn together and apart from all others: one, or several that are
 * in an order (orderedUnit.ts). A column's fine cells have the shares that the noisy one-ways say.
 */
export interface Unit {
  readonly columns: readonly number[];
  /**
   * How likely what the pieces let through is, in each tuple of the columns' cells: 1 for all pieces of weight 1.
   * @param pieces one a column of the unit.
   * @returns row-major over the columns' model cells.
   */
  mass(pieces: readonly Pieces[]): Float64Array;
  /** Whether any values keep the order in a tuple of cells, by its row-major index; of a unit of one column they always do. */
  isPossible?(tuple: number): boolean;
  /** `mass`, of one value each of the columns that are given; of a unit of one column there is nothing to know. */
  massGiven?(given: GivenOrdinals): Float64Array;
  /** The same unit, in which pieces that conditions keep apart are apart. @param parts of each of its columns. */
  refined(parts: readonly (readonly Pieces[])[]): Unit;
  /** Rows get their fine cells, and where in them their values lie. */
  drawer(pieces: readonly Pieces[]): Drawer;
}

/** Fine cells of one column: the model's cell of each, and its share of that cell. */
export interface ColumnCells {
  readonly cellOf: readonly number[];
  readonly cells: number;
  readonly shares: Float64Array;
}

export function columnUnit(column: number, { cellOf, cells, shares }: ColumnCells): Unit {
  const unit: Unit = {
    columns: [column],
    refined: () => unit,
    mass([pieces]) {
      const out = new Float64Array(cells);
      for (const piece of (pieces as Pieces).flat()) {
        const cell = cellOf[piece.fine] as number;
        out[cell] = (out[cell] as number) + massOf(piece, shares);
      }
      return out;
    },
    drawer([pieces]) {
      const choices = choicesOf(pieces as Pieces, cellOf, cells, shares);
      return (block, strata) => drawColumn(column, choices, block, strata);
    },
  };
  return unit;
}

export function massOf({ fine, from, to, weight }: Piece, shares: Float64Array): number {
  return (shares[fine] as number) * (to - from) * weight;
}

/** The pieces of one cell of the model, and their running shares of its mass, which end with 1. */
interface Choice {
  readonly pieces: readonly Piece[];
  readonly below: Float64Array;
}

function choicesOf(
  pieces: Pieces,
  cellOf: readonly number[],
  cells: number,
  shares: Float64Array,
): readonly Choice[] {
  const groups: Piece[][] = Array.from({ length: cells }, () => []);
  for (const own of pieces)
    for (const piece of own)
      if (massOf(piece, shares) > 0) (groups[cellOf[piece.fine] as number] as Piece[]).push(piece);
  return groups.map((own) => {
    const total = own.reduce((sum, piece) => sum + massOf(piece, shares), 0);
    let below = 0;
    const running = own.map((piece, i) => {
      below += massOf(piece, shares) / total;
      return i === own.length - 1 ? 1 : below;
    });
    return { pieces: own, below: Float64Array.from(running) };
  });
}

/** Of each row's cell one of its pieces, as many of each as its share says. */
function drawColumn(
  column: number,
  choices: readonly Choice[],
  { rows, cells, fine, within }: BlockCells,
  strata: Strata,
): void {
  const columns = cells.length / rows;
  const own = Int32Array.from({ length: rows }, (_, row) => cells[row * columns + column] as number);
  const uniform = strata(own, column);
  for (let row = 0; row < rows; row++) {
    const { pieces, below } = choices[own[row] as number] as Choice;
    let k = 0;
    while ((uniform[row] as number) >= (below[k] as number) && k < pieces.length - 1) k++;
    const { fine: cell, from, to } = pieces[k] as Piece;
    const at = row * columns + column;
    fine[at] = cell;
    within[at] = from + (to - from) * (within[at] as number);
  }
}

/** Before any unit has drawn: every value's uniform is its own. */
export function blockCells({ blocks }: TableEncoding, cells: Uint16Array, rng: Rng): BlockCells {
  return {
    rows: cells.length / blocks.length,
    cells,
    fine: new Uint16Array(cells.length),
    within: uniforms(rng, cells.length),
    ordinals: new Float64Array(cells.length).fill(Number.NaN),
  };
}
