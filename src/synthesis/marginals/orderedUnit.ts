import type { Block } from '../table/encoding.js';
import { cellOfNumber } from '../table/encoding.js';
import { cutsOf, type Placed, placedPieces, placeOf } from './atoms.js';
import { drawPieces, orderedLaw, weighed } from './orderedLaw.js';
import { orderedValues } from './orderedValues.js';
import type { Order } from './ordering.js';
import { type Pieces, wholePieces } from './pieces.js';
import type { BlockCells, ColumnCells, GivenOrdinals, Unit } from './units.js';

/** Shares are raised by so much of an even one: what a constraint allows is never out of reach for want of a count. */
const EVEN = 1e-6;
/** Tuples of cells whose weights are kept while rows are drawn. */
const KEPT_TUPLES = 4096;

/** A column's placed pieces by its model cell. */
type PlacedColumn = readonly (readonly Placed[])[];

/**
 * Columns in an order of inequalities. Given their cells of the model, each column's pieces have their shares, on condition that the
 * inequalities hold: a Markov law on the tree of inequalities, whose sums and draws are exact, without rejection (Koller and
 * Friedman 2009, section 10.2). Which of two values is larger is known where they lie in different intervals of all borders
 * (atoms.ts); where they lie in one, the smaller is drawn first (orderedValues.ts).
 * @param parts of each column of the order, pieces that conditions keep apart.
 */
export function orderedUnit(
  blocks: readonly Block[],
  order: Order,
  allCells: readonly ColumnCells[],
  parts: readonly (readonly Pieces[])[] = [],
): Unit {
  const { columns } = order;
  const own = columns.map((column) => blocks[column] as Block);
  const cells = columns.map((column) => raised(allCells[column] as ColumnCells));
  const sizes = cells.map((column) => column.cells);
  const cuts = cutsOf(own, parts);
  const law = orderedLaw(own, order, cuts);
  const placed = (pieces: readonly Pieces[]): readonly PlacedColumn[] =>
    own.map((block, i) => {
      const { cellOf, shares } = cells[i] as ColumnCells;
      return placedPieces(block, pieces[i] as Pieces, cellOf, shares, cuts);
    });
  const whole = placed(own.map(wholePieces));
  const massesOf = (pieces: readonly PlacedColumn[]): Float64Array =>
    Float64Array.from({ length: sizes.reduce((product, size) => product * size, 1) }, (_, tuple) => {
      const mine = piecesIn(pieces, tupleOf(tuple, sizes));
      if (mine.some((column) => column.length === 0)) return 0;
      const [root] = weighed(law, mine);
      return (root as Float64Array).reduce((sum, weight) => sum + weight, 0);
    });
  let all: Float64Array | undefined;
  const masses = (): Float64Array => {
    all ??= massesOf(whole);
    return all;
  };
  const relative = (pieces: readonly PlacedColumn[]): Float64Array =>
    massesOf(pieces).map((mass, tuple) => (mass > 0 ? mass / (masses()[tuple] as number) : 0));
  const givenPiece = (i: number, ordinal: number): Placed => {
    const block = own[i] as Block;
    const isNone = Number.isNaN(ordinal);
    const fine = isNone ? block.cells - 1 : cellOfNumber(block, block.edges as readonly number[], ordinal);
    return {
      piece: { fine, from: 0, to: 1, weight: 1 },
      place: isNone ? -1 : placeOf(cuts, ordinal),
      ...{ mass: 1, value: isNone ? undefined : ordinal },
    };
  };
  const withGiven = (pieces: readonly PlacedColumn[], given: GivenOrdinals): readonly PlacedColumn[] =>
    pieces.map((column, i) => {
      const ordinal = given[i];
      if (ordinal === undefined) return column;
      const piece = givenPiece(i, ordinal);
      return column.map((_, cell) => (cells[i]?.cellOf[piece.piece.fine] === cell ? [piece] : []));
    });

  const unit: Unit = {
    columns,
    isPossible: (tuple) => (masses()[tuple] as number) > 0,
    mass: (pieces) => relative(placed(pieces)),
    massGiven: (given) => relative(withGiven(whole, given)),
    refined: (more) =>
      more.every((pieces) => pieces.length === 0) ? unit : orderedUnit(blocks, order, allCells, more),
    drawer(pieces) {
      const open = placed(pieces);
      const kept = new Map<number, readonly Float64Array[]>();
      return (block, strata, given) => {
        const tuples = tuplesIn(block, columns, sizes);
        const uniforms = columns.map((column) => strata(tuples, column));
        const at = (row: number, i: number) => row * blocks.length + (columns[i] as number);
        for (let row = 0; row < block.rows; row++) {
          const known = given?.(row);
          const mine = piecesIn(
            known === undefined ? open : withGiven(open, known),
            tupleOf(tuples[row] as number, sizes),
          );
          const drawn = drawPieces(
            law,
            mine,
            known === undefined
              ? keptWeights(kept, tuples[row] as number, () => weighed(law, mine))
              : weighed(law, mine),
            uniforms.map((column) => column[row] as number),
          );
          const within = columns.map((_, i) => block.within[at(row, i)] as number);
          const values = drawn && orderedValues(own, order, cuts, drawn, within);
          if (drawn === undefined || values === undefined) throw new NoRoom(row);
          drawn.forEach(({ piece: { fine, from, to } }, i) => {
            block.fine[at(row, i)] = fine;
            block.within[at(row, i)] = from + (to - from) * (within[i] as number);
            block.ordinals[at(row, i)] = values[i] as number;
          });
        }
      };
    },
  };
  return unit;
}

/** Given values of a row leave no values for the others of the order. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
  constructor(readonly row: number) {
    super(`row ${row}: no values in order are left`);
  }
}

function keptWeights(
  kept: Map<number, readonly Float64Array[]>,
  tuple: number,
  weigh: () => readonly Float64Array[],
): readonly Float64Array[] {
  const found = kept.get(tuple) ?? weigh();
  if (kept.size < KEPT_TUPLES) kept.set(tuple, found);
  return found;
}

function raised({ cellOf, cells, shares }: ColumnCells): ColumnCells {
  const sizes = new Float64Array(cells);
  for (const cell of cellOf) sizes[cell] = (sizes[cell] as number) + 1;
  return {
    ...{ cellOf, cells },
    shares: shares.map((share, k) => (1 - EVEN) * share + EVEN / (sizes[cellOf[k] as number] as number)),
  };
}

function piecesIn(
  columns: readonly PlacedColumn[],
  tuple: readonly number[],
): readonly (readonly Placed[])[] {
  return columns.map((column, i) => column[tuple[i] as number] as readonly Placed[]);
}

/** The cells of a row-major tuple. */
function tupleOf(index: number, sizes: readonly number[]): number[] {
  const out = new Array<number>(sizes.length).fill(0);
  let rest = index;
  for (let i = sizes.length - 1; i >= 0; i--) {
    out[i] = rest % (sizes[i] as number);
    rest = Math.floor(rest / (sizes[i] as number));
  }
  return out;
}

function tuplesIn(
  { rows, cells }: BlockCells,
  columns: readonly number[],
  sizes: readonly number[],
): Int32Array {
  const width = cells.length / rows;
  return Int32Array.from({ length: rows }, (_, row) =>
    columns.reduce(
      (index, column, i) => index * (sizes[i] as number) + (cells[row * width + column] as number),
      0,
    ),
  );
}
