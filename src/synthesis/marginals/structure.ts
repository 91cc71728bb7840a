import { InvalidOptions } from '../errors.js';
import type { Block, TableEncoding } from '../table/encoding.js';
import type { CategoryValue, TableConstraint, TableSchema } from '../table/schema.js';
import { cellsIn, domainOf } from './model/domain.js';
import type { StructuralZeros } from './model/model.js';
import { cellsOf } from './model/triangulation.js';
import type { MarginalsOptions } from './options.js';
import { orderedUnit } from './orderedUnit.js';
import { ordersOf } from './ordering.js';
import { type ColumnCells, columnUnit, type Unit } from './units.js';

/**
 * What a schema's constraints (table/constraints.ts) make of the model, all of it public: sets of columns that a clique must hold, with
 * the tuples of their cells that no row may have, and columns that are drawn together within their cells.
 */
export interface Structure {
  readonly units: readonly Unit[];
  readonly structuralZeros: readonly StructuralZeros[];
}

/** Cells of eight bytes that fitting holds for each of the model's (estimation.ts), and the release and its plan after it. */
const COPIES = 6;

/** Sets of columns that one constraint, or one order of inequalities, is about. */
export function constrainedSets(schema: TableSchema): readonly (readonly number[])[] {
  const place = placeIn(schema);
  const sets = ordersOf(schema).map(({ columns }): readonly number[] => columns);
  return [
    ...sets,
    ...schema.constraints.flatMap((constraint): (readonly number[])[] => {
      if (constraint.type === 'fixedCombinations') return [constraint.columns.map(place)];
      return constraint.type === 'impliedMissing'
        ? [[place(constraint.column), place(constraint.when.column)]]
        : [];
    }),
  ];
}

/** Columns each of whose categories keeps a cell of its own, however rare: a constraint tells them apart. */
export function unmergedColumns(schema: TableSchema): ReadonlySet<number> {
  const place = placeIn(schema);
  return new Set(
    schema.constraints.flatMap((constraint) => {
      if (constraint.type === 'fixedCombinations') return constraint.columns.map(place);
      return constraint.type === 'impliedMissing' ? [place(constraint.when.column)] : [];
    }),
  );
}

/**
 * Hazard D4: before a record is read, what the model must hold whatever the records are.
 * @param most cells of a range in the model.
 * @throws InvalidOptions with the bytes that it would take.
 */
export function assertFits(
  { schema, blocks, width }: TableEncoding,
  { modelCells }: MarginalsOptions,
  most: number,
): void {
  const sets = constrainedSets(schema);
  const domain = domainOf(
    blocks.map(({ edges, cells }) => (edges === undefined ? cells : Math.min(cells, most))),
  );
  const largest = Math.max(width, ...sets.map((set) => cellsIn(domain, set)));
  // A table that is too large on its own need not be triangulated.
  const cells = largest > modelCells ? largest : Math.max(width, cellsOf(domain, sets));
  if (cells <= modelCells) return;
  const set = sets.find((columns) => cellsIn(domain, columns) === largest);
  const what =
    set === undefined || largest === width
      ? 'all columns'
      : set.map((column) => blocks[column]?.field.name).join(', ');
  throw new InvalidOptions(
    'modelCells',
    `must be ${cells} at least, for ${what}: some ${bytesText(8 * COPIES * cells)} while it is fitted; ` +
      `group categories, state fewer bins, leave a constraint out, or allow so much (now ${modelCells} cells, ${bytesText(8 * COPIES * modelCells)})`,
  );
}

function bytesText(bytes: number): string {
  const [unit, size] = bytes < 2 ** 30 ? ['MiB', 2 ** 20] : ['GiB', 2 ** 30];
  return `${(bytes / (size as number)).toPrecision(3)} ${unit}`;
}

/** @param cells of each column: where only the zeros are wanted, with any shares. */
export function structureOf({ schema, blocks }: TableEncoding, cells: readonly ColumnCells[]): Structure {
  const ordered = ordersOf(schema).map((order) => orderedUnit(blocks, order, cells));
  const together = new Set(ordered.flatMap(({ columns }) => columns));
  const single = cells.flatMap((own, column) => (together.has(column) ? [] : [columnUnit(column, own)]));
  const place = placeIn(schema);
  return {
    units: [...single, ...ordered],
    structuralZeros: [
      // Also where there is none: conditions on the columns need a clique that holds them.
      ...ordered.map((unit) =>
        zerosWhere(unit.columns, cells, (_, tuple) => unit.isPossible?.(tuple) === false),
      ),
      ...schema.constraints.flatMap((constraint) => zerosOf(constraint, place, blocks, cells)),
    ],
  };
}

function zerosOf(
  constraint: TableConstraint,
  place: (name: string) => number,
  blocks: readonly Block[],
  cells: readonly ColumnCells[],
): readonly StructuralZeros[] {
  if (constraint.type === 'inequality') return [];
  /** The model's cell of a category; of null that of missing values. */
  const cellOf = (column: number, value: CategoryValue): number => {
    const { field, cells: fine } = blocks[column] as Block;
    const index = value === null ? fine - 1 : field.domain === 'categories' ? categoryOf(field, value) : -1;
    return cells[column]?.cellOf[index] ?? -1;
  };
  if (constraint.type === 'fixedCombinations') {
    const columns = constraint.columns.map(place);
    const allowed = new Set(
      constraint.combinations.map((values) =>
        values.map((value, i) => cellOf(columns[i] as number, value)).join(),
      ),
    );
    return [zerosWhere(columns, cells, (tuple) => !allowed.has(tuple.join()))];
  }
  const columns = [place(constraint.column), place(constraint.when.column)];
  const missing = cellOf(columns[0] as number, null);
  const when = new Set(constraint.when.values.map((value) => cellOf(columns[1] as number, value)));
  return [
    zerosWhere(columns, cells, ([own, other]) =>
      when.has(other as number) ? own !== missing : constraint.otherwiseRequired && own === missing,
    ),
  ];
}

function categoryOf(
  field: Extract<Block['field'], { domain: 'categories' }>,
  value: Exclude<CategoryValue, null>,
): number {
  return field.categories.indexOf(field.type === 'year' ? Number(value) : value);
}

function zerosWhere(
  attributes: readonly number[],
  cells: readonly ColumnCells[],
  isZero: (tuple: readonly number[], index: number) => boolean,
): StructuralZeros {
  const sizes = attributes.map((column) => (cells[column] as ColumnCells).cells);
  const zeros: number[] = [];
  const tuple = sizes.map(() => 0);
  const count = sizes.reduce((product, size) => product * size, 1);
  for (let index = 0; index < count; index++) {
    if (isZero(tuple, index)) zeros.push(...tuple);
    for (let i = sizes.length - 1; i >= 0; i--) {
      tuple[i] = ((tuple[i] as number) + 1) % (sizes[i] as number);
      if (tuple[i] !== 0) break;
    }
  }
  return { attributes, cells: Int32Array.from(zeros) };
}

function placeIn({ fields }: TableSchema): (name: string) => number {
  return (name) => fields.findIndex((field) => field.name === name);
}
