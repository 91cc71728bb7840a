import { scaledNormalTail } from '../../privacy/accountants/pld/normal.js';
import { DEVIATIONS, type Estimate, within } from './distances.js';

/** Records over ascending bins, noise included: `variance` is that of one count, the same in both tables. */
export interface Histograms {
  readonly variance: number;
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
}

/**
 * The area under the ROC curve: the chance that a positive scores above a negative, half of a tie's (Bamber 1975). The interval
 * is normal, with the variance of DeLong, DeLong, Clarke-Pearson (1988) for the sampling of the records, and for the noise the
 * square of the area's gradient in each count. Where fewer records are counted than noise, nothing is known: 0 to 1.
 */
export function areaUnderCurve({ positives, negatives, variance }: Histograms): Estimate {
  const p = sumOf(positives);
  const n = sumOf(negatives);
  if (Math.min(p, n) < Math.max(1, DEVIATIONS * Math.sqrt(variance * positives.length)))
    return { estimate: 0.5, lower: 0, upper: 1 };
  const below = placements(negatives, n);
  const above = placements(positives, p).map((share) => 1 - share);
  const area = positives.reduce((sum, count, k) => sum + count * (below[k] as number), 0) / p;
  let noise = 0;
  let sampling = 0;
  for (const [counts, total, placed] of [
    [positives, p, below],
    [negatives, n, above],
  ] as const) {
    let spread = 0;
    counts.forEach((count, k) => {
      const off = ((placed[k] as number) - area) ** 2;
      noise += (variance * off) / total ** 2;
      spread += Math.max(0, count) * off;
    });
    sampling += spread / total ** 2;
  }
  const half = DEVIATIONS * Math.sqrt(noise + sampling);
  return within({ estimate: area, lower: area - half, upper: area + half });
}

/** Of each bin the share below it and half of its own. */
function placements(counts: Float64Array, total: number): Float64Array {
  let below = 0;
  return counts.map((count) => {
    const share = (below + count / 2) / total;
    below += count;
    return share;
  });
}

export interface Distances {
  /** Records by distance, 0 first, noise included. */
  readonly counts: Float64Array;
  readonly variance: number;
}

/**
 * The advantage of the attack that calls whoever is at most t columns from a synthetic row a member: the largest difference over t
 * between its hits among training records and its false alarms among held-out ones (Yeom et al. 2018), 0 at least. The interval
 * holds at all t at once (Bonferroni), sampling of the records included: no t that was left out has a larger one.
 */
export function attackAdvantage(training: Distances, heldOut: Distances): Estimate {
  const thresholds = training.counts.length - 1;
  const deviations = deviationsOf(0.025 / thresholds);
  const [members, others] = [cumulated(training), cumulated(heldOut)];
  if (members === undefined || others === undefined) return { estimate: 0, lower: 0, upper: 1 };
  let [estimate, lower, upper] = [0, 0, 0];
  for (let t = 0; t < thresholds; t++) {
    const difference = (members.shares[t] as number) - (others.shares[t] as number);
    const half = deviations * Math.sqrt((members.variances[t] as number) + (others.variances[t] as number));
    estimate = Math.max(estimate, difference);
    lower = Math.max(lower, difference - half);
    upper = Math.max(upper, difference + half);
  }
  return within({ estimate, lower, upper });
}

/** Shares up to each distance with their variances; undefined where noise outweighs the records. */
function cumulated({ counts, variance }: Distances) {
  const total = sumOf(counts);
  if (total < Math.max(1, DEVIATIONS * Math.sqrt(variance * counts.length))) return undefined;
  let below = 0;
  const shares = counts.map((count) => {
    below += count;
    return below / total;
  });
  const variances = shares.map((share, t) => {
    const p = Math.min(1, Math.max(0, share));
    const noise = (t + 1) * (1 - share) ** 2 + (counts.length - t - 1) * share ** 2;
    return (variance * noise) / total ** 2 + (p * (1 - p)) / total;
  });
  return { shares, variances };
}

/** z with P(N(0, 1) > z) = tail, by bisection; 0 < tail < ½. */
export function deviationsOf(tail: number): number {
  let [low, high] = [0, 40];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (scaledNormalTail(middle) * Math.exp((-middle * middle) / 2) > tail) low = middle;
    else high = middle;
  }
  return high;
}

function sumOf(counts: Float64Array): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
