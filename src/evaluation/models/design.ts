import type { TableSchema } from '../../synthesis/table/schema.js';
import type { CodedTable } from '../codedTable.js';
import type { Design, DesignBlock } from './logisticRegression.js';

/** Standardised numbers further out than this many standard deviations are moved there. */
const CLIP = 5;

/**
 * How a table becomes a design matrix, learnt from the rows a model is trained on: categories one-hot, a missing one being a category;
 * numbers standardised and clipped, with a column of their own for missing.
 */
export function designOf(
  schema: TableSchema,
  train: CodedTable,
  without: readonly number[],
): (table: CodedTable) => Design {
  let width = 0;
  const columns = schema.fields.flatMap((field, i) => {
    if (without.includes(i)) return [];
    const start = width;
    width += field.domain === 'categories' ? field.categories.length + 1 : 2;
    const { mean, deviation } = moments(train.columns[i]!);
    const block = (codes: Float64Array): DesignBlock => {
      if (field.domain === 'categories') {
        const missing = start + field.categories.length;
        return { index: Uint32Array.from(codes, (code) => (Number.isNaN(code) ? missing : start + code)) };
      }
      return {
        index: Uint32Array.from(codes, (code) => start + Number(Number.isNaN(code))),
        value: codes.map((code) =>
          Number.isNaN(code) ? 1 : Math.max(-CLIP, Math.min(CLIP, (code - mean) / deviation)),
        ),
      };
    };
    return [{ i, block }];
  });
  return (table) => ({
    rows: table.rows,
    width,
    blocks: columns.map(({ i, block }) => block(table.columns[i]!)),
  });
}

/** Of the values that are there; deviation 1 where they are all equal. */
function moments(codes: Float64Array): { readonly mean: number; readonly deviation: number } {
  let [count, sum] = [0, 0];
  for (const code of codes) {
    if (Number.isNaN(code)) continue;
    count++;
    sum += code;
  }
  const mean = count === 0 ? 0 : sum / count;
  let squares = 0;
  for (const code of codes) if (!Number.isNaN(code)) squares += (code - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / (count || 1)) || 1 };
}
