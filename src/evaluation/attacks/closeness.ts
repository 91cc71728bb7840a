import type { Rng } from '../../crypto/rng.js';
import { type CodedTable, selectRows } from '../codedTable.js';
import { drawIndices } from '../draws.js';
import { clopperPearson, type Proportion } from '../proportions.js';
import { type GowerSpace, nearest } from './nearest.js';

/**
 * Share of synthetic rows whose closest real row is a training row, brought to equal sizes: ½ where the generator treats rows that it met
 * like rows that it did not, 1 where it always stays with those it met. Distance to the closest record is no privacy measure (Yao et al.
 * 2025, "The DCR Delusion"): a table can leak everything at ½. A smoke test for copying, nothing else (hazard D8).
 */
export interface Closeness {
  /** Synthetic rows that were looked at. */
  readonly rows: number;
  /** 99 % (Clopper-Pearson). */
  readonly share: Proportion;
  /** Median distance of those rows to the closest training and hold-out row, 0 to 1 (Gower). */
  readonly medianToTrain: number;
  readonly medianToHoldOut: number;
}

const ROWS = 2000;
const CONFIDENCE = 0.99;

/** All training and all hold-out rows are compared; ties count for both sides by their numbers. */
export function closeness(
  space: GowerSpace,
  tables: { readonly train: CodedTable; readonly holdOut: CodedTable; readonly synthetic: CodedTable },
  rng: Rng,
): Closeness {
  const { train, holdOut, synthetic } = tables;
  const drawn = space.encode(selectRows(synthetic, drawIndices(rng, synthetic.rows, ROWS)));
  const toTrain = nearest(drawn, space.encode(train)).distances;
  const toHoldOut = nearest(drawn, space.encode(holdOut)).distances;
  // If nobody was copied, the closest of all n real rows is any of them with probability 1/n.
  const even = train.rows / (train.rows + holdOut.rows);
  let closer = 0;
  for (let i = 0; i < drawn.rows; i++)
    closer += toTrain[i] === toHoldOut[i] ? even : Number(toTrain[i]! < toHoldOut[i]!);
  const { lower, upper } = clopperPearson(Math.round(closer), drawn.rows, CONFIDENCE);
  const rescaled = (share: number): number => 0.5 + (0.5 * (share - even)) / (1 - even);
  return {
    rows: drawn.rows,
    share: { share: rescaled(closer / drawn.rows), lower: rescaled(lower), upper: rescaled(upper) },
    medianToTrain: median(toTrain),
    medianToHoldOut: median(toHoldOut),
  };
}

function median(values: Float64Array): number {
  return values.slice().sort()[Math.floor(values.length / 2)] ?? Number.NaN;
}
