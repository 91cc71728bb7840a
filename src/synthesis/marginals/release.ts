import { z } from 'zod';
import { canonicalJson } from '../../crypto/canonical.js';
import type { Rng } from '../../crypto/rng.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import { seededRng, uniforms } from '../randomness.js';
import type { Row, SampleRequest, SynthesisContext } from '../synthesizer.js';
import { type Block, decodeCell, type TableEncoding } from '../table/encoding.js';
import { fineCells } from './fineCells.js';
import type { Base } from './fitting.js';
import { domainOf } from './model/domain.js';
import { InvalidModelInput, ModelTooLarge } from './model/errors.js';
import { type Factor, type Model, modelOf } from './model/model.js';
import { type SamplingPlan, samplingPlan } from './model/sampling.js';
import type { MarginalsOptions } from './options.js';
import { drawBlock, stratified } from './rowBlock.js';
import { bytesOf, doublesOf } from './state.js';

/**
 * Rows are drawn in blocks with a stream of their own each, so that any page can be had without those before it. Within a block they
 * are stratified (rowBlock.ts): the larger it is, the closer its tables are to the model's.
 */
const BLOCK_ROWS = 16_384;

const MAGIC = 'chorale/marginals release';
const VERSION = 1;

const index = z.number().int().min(0);
const headerJson = z.strictObject({
  magic: z.literal(MAGIC),
  version: z.literal(VERSION),
  total: z.number(),
  /** Of each column: the model's cell of each fine cell, 0, 1, … */
  columns: z.array(z.array(index.max(65_535))),
  factors: z.array(z.strictObject({ attributes: z.array(index), cells: index })),
});

/**
 * A line of JSON, then the log-potentials of its factors, then for each column the noisy counts of its fine cells, none below zero
 * (float64, little endian). All of it is made of opened sums.
 */
export function encodeRelease({ factors, total }: Model, { ones, grids }: Base): Uint8Array {
  const header = canonicalJson({
    magic: MAGIC,
    version: VERSION,
    total,
    columns: grids.map(({ full }) => [...full]),
    factors: factors.map(({ attributes, logPotentials }) => ({
      attributes: [...attributes],
      cells: logPotentials.length,
    })),
  });
  const parts = [
    ...factors.map(({ logPotentials }) => bytesOf(logPotentials)),
    ...ones.map(({ counts }) => bytesOf(counts.map((count) => Math.max(0, count)))),
  ];
  const text = new TextEncoder().encode(`${header}\n`);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, text.length));
  bytes.set(text);
  let offset = text.length;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** What rows are drawn from. */
interface Generator {
  readonly fine: TableEncoding;
  readonly plan: SamplingPlan;
  /** Of each column and model cell: its fine cells and their cumulated shares. */
  readonly within: readonly (readonly {
    readonly cells: readonly number[];
    readonly shares: Float64Array;
  }[])[];
}

/** @throws MalformedBytes when the release is not of this schema and these options. */
function decodeRelease(fine: TableEncoding, { modelCells }: MarginalsOptions, bytes: Uint8Array): Generator {
  const end = bytes.indexOf(0x0a);
  const header = headerOf(bytes.subarray(0, Math.max(0, end)));
  const fits =
    header?.columns.length === fine.blocks.length &&
    header.columns.every(
      (cells, column) =>
        cells.length === fine.blocks[column]?.cells && new Set(cells).size === Math.max(...cells) + 1,
    );
  if (header === undefined || !fits) throw new MalformedBytes('the release is no marginals of this schema');
  let offset = end + 1;
  const doubles = (count: number): Float64Array => {
    const part = bytes.subarray(offset, offset + 8 * count);
    if (part.length !== 8 * count) throw new MalformedBytes('the release is cut short');
    offset += 8 * count;
    return doublesOf(part);
  };
  const factors: Factor[] = header.factors.map(({ attributes, cells }) => ({
    attributes,
    logPotentials: doubles(cells),
  }));
  const within = header.columns.map((cells) => shares(cells, doubles(cells.length)));
  if (offset !== bytes.length) throw new MalformedBytes('the release is too long');
  try {
    const domain = domainOf(within.map((cells) => cells.length));
    const model = modelOf(domain, factors, { total: header.total, cellLimit: modelCells });
    return { fine, plan: samplingPlan(model), within };
  } catch (cause) {
    if (!(cause instanceof InvalidModelInput || cause instanceof ModelTooLarge)) throw cause;
    throw new MalformedBytes('the release has no model of this schema and these options', { cause });
  }
}

function headerOf(bytes: Uint8Array): z.infer<typeof headerJson> | undefined {
  try {
    return headerJson.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

/** Where no count is left of a cell, its fine cells share alike. */
function shares(cellOf: readonly number[], counts: Float64Array) {
  const groups: number[][] = [];
  cellOf.forEach((cell, k) => {
    groups[cell] = [...(groups[cell] ?? []), k];
  });
  return groups.map((cells) => {
    const total = cells.reduce((sum, k) => sum + (counts[k] as number), 0);
    let below = 0;
    const cumulated = cells.map((k, i) => {
      below += total > 0 ? (counts[k] as number) / total : 1 / cells.length;
      return i === cells.length - 1 ? 1 : below;
    });
    return { cells, shares: Float64Array.from(cumulated) };
  });
}

const generators = new WeakMap<Uint8Array, Generator>();

/**
 * Row i depends on the release, the seed and i alone: the first of a page may cost a whole block.
 * @throws MalformedBytes when the release is not of this schema and these options.
 */
export async function* sampleRelease(
  { schema }: SynthesisContext,
  options: MarginalsOptions,
  release: Uint8Array,
  { seed, offset, count }: SampleRequest,
): AsyncGenerator<Row> {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(count) || offset < 0 || count < 0)
    throw new InvalidOptions('sample', 'offset and count must be whole numbers from 0');
  const kept = generators.get(release);
  const generator = kept?.fine.schema === schema ? kept : decodeRelease(fineCells(schema), options, release);
  generators.set(release, generator);
  const end = offset + count;
  for (let block = Math.floor(offset / BLOCK_ROWS); block * BLOCK_ROWS < end; block++) {
    const first = block * BLOCK_ROWS;
    yield* rowsOfBlock(
      generator,
      seed,
      block,
      Math.max(0, offset - first),
      Math.min(BLOCK_ROWS, end - first),
    );
  }
}

function* rowsOfBlock(
  { fine, plan, within }: Generator,
  seed: Uint8Array,
  block: number,
  from: number,
  to: number,
): globalThis.Generator<Row> {
  const rng = (part: string) => seededRng(seed, `marginals/sample/${block}/${part}`);
  const columns = fine.blocks.length;
  const cells = drawBlock(plan, BLOCK_ROWS, rng('cells'));
  const fines = fineCellsOf(within, cells, rng('fine cells'));
  const values = uniforms(rng('values'), BLOCK_ROWS * columns);
  for (let row = from; row < to; row++)
    yield Object.fromEntries(
      fine.blocks.map((item: Block, column) => {
        const place = row * columns + column;
        return [item.field.name, decodeCell(item, fines[place] as number, values[place] as number)];
      }),
    );
}

/** Of each cell of each row one of its fine cells, as many of each as its share says. */
function fineCellsOf(within: Generator['within'], cells: Uint16Array, rng: Rng): Uint16Array {
  const columns = within.length;
  const rows = cells.length / columns;
  const out = new Uint16Array(cells.length);
  within.forEach((groups, column) => {
    const own = Int32Array.from({ length: rows }, (_, row) => cells[row * columns + column] as number);
    const strata = stratified(own, rng);
    for (let row = 0; row < rows; row++) {
      const { cells: choice, shares: below } = groups[own[row] as number] as (typeof groups)[number];
      let k = 0;
      while ((strata[row] as number) >= (below[k] as number) && k < choice.length - 1) k++;
      out[row * columns + column] = choice[k] as number;
    }
  });
  return out;
}
