import type { TableSchema } from '../../synthesis/table/schema.js';
import { bytesOf, type CodedTable } from '../codedTable.js';

/** Bins of a feature at most: a bin is a byte. */
export const MAX_FEATURE_BINS = 256;
/** Numbers in a histogram for each bin: Σ gradient, Σ Hessian, rows. */
export const STATISTICS = 3;

/** Features as bytes, column by column, for the boosted trees. */
export interface BinnedFeatures {
  readonly rows: number;
  readonly columns: readonly Uint8Array[];
}

/** How a table becomes binned features, learnt from the rows a model is trained on. */
export interface FeatureBinning {
  /** Columns of the table that are features. */
  readonly columns: readonly number[];
  /** By feature: are its bins categories, without an order? */
  readonly categorical: readonly boolean[];
  /** By feature: bins in use, the first one for missing where values are ordered, the last one where they are not. */
  readonly bins: readonly number[];
  readonly apply: (table: CodedTable) => BinnedFeatures;
}

/**
 * Categories are their own bins; of more than 255 the most frequent are. Numbers are cut halfway between neighbouring values, or at
 * 254 quantiles where they have more (Ke et al. 2017, LightGBM; Alsabti, Ranka, Singh 1998).
 */
export function binFeatures(
  schema: TableSchema,
  train: CodedTable,
  without: readonly number[],
): FeatureBinning {
  const columns = schema.fields.flatMap((_, i) => (without.includes(i) ? [] : [i]));
  const rules = columns.map((i) => {
    const field = schema.fields[i]!;
    return field.domain === 'categories'
      ? categoryRule(train.columns[i]!, field.categories.length)
      : orderedRule(train.columns[i]!);
  });
  return {
    columns,
    categorical: columns.map((i) => schema.fields[i]!.domain === 'categories'),
    bins: rules.map(({ bins }) => bins),
    apply: (table) => ({
      rows: table.rows,
      columns: columns.map((i, f) => bytesOf(table.columns[i]!, rules[f]!.binOf)),
    }),
  };
}

interface Rule {
  readonly bins: number;
  readonly binOf: (code: number) => number;
}

function categoryRule(codes: Float64Array, categories: number): Rule {
  const counts = new Float64Array(categories);
  for (const code of codes) if (!Number.isNaN(code)) counts[code]!++;
  const kept = [...counts.keys()].sort((a, b) => counts[b]! - counts[a]!).slice(0, MAX_FEATURE_BINS - 2);
  const bins = new Map(kept.map((code, bin) => [code, bin]));
  const others = kept.length;
  return {
    bins: others + 2,
    binOf: (code) => (Number.isNaN(code) ? others + 1 : (bins.get(code) ?? others)),
  };
}

function orderedRule(codes: Float64Array): Rule {
  const sorted = codes.filter((code) => !Number.isNaN(code)).sort();
  const distinct = sorted.filter((code, i) => i === 0 || code !== sorted[i - 1]);
  const most = MAX_FEATURE_BINS - 2;
  let cuts = distinct.subarray(1).map((code, i) => (code + distinct[i]!) / 2);
  if (cuts.length > most) {
    const quantiles = Array.from(
      { length: most },
      (_, k) => sorted[Math.floor(((k + 1) * sorted.length) / (most + 1))]!,
    );
    cuts = Float64Array.from(new Set(quantiles));
  }
  return {
    bins: cuts.length + 2,
    binOf: (code) => {
      if (Number.isNaN(code)) return 0;
      let [low, high] = [0, cuts.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (cuts[middle]! <= code) low = middle + 1;
        else high = middle;
      }
      return low + 1;
    },
  };
}
