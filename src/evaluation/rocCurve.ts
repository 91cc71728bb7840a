/**
 * ROC curves and the area under them. Scores are higher for the positive class; ties are half right, as everywhere in the literature
 * (Mann, Whitney 1947).
 */
export interface RocPoint {
  readonly fpr: number;
  readonly tpr: number;
}

export interface AucInterval {
  readonly auc: number;
  readonly lower: number;
  readonly upper: number;
}

/** Two-sided quantiles of the normal distribution: 95 % and 99 %. */
export const Z95 = 1.959963984540054;
export const Z99 = 2.5758293035489004;

/** Area under the curve; ½ where a class is empty. */
export function auc(scores: Float64Array, positive: Uint8Array): number {
  return aucInterval(scores, positive, 0).auc;
}

/**
 * With the interval of DeLong, DeLong, Clarke-Pearson 1988 in the mid-rank form of Sun, Xu 2014 (Algorithm 2); `z` is the normal
 * quantile. [0, 1] around ½ where a class has fewer than two members.
 */
export function aucInterval(scores: Float64Array, positive: Uint8Array, z: number): AucInterval {
  const order = descending(scores).reverse();
  const n = positive.reduce((sum, one) => sum + one, 0);
  const m = positive.length - n;
  if (n === 0 || m === 0) return { auc: 0.5, lower: 0, upper: 1 };
  // V10(x) = P(score of a negative < x) for positives, V01(y) = P(score of a positive > y) for negatives, ties half.
  let [positivesBelow, negativesBelow] = [0, 0];
  let [sum10, square10, square01] = [0, 0, 0];
  for (let from = 0; from < order.length; ) {
    let to = from;
    let [p, q] = [0, 0];
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) {
      if (positive[order[to]!] === 1) p++;
      else q++;
      to++;
    }
    const above = (negativesBelow + q / 2) / m;
    const below = 1 - (positivesBelow + p / 2) / n;
    sum10 += p * above;
    square10 += p * above * above;
    square01 += q * below * below;
    positivesBelow += p;
    negativesBelow += q;
    from = to;
  }
  const area = sum10 / n;
  if (n < 2 || m < 2) return { auc: area, lower: 0, upper: 1 };
  const variance10 = Math.max(0, (square10 - n * area * area) / (n - 1));
  const variance01 = Math.max(0, (square01 - m * area * area) / (m - 1));
  const half = z * Math.sqrt(variance10 / n + variance01 / m);
  return { auc: area, lower: Math.max(0, area - half), upper: Math.min(1, area + half) };
}

/** The curve from (0, 0) to (1, 1), one point a distinct score. */
export function rocCurve(scores: Float64Array, positive: Uint8Array): RocPoint[] {
  const order = descending(scores);
  const n = positive.reduce((sum, one) => sum + one, 0);
  const m = positive.length - n;
  const points: RocPoint[] = [{ fpr: 0, tpr: 0 }];
  let [p, q] = [0, 0];
  for (let i = 0; i < order.length; i++) {
    if (positive[order[i]!] === 1) p++;
    else q++;
    if (i + 1 === order.length || scores[order[i + 1]!] !== scores[order[i]!])
      points.push({ fpr: q / (m || 1), tpr: p / (n || 1) });
  }
  return points;
}

/** At most `count` points of a curve, its ends among them, evenly along its length: for a picture. */
export function thinned(points: readonly RocPoint[], count: number): RocPoint[] {
  if (points.length <= count) return [...points];
  const kept: RocPoint[] = [];
  const round = (value: number): number => Number(value.toFixed(5));
  for (const { fpr, tpr } of points) {
    // fpr + tpr rises along the curve from 0 to 2.
    if (kept.length === 0 || fpr + tpr >= (2 * kept.length) / (count - 1) || fpr + tpr === 2)
      kept.push({ fpr: round(fpr), tpr: round(tpr) });
  }
  return kept;
}

function descending(scores: Float64Array): Uint32Array {
  return Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
}
