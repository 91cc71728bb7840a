/**
 * Total variation from noisy counts. A distance is a sum of absolute values, so noise of mean zero makes it larger; what follows takes
 * the expected excess off and says how well it can.
 */

/** A figure with the interval that holds it with the report's confidence. */
export interface Estimate {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** One table: noisy counts and the shares that they are held against, cell by cell. */
export interface Compared {
  /** In records. */
  readonly counts: Float64Array;
  /** Of the noise in one count. */
  readonly variance: number;
  /** Add up to 1. */
  readonly shares: Float64Array;
}

/** How many records there are, by noisy counts. */
export interface Total {
  readonly records: number;
  readonly variance: number;
}

/** 97.5 % of the standard normal distribution: intervals of 95 %. */
export const DEVIATIONS = 1.959963984540054;
/** E|N(0, 1)|. */
const MEAN_ABSOLUTE = Math.sqrt(2 / Math.PI);

/** Unbiased, of least variance: every table's sum is one estimate of the total. At least 1. */
export function totalOf(tables: readonly Pick<Compared, 'counts' | 'variance'>[]): Total {
  let precisions = 0;
  let weighted = 0;
  for (const { counts, variance } of tables) {
    const precision = 1 / (variance * counts.length);
    precisions += precision;
    weighted += precision * counts.reduce((sum, count) => sum + count, 0);
  }
  return { records: Math.max(1, weighted / precisions), variance: 1 / precisions };
}

/**
 * The mean over tables of ½Σ|count/n − share|, as the counts without noise would give it; one table is a mean of one.
 *
 * Noise of variance σ² turns a true difference x into |x + z|. With differences of variance τ² about zero the mean excess of a cell is
 * √(2/π)(√(τ² + σ²) − τ), and the squares say what τ² is: E(x + z)² = τ² + σ². The estimate is therefore exact as σ → 0, and where
 * differences are unequal, a few large and many small, it errs upwards: the excess is convex in τ².
 *
 * The interval adds what is not known of τ², by the variance of a mean of squares, to the noise of the absolute values and to that of
 * n. Of |x + z| given x that variance is σ² at most, since |·| is 1-Lipschitz, and (1 − 2/π)(τ² + σ²) on average, which is all of its
 * variance (law of total variance). It is for the distance on the records that were counted, not for
 * that on all who might have been: see `samplingDistance`.
 */
export function meanDistance(tables: readonly Compared[], { records, variance: ofTotal }: Total): Estimate {
  let cells = 0;
  let excess = 0;
  let spread = 0;
  let absolute = 0;
  for (const { counts, shares, variance: own } of tables) {
    cells += counts.length;
    for (let k = 0; k < counts.length; k++) {
      const difference = (counts[k] as number) - records * (shares[k] as number);
      absolute += Math.abs(difference);
      excess += difference ** 2 - own;
      // Var z² + Var 2xz at the x² that the square itself suggests.
      spread += 2 * own ** 2 + 4 * own * Math.max(0, difference ** 2 - own);
    }
  }
  const squared = excess / cells;
  const uncertain = (DEVIATIONS * Math.sqrt(spread)) / cells;
  const bias = (tau2: number): number => {
    const signal = Math.max(0, tau2);
    return tables.reduce(
      (sum, { counts, variance: own }) =>
        sum + counts.length * MEAN_ABSOLUTE * (Math.sqrt(signal + own) - Math.sqrt(signal)),
      0,
    );
  };
  const largest = Math.max(0, squared + uncertain);
  const variance = tables.reduce(
    (sum, { counts, variance: own }) =>
      sum + counts.length * Math.min(own, (1 - MEAN_ABSOLUTE ** 2) * (own + largest)),
    0,
  );
  const scale = 2 * records * tables.length;
  const noise = DEVIATIONS * Math.sqrt(variance / scale ** 2 + ofTotal / records ** 2);
  const at = (tau2: number): number => (absolute - bias(tau2)) / scale;
  return within({
    estimate: at(squared),
    lower: at(squared - uncertain) - noise,
    upper: at(squared + uncertain) + noise,
  });
}

/**
 * What the distance would be if the records were drawn from the shares themselves: the mean over tables of ½Σ E|p̂ − p|, with the
 * normal law for each cell. No table does better on so few records; `rows` is how many synthetic ones they are held against.
 */
export function samplingDistance(tables: readonly Compared[], { records }: Total, rows: number): number {
  const spread = MEAN_ABSOLUTE * Math.sqrt(1 / records + 1 / rows);
  let sum = 0;
  for (const { shares } of tables) for (const p of shares) sum += Math.sqrt(p * (1 - p)) * spread;
  return Math.min(1, sum / 2 / tables.length);
}

/** A distance or a chance lies in 0 … 1, and so do the ends of its interval. */
export function within({ estimate, lower, upper }: Estimate): Estimate {
  const clamp = (x: number): number => Math.min(1, Math.max(0, x));
  return { estimate: clamp(estimate), lower: clamp(lower), upper: clamp(upper) };
}
