import { Readable } from 'node:stream';
import { sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import { seededRng, uniforms } from '../../../src/synthesis/randomness.js';
import type { ReleasedRun, Row, SynthesisContext } from '../../../src/synthesis/synthesizer.js';
import { readCsv } from '../../../src/synthesis/table/csv.js';
import { cellsOf, decodeCell } from '../../../src/synthesis/table/encoding.js';
import { fineCells } from '../../../src/synthesis/table/fineCells.js';
import { type PartitionedRecords, splitRecords } from '../../../src/synthesis/table/holdOut.js';
import type { RecordSource } from '../../../src/synthesis/table/records.js';
import { parseTableSchema, type TableSchema } from '../../../src/synthesis/table/schema.js';

/** Four columns of at most eight cells, so that a pair's coarse cells are all of its cells; the last is the label. */
export const QUALITY_SCHEMA = {
  fields: [
    { name: 'place', type: 'string', constraints: { required: true, enum: ['air', 'land', 'sea', 'space'] } },
    { name: 'size', type: 'string', constraints: { enum: ['small', 'large'] } },
    { name: 'score', type: 'integer', constraints: { required: true, minimum: 0, maximum: 7 } },
    { name: 'hit', type: 'boolean', constraints: { required: true }, 'chorale:label': true },
  ],
};

export const qualitySchema = (): TableSchema => parseTableSchema(structuredClone(QUALITY_SCHEMA));

export const qualityContext = (declaredRecords = 10_000, holdOut = 0.5): SynthesisContext => ({
  schema: qualitySchema(),
  members: ['alto', 'bass', 'soprano', 'tenor'].map((id) => ({ id, declaredRecords })),
  cohort: { minSurvivors: 3, maxColluders: 1 },
  holdOut,
});

/** Rows whose columns depend on each other; `tilt` moves the law, so that two of them are two different tables. */
export function rowsOf(count: number, seed: string, tilt = 0): Row[] {
  const draws = uniforms(seededRng(new TextEncoder().encode(seed), 'rows'), count * 5);
  return Array.from({ length: count }, (_, i) => {
    const [a, b, c, d, e] = draws.subarray(5 * i, 5 * i + 5) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    const place = Math.min(3, Math.floor(4 * a ** (1 + tilt)));
    const size = b < 0.1 ? null : b < 0.2 + place / 5 ? 'small' : 'large';
    const score = Math.min(7, Math.floor(8 * c * (0.4 + place / 5)));
    const hit = d < 0.1 + score / 14 + (size === 'large' ? 0.2 : 0) - tilt * e * 0.3;
    return { place: ['air', 'land', 'sea', 'space'][place] as string, size, score, hit };
  });
}

export async function recordsOf(rows: readonly Row[]): Promise<RecordSource> {
  // A file without a record is refused; a member without one is still a neighbour.
  if (rows.length === 0) return sourceOf(qualitySchema(), []);
  const lines = rows.map(({ place, size, score, hit }) => `${place},${size ?? ''},${score},${hit}`);
  return readCsv(Readable.from([`place,size,score,hit\n${lines.join('\n')}\n`]), qualitySchema());
}

export const keyOf = (member: number): Uint8Array => new Uint8Array(32).fill(member + 1);

export async function partitioned(
  rows: readonly Row[],
  member: number,
  share = 0.5,
): Promise<PartitionedRecords> {
  return splitRecords(await recordsOf(rows), share, keyOf(member));
}

/** The rows of a source again: every cell of this schema is one value. */
export async function rowsIn(records: RecordSource): Promise<Row[]> {
  const encoding = fineCells(records.schema);
  const rows: Row[] = [];
  for await (const batch of records.sample(1, () => new Uint8Array())) {
    const cells = cellsOf(encoding, batch);
    for (let row = 0; row < batch.count; row++)
      rows.push(
        Object.fromEntries(
          encoding.blocks.map((block, f) => [
            block.field.name,
            decodeCell(block, cells[row * encoding.blocks.length + f] as number, 0),
          ]),
        ),
      );
  }
  return rows;
}

/** A released run that hands out these rows. */
export const runOf = (rows: readonly Row[], runId = 'abc123'): ReleasedRun => ({
  runId,
  digest: 'ab'.repeat(32),
  kind: 'marginals',
  async *rows({ offset, count }) {
    yield* rows.slice(offset, offset + count);
  },
});
