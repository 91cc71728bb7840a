import { describe, expect, it } from 'vitest';
import { clopperPearson } from '../../src/evaluation/proportions.js';
import { aucInterval, rocCurve, thinned, Z95 } from '../../src/evaluation/rocCurve.js';
import { normals, seededRng } from '../../src/synthesis/randomness.js';

/** Pairs counted one by one. */
function bruteAuc(scores: Float64Array, positive: Uint8Array): number {
  let [sum, pairs] = [0, 0];
  for (const [i, a] of scores.entries())
    for (const [j, b] of scores.entries())
      if (positive[i] === 1 && positive[j] === 0) {
        pairs++;
        sum += a > b ? 1 : a === b ? 0.5 : 0;
      }
  return sum / pairs;
}

describe('ROC curves', () => {
  it('have the area of counting pairs, ties half', () => {
    const rng = seededRng(new Uint8Array(4), 'auc');
    const scores = Float64Array.from(normals(rng, 300), (x) => Math.round(3 * x));
    const positive = Uint8Array.from(normals(rng, 300), (x, i) => Number(x + 0.3 * scores[i]! > 0.5));
    const { auc } = aucInterval(scores, positive, Z95);
    expect(auc).toBeCloseTo(bruteAuc(scores, positive), 12);
    const points = rocCurve(scores, positive);
    let area = 0;
    for (let i = 1; i < points.length; i++)
      area += ((points[i]!.fpr - points[i - 1]!.fpr) * (points[i]!.tpr + points[i - 1]!.tpr)) / 2;
    expect(area).toBeCloseTo(auc, 12);
    expect([points[0], points.at(-1)]).toEqual([
      { fpr: 0, tpr: 0 },
      { fpr: 1, tpr: 1 },
    ]);
    const few = thinned(points, 5);
    expect(few.length).toBeLessThanOrEqual(6);
    expect(few.at(-1)).toEqual({ fpr: 1, tpr: 1 });
  });

  it('have DeLong’s variance: that of the two samples of placements', () => {
    // By hand: positives 3, 1; negatives 2, 0. V10 = 1, ½; V01 = ½ (of 2), 1 (of 0). S10 = S01 = ⅛, variance ⅛/2 + ⅛/2 = ⅛.
    const { auc, lower, upper } = aucInterval(Float64Array.of(3, 1, 2, 0), Uint8Array.of(1, 1, 0, 0), 0.5);
    expect(auc).toBe(0.75);
    expect([lower, upper]).toEqual([0.75 - 0.5 * Math.sqrt(1 / 8), 0.75 + 0.5 * Math.sqrt(1 / 8)]);
  });

  it('cover the true area about as often as they say: 95 of 100 within 86 to 100 (a chance below 1e-4 of failing)', () => {
    let covered = 0;
    const rng = seededRng(new Uint8Array(4), 'coverage');
    for (let trial = 0; trial < 100; trial++) {
      const scores = Float64Array.from(normals(rng, 200), (x, i) => x + Number(i < 100));
      const { lower, upper } = aucInterval(scores, new Uint8Array(200).fill(1, 0, 100), Z95);
      // Φ(1/√2).
      covered += Number(lower <= 0.7602499 && 0.7602499 <= upper);
    }
    expect(covered).toBeGreaterThanOrEqual(86);
  });

  it('are of no opinion where a class is empty', () => {
    expect(aucInterval(Float64Array.of(1, 2), Uint8Array.of(1, 1), Z95)).toEqual({
      auc: 0.5,
      lower: 0,
      upper: 1,
    });
  });
});

describe('Clopper and Pearson’s interval', () => {
  it('agrees with the beta quantiles', () => {
    // 1 − 0.025^(1/10) and its mirror image; the others from tables of the beta distribution.
    expect(clopperPearson(0, 10, 0.95)).toMatchObject({
      lower: 0,
      upper: expect.closeTo(1 - 0.025 ** 0.1, 8),
    });
    expect(clopperPearson(10, 10, 0.95)).toMatchObject({ lower: expect.closeTo(0.025 ** 0.1, 8), upper: 1 });
    expect(clopperPearson(5, 10, 0.95)).toMatchObject({
      lower: expect.closeTo(0.1870860284, 8),
      upper: expect.closeTo(0.8129139716, 8),
    });
    expect(clopperPearson(4, 20, 0.95)).toMatchObject({
      lower: expect.closeTo(0.0573339912, 6),
      upper: expect.closeTo(0.4366140043, 6),
    });
  });

  it('stays a number for many trials and knows that none says nothing', () => {
    const { share, lower, upper } = clopperPearson(20_000, 40_000, 0.99);
    expect(share).toBe(0.5);
    // ± 2.5758 standard deviations of 0.0025.
    expect(upper - lower).toBeCloseTo(2 * 2.5758 * 0.0025, 4);
    expect(clopperPearson(0, 0, 0.99)).toEqual({ share: Number.NaN, lower: 0, upper: 1 });
  });
});
