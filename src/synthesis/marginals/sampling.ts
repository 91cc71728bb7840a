import { canonicalJson, type Json } from '../../crypto/canonical.js';
import { conditionsOf, isConditional, parseConditions } from '../conditions.js';
import { seededRng } from '../randomness.js';
import { stratified } from '../stratified.js';
import type { Row, SampleRequest, SynthesisContext } from '../synthesizer.js';
import { rangeValue } from '../table/codedRow.js';
import { type Block, decodeCell, type TableEncoding } from '../table/encoding.js';
import { blocksOf } from '../table/rowBlocks.js';
import type { RangeField, TableSchema } from '../table/schema.js';
import { conditioned } from './evidence.js';
import { type SamplingPlan, samplingPlan } from './model/sampling.js';
import type { MarginalsOptions } from './options.js';
import { type Pieces, wholePieces } from './pieces.js';
import { decodeRelease, type Generator } from './release.js';
import { drawBlock } from './rowBlock.js';
import { type BlockCells, blockCells, type Drawer, type Unit } from './units.js';

/**
 * Rows are drawn in blocks with a stream of their own each, so that any page can be had without those before it. Within a block they
 * are stratified (rowBlock.ts): the larger it is, the closer its tables are to the model's.
 */
const BLOCK_ROWS = 16_384;
/** Conditions whose plans are kept for the next page. */
const KEPT_PLANS = 4;

/** What a block of rows is drawn from. */
interface Drawing {
  readonly plan: SamplingPlan;
  readonly units: readonly Drawer[];
}

/** A release that was read, and the drawings for the conditions that were asked last. */
interface Opened {
  readonly schema: TableSchema;
  readonly generator: Generator;
  readonly drawings: Map<string, Drawing>;
}

const opened = new WeakMap<Uint8Array, Opened>();

/** @throws MalformedBytes when the release is not of this schema and these options. */
export function open(schema: TableSchema, options: MarginalsOptions, release: Uint8Array): Opened {
  const kept = opened.get(release);
  if (kept?.schema === schema) return kept;
  const own = { schema, generator: decodeRelease(schema, options, release), drawings: new Map() };
  opened.set(release, own);
  return own;
}

/**
 * Row i depends on the release, the seed, the conditions and i alone: the first of a page may cost a whole block. As many rows are
 * drawn as are given out, but for the rest of the block.
 * @throws InvalidCondition, MalformedBytes when the release is not of this schema and these options.
 */
export async function* sampleRelease(
  { schema }: SynthesisContext,
  options: MarginalsOptions,
  release: Uint8Array,
  request: SampleRequest,
): AsyncGenerator<Row> {
  const parts = [...blocksOf(request, BLOCK_ROWS)];
  const own = open(schema, options, release);
  const drawing = drawingFor(own, request);
  const { fine } = own.generator;
  for (const { block, from, to } of parts) {
    const rng = (part: string) => seededRng(request.seed, `marginals/sample/${block}/${part}`);
    const cells = drawBlock(drawing.plan, BLOCK_ROWS, rng('cells'));
    const drawn = blockCells(fine, cells, rng('values'));
    const stream = rng('fine cells');
    for (const draw of drawing.units) draw(drawn, (groups) => stratified(groups, stream));
    for (let row = from; row < to; row++) yield rowOf(fine, drawn, row);
  }
}

function drawingFor({ schema, generator, drawings }: Opened, request: SampleRequest): Drawing {
  const conditions = conditionsOf(request);
  const key = isConditional(conditions) ? canonicalJson(conditions as unknown as Json) : '';
  const kept = drawings.get(key);
  if (kept !== undefined) return kept;
  const { model, units, pieces } =
    key === ''
      ? { ...generator, pieces: generator.fine.blocks.map(wholePieces) }
      : conditioned(generator, parseConditions(schema, conditions));
  const drawing = { plan: samplingPlan(model), units: drawersOf(units, pieces) };
  const [oldest] = drawings.keys();
  if (drawings.size >= KEPT_PLANS && oldest !== undefined) drawings.delete(oldest);
  drawings.set(key, drawing);
  return drawing;
}

export function drawersOf(units: readonly Unit[], pieces: readonly Pieces[]): readonly Drawer[] {
  return units.map((unit) => unit.drawer(unit.columns.map((column) => pieces[column] as Pieces)));
}

export function rowOf({ blocks }: TableEncoding, drawn: BlockCells, row: number): Row {
  return Object.fromEntries(
    blocks.map((block: Block, column) => {
      const at = row * blocks.length + column;
      const ordinal = drawn.ordinals[at] as number;
      return [
        block.field.name,
        Number.isNaN(ordinal)
          ? decodeCell(block, drawn.fine[at] as number, drawn.within[at] as number)
          : rangeValue(block.field as RangeField, ordinal),
      ];
    }),
  );
}
