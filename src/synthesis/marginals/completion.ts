import { columnOf } from '../conditions.js';
import { InvalidCondition } from '../errors.js';
import { seededRng, uniforms } from '../randomness.js';
import type { CompletionRequest, Row, SynthesisContext } from '../synthesizer.js';
import { codeOf } from '../table/codedRow.js';
import { type Block, cellOfNumber } from '../table/encoding.js';
import { conditionalPlan } from './model/conditionalPlan.js';
import { sampleRowsGiven } from './model/conditionalSampling.js';
import { ImpossibleEvidence } from './model/errors.js';
import { condition, type Evidence, type Model } from './model/model.js';
import type { MarginalsOptions } from './options.js';
import { NoRoom } from './orderedUnit.js';
import { wholePieces } from './pieces.js';
import type { Generator } from './release.js';
import { drawersOf, open, rowOf } from './sampling.js';
import { blockCells, type GivenOrdinals, type Strata, type Unit } from './units.js';

/** Rows that are completed at once; no row depends on it. */
const BATCH_ROWS = 4096;

/**
 * Each row's other columns, drawn exactly from the model given its own values: of a number or date the cell counts that it lies in,
 * within which the model knows no dependence, but for columns in an order (orderedUnit.ts), which keep to the value itself.
 * Every draw is from a stream of its own, one a row, in order.
 * @throws InvalidCondition, MalformedBytes when the release is not of this schema and these options.
 */
export async function* completeRelease(
  { schema }: SynthesisContext,
  options: MarginalsOptions,
  release: Uint8Array,
  { seed, columns, rows }: CompletionRequest,
): AsyncGenerator<Row> {
  const { generator } = open(schema, options, release);
  const { fine, model, units } = generator;
  const given = columns.map((name) => columnOf(schema, name));
  if (new Set(given).size !== given.length)
    throw new InvalidCondition('malformed', undefined, 'a given column is named twice');
  const draw = drawerGiven(model, given, units);
  const drawers = drawersOf(units, fine.blocks.map(wholePieces));
  const rng = (part: string) => seededRng(seed, `marginals/complete/${part}`);
  const streams = fine.blocks.map((_, column) => rng(`fine cells/${column}`));
  const strata: Strata = (groups, column) => uniforms(streams[column] as typeof cells, groups.length);
  const [cells, values] = [rng('cells'), rng('values')];
  let done = 0;
  for await (const batch of batches(rows)) {
    const known = batch.map((row, i) => givenOf(generator, given, row, done + i));
    const drawn = namingRows(done, () => {
      const block = blockCells(fine, draw(known, uniforms(cells, batch.length * draw.draws)), values);
      units.forEach(({ columns: own }, u) => {
        const isGiven = own.some((column) => given.includes(column));
        drawers[u]?.(
          block,
          strata,
          isGiven ? (row) => ordinalsIn(own, given, known[row] as Given) : undefined,
        );
      });
      return block;
    });
    for (const [i, row] of batch.entries()) {
      const completed: Record<string, Row[string]> = { ...rowOf(fine, drawn, i) };
      for (const name of columns) completed[name] = row[name] ?? null;
      yield completed;
    }
    done += batch.length;
  }
}

/** A row's given values: their codes (codedRow.ts), and the model's cells that they are in. */
interface Given {
  readonly codes: readonly number[];
  readonly cells: readonly number[];
}

type DrawGiven = ((known: readonly Given[], uniforms: Float64Array) => Uint16Array) & {
  readonly draws: number;
};

/**
 * Cells for rows with given cells. Where a given column is in an order, the others' cells depend on its value and not on its cell alone:
 * rows for which that is the same are drawn together.
 */
function drawerGiven(model: Model, given: readonly number[], units: readonly Unit[]): DrawGiven {
  const plain = conditionalPlan(model, given);
  const ordered = units.filter(
    ({ columns, massGiven }) => massGiven !== undefined && columns.some((column) => given.includes(column)),
  );
  const draw = (known: readonly Given[], all: Float64Array): Uint16Array => {
    if (ordered.length === 0) return sampleRowsGiven(plain, cellsIn(known), all);
    const groups = new Map<string, { readonly evidence: readonly Evidence[]; readonly rows: number[] }>();
    known.forEach((own, row) => {
      const evidence = ordered.map(({ columns, massGiven }) => ({
        attributes: columns,
        weights: massGiven?.(ordinalsIn(columns, given, own)) ?? [],
      }));
      const key = evidence.map(({ weights }) => Array.from(weights).join()).join(';');
      const group = groups.get(key) ?? { evidence, rows: [] };
      groups.set(key, group);
      group.rows.push(row);
    });
    const width = model.tree.domain.sizes.length;
    const out = new Uint16Array(known.length * width);
    for (const { evidence, rows } of groups.values())
      inGroup(rows, () => {
        const plan = conditionalPlan(condition(model, evidence), given);
        const own = rows.map((row) => known[row] as Given);
        const uniform = Float64Array.from(
          rows.flatMap((row) => [...all.subarray(row * plan.draws, (row + 1) * plan.draws)]),
        );
        const drawn = sampleRowsGiven(plan, cellsIn(own), uniform);
        for (const [i, row] of rows.entries())
          out.set(drawn.subarray(i * width, (i + 1) * width), row * width);
      });
    return out;
  };
  return Object.assign(draw, { draws: plain.draws });
}

function cellsIn(known: readonly Given[]): Uint16Array {
  return Uint16Array.from(known.flatMap(({ cells }) => cells));
}

function ordinalsIn(columns: readonly number[], given: readonly number[], { codes }: Given): GivenOrdinals {
  return columns.map((column) => {
    const at = given.indexOf(column);
    return at < 0 ? undefined : (codes[at] as number);
  });
}

async function* batches(rows: AsyncIterable<Row>): AsyncGenerator<readonly Row[]> {
  let batch: Row[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH_ROWS) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** The row is named, never its value: that is data. */
function givenOf({ fine, columns }: Generator, given: readonly number[], row: Row, index: number): Given {
  const codes = given.map((column) => {
    const { field } = fine.blocks[column] as Block;
    const value = row[field.name] ?? null;
    const code = codeOf(field, value);
    const isWrong = Number.isNaN(code)
      ? value !== null || field.required
      : field.domain === 'range' && !(code >= field.minimum && code <= field.maximum);
    if (!isWrong) return code;
    throw new InvalidCondition(
      'outside-schema',
      field.name,
      `the value of row ${index + 1} is not one that the schema has`,
    );
  });
  const cells = given.map((column, i) => {
    const block = fine.blocks[column] as Block;
    const code = codes[i] as number;
    const cell = Number.isNaN(code)
      ? block.cells - 1
      : block.edges === undefined
        ? code
        : cellOfNumber(block, block.edges, code);
    return columns[column]?.cellOf[cell] as number;
  });
  return { codes, cells };
}

/** A row of the group at fault, by its place in the batch. */
function inGroup(rows: readonly number[], draw: () => void): void {
  try {
    draw();
  } catch (cause) {
    throw cause instanceof ImpossibleEvidence ? new ImpossibleEvidence(rows[cause.row ?? 0]) : cause;
  }
}

function namingRows<T>(before: number, draw: () => T): T {
  try {
    return draw();
  } catch (cause) {
    if (!(cause instanceof ImpossibleEvidence || cause instanceof NoRoom)) throw cause;
    throw new InvalidCondition(
      'impossible',
      undefined,
      `the given values of row ${before + (cause.row ?? 0) + 1} cannot occur together in the model; correct the row or leave it out`,
    );
  }
}
