import { expect } from 'vitest';
import { drawRecords, sourceOf } from '../../../src/evaluation/audit/inventedRecords.js';
import type { Step } from '../../../src/synthesis/synthesizer.js';
import { MISSING_CATEGORY, recordLayout } from '../../../src/synthesis/table/layout.js';
import type { TableSchema } from '../../../src/synthesis/table/schema.js';
import { distance, withinSensitivity } from '../../privacy/neighbouring.js';
import { rngOf } from '../fixtures.js';
import { masked, type Subject } from './run.js';

/** As many records as the longest table here has. */
const MOST = 513;

export const recordsOf = (schema: TableSchema): readonly Uint8Array[] =>
  drawRecords(schema, MOST, rngOf(1, 'rows'));

/** One record in every way that a table can hold it, and in ways that it cannot. */
export function additions(schema: TableSchema): Readonly<Record<string, Uint8Array>> {
  const layout = recordLayout(schema);
  const rows = recordsOf(schema);
  const altered = (number: (low: number, high: number) => number, category?: number): Uint8Array => {
    const row = rows[0]!.slice();
    const view = new DataView(row.buffer);
    schema.fields.forEach((field, f) => {
      if (field.domain === 'range')
        view.setFloat64(layout.offsets[f]!, number(field.minimum, field.maximum), true);
      else if (category !== undefined) view.setUint16(layout.offsets[f]!, category, true);
    });
    return row;
  };
  return {
    'a new one': drawRecords(schema, 1, rngOf(2, 'new'))[0]!,
    'a duplicate': rows[0]!,
    'a duplicate of the last': rows.at(-1)!,
    'one at the lower bounds': altered((low) => low, 0),
    'one at the upper bounds': altered((_, high) => high, 0),
    'one with everything missing': altered(() => Number.NaN, MISSING_CATEGORY),
    'one with NaN in columns that must not be missing': altered(() => Number.NaN),
    'one at +infinity': altered(() => Number.POSITIVE_INFINITY),
    'one at −infinity': altered(() => Number.NEGATIVE_INFINITY),
    'one far above the bounds': altered(() => Number.MAX_VALUE),
    'one far below the bounds': altered(() => -1e300),
    'one a subnormal away from 0': altered(() => 5e-324),
  };
}

/**
 * Neighbouring replay: the same seeds, two tables of which one has a record more, and what would be masked: the ring distance must be at
 * most the sensitivity that is declared, and paid for. Integers, so no tolerance. Returns the largest move over the records above,
 * on tables of these sizes, as a share of the sensitivity.
 */
export async function expectWithin(
  { synthesizer, context: { schema } }: Subject,
  step: Step,
  sizes: readonly number[],
  seeds: readonly number[],
): Promise<number> {
  const rows = recordsOf(schema);
  let largest = 0;
  for (const size of sizes)
    for (const seed of seeds) {
      const before = await sourceOf(schema, rows.slice(0, size));
      const a = await masked(synthesizer, step, before, seed);
      for (const [what, record] of Object.entries(additions(schema))) {
        const after = await sourceOf(schema, [...rows.slice(0, size), record]);
        const b = await masked(synthesizer, step, after, seed);
        const why = `${step.query.kind}: ${what} after ${size} others, seed ${seed}`;
        expect(withinSensitivity(step.query, a, b), why).toBe(true);
        largest = Math.max(largest, distance(step.query, a, b));
      }
    }
  return largest;
}
