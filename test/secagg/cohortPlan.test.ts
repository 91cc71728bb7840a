import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { type HararyNeeds, hararyPlan, hararyRisks, PLAN_SECURITY } from '../../src/secagg/cohortPlan.js';
import { hararyGraph, neighbours } from '../../src/secagg/graph.js';
import { leastRareCounts, log2Tail } from '../../src/secagg/hypergeometric.js';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const seedNumber = (i: number): Uint8Array => createHash('sha256').update(`plan ${i}`).digest();

/** A second way: logarithms of factorials, floats. */
const logFactorials = [0];
for (let i = 1; i <= 5000; i++) logFactorials.push(logFactorials[i - 1]! + Math.log(i));
const logBinomial = (n: number, k: number): number =>
  k < 0 || k > n ? Number.NEGATIVE_INFINITY : logFactorials[n]! - logFactorials[k]! - logFactorials[n - k]!;
function floatLog2Tail(N: number, M: number, k: number, x: number): number {
  const terms: number[] = [];
  for (let i = Math.max(0, x); i <= Math.min(M, k); i++)
    terms.push(logBinomial(M, i) + logBinomial(N - M, k - i) - logBinomial(N, k));
  const most = Math.max(...terms, Number.NEGATIVE_INFINITY);
  if (most === Number.NEGATIVE_INFINITY) return most;
  return (most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0))) / Math.LN2;
}

describe('hypergeometric tails', () => {
  it('are the share of all subsets, counted one by one', () => {
    for (const [N, M, k] of [
      [6, 2, 3],
      [8, 5, 4],
      [10, 3, 7],
      [11, 0, 5],
    ] as const) {
      const draws = range(2 ** N).filter((set) => range(N).filter((i) => (set >> i) & 1).length === k);
      for (let x = 0; x <= M + 1; x++) {
        const hits = draws.filter((set) => range(M).filter((i) => (set >> i) & 1).length >= x).length;
        expect(log2Tail(N, M, k, x)).toBeCloseTo(Math.log2(hits / draws.length), 10);
      }
    }
  });

  it('agree with floating-point factorials, deep into the tail', () => {
    for (const [N, M, k] of [
      [999, 50, 70],
      [999, 333, 300],
      [1023, 511, 400],
      [299, 30, 66],
    ] as const)
      for (let x = 0; x <= Math.min(M, k); x += 7) {
        const exact = log2Tail(N, M, k, x);
        // Below −1000 both are as good as never; the float route loses digits there.
        if (exact > -1000) expect(exact, `${N} ${M} ${k} ${x}`).toBeCloseTo(floatLog2Tail(N, M, k, x), 6);
      }
  });

  it('least rare counts: the recurrence finds what the tails say, for every number of draws', () => {
    for (const [N, M, bits] of [
      [20, 7, 5],
      [299, 100, 40],
      [999, 50, 104],
      [60, 0, 3],
      [12, 12, 9],
    ] as const) {
      const least = leastRareCounts({
        population: N,
        marked: M,
        weight: 3n << BigInt(bits),
        bound: 'at most',
      });
      expect(least).toHaveLength(N + 1);
      const limit = -bits - Math.log2(3);
      for (const [k, x] of least.entries()) {
        if (N > 100 && k % 17 !== 0) continue;
        expect(log2Tail(N, M, k, x), `k=${k}`).toBeLessThanOrEqual(limit);
        expect(log2Tail(N, M, k, x - 1), `k=${k}`).toBeGreaterThan(limit);
      }
    }
  });

  it('decides exactly at a boundary: 1/8 is at most 1/8, and not below it', () => {
    // One of eight is marked, one draw.
    const at = (bound: 'at most' | 'below') =>
      leastRareCounts({ population: 8, marked: 1, weight: 8n, bound })[1];
    expect(at('at most')).toBe(1);
    expect(at('below')).toBe(2);
  });
});

describe('the plan of a Harary graph', () => {
  const third = (n: number) => Math.floor(n / 3);
  const twentieth = (n: number) => n / 20;
  const tenth = (n: number) => n / 10;
  it.each([
    [100, twentieth, twentieth, 0, 16, 11],
    [300, twentieth, twentieth, 0, 38, 27],
    [1000, twentieth, twentieth, 0, 52, 37],
    [100, tenth, tenth, 0, 32, 22],
    [300, tenth, tenth, 0, 66, 46],
    [1000, tenth, tenth, 0, 96, 67],
    [100, third, tenth, 0, 54, 44],
    [300, third, tenth, 0, 130, 103],
    [1000, third, tenth, 0, 218, 171],
    [1000, twentieth, twentieth, 64, 70, 53],
    [1000, tenth, tenth, 64, 132, 97],
    [1000, third, tenth, 64, 300, 243],
  ] as const)(
    'the published degrees and thresholds: %i members, case %#',
    (n, colluders, lost, permutationTriesLog2, k, t) => {
      const needs: HararyNeeds = {
        members: n,
        maxColluders: colluders(n),
        dropouts: lost(n),
        security: { ...PLAN_SECURITY, permutationTriesLog2 },
      };
      const plan = hararyPlan(needs)!;
      expect(plan).toMatchObject({ shareholders: k, threshold: t });
      // The check of the cut is never what stops an honest round: 2^-77 at most here.
      expect(hararyRisks(needs, plan).cutRefusedLog2).toBeLessThan(-75);
    },
  );

  it('for every cohort from 5 to 1024 is safe by the second computation too, and the smallest that is', () => {
    let found = 0;
    for (const n of [5, 6, 7, 9, 12, 20, 33, 65, 128, 257, 500, 1024])
      for (const c of [0, 1, 0.05, 0.2, 0.33])
        for (const d of [0, 1, 0.05, 0.15, 0.3]) {
          const of = (rate: number) => (rate >= 1 ? rate : Math.floor(rate * n));
          const [C, D] = [of(c), of(d)];
          const plan = hararyPlan({ members: n, maxColluders: C, dropouts: D });
          if (plan === undefined) continue;
          found++;
          const { shareholders: k, threshold: t, cutFloor } = plan;
          const log2n = Math.log2(n);
          const what = `${n} ${C} ${D} ${k} ${t} ${cutFloor}`;
          expect(k % 2, what).toBe(0);
          expect(k, what).toBeLessThan(n);
          expect(2 * t, what).toBeGreaterThan(k);
          // Enough survivors for t neighbours: the plan never lies above minSurvivors.
          expect(t, what).toBeLessThan(n - D);
          expect(log2n + floatLog2Tail(n - 1, C, k, 2 * t - k), what).toBeLessThan(-104 + 1e-6);
          expect(2 * log2n - 1 + floatLog2Tail(n, C, k, cutFloor), what).toBeLessThan(-104 + 1e-6);
          expect(log2n + floatLog2Tail(n - 1, D, k, k - t + 1), what).toBeLessThan(-20 + 1e-6);
          expect(2 * log2n - 1 + floatLog2Tail(n, D, k, k - cutFloor + 1), what).toBeLessThan(-20 + 1e-6);
          // All smaller ones where that is quick, else those just below.
          for (let less = n > 100 ? Math.max(2, k - 6) : 2; less < k; less += 2) {
            const some = range(less + 1).some(
              (s) =>
                2 * s > less &&
                log2n + floatLog2Tail(n - 1, C, less, 2 * s - less) <= -104 &&
                log2n + floatLog2Tail(n - 1, D, less, less - s + 1) < -20,
            );
            const cut = range(less + 1).some(
              (floor) =>
                floor > 0 &&
                2 * log2n - 1 + floatLog2Tail(n, C, less, floor) <= -104 &&
                2 * log2n - 1 + floatLog2Tail(n, D, less, less - floor + 1) < -20,
            );
            expect(some && cut, `${what}: ${less} neighbours would do`).toBe(false);
          }
        }
    expect(found).toBeGreaterThan(150);
  });

  it('small cohorts: two neighbours where nobody is lost, more with every loss, none where all may be lost', () => {
    const of = (members: number, maxColluders: number, dropouts: number) =>
      hararyPlan({ members, maxColluders, dropouts });
    expect(of(5, 1, 0)).toEqual({ shareholders: 2, threshold: 2, cutFloor: 2 });
    expect(of(5, 1, 1)).toEqual({ shareholders: 4, threshold: 3, cutFloor: 2 });
    expect(of(7, 1, 2)).toEqual({ shareholders: 6, threshold: 4, cutFloor: 2 });
    expect(of(5, 1, 2)).toBeUndefined();
    expect(of(5, 3, 0)).toEqual({ shareholders: 4, threshold: 4, cutFloor: 4 });
    expect(of(5, 4, 0)).toBeUndefined();
    expect(of(1000, 450, 450)).toBeUndefined();
  });

  it('where the cut asks for more neighbours than the shares do, the lower of two thresholds is taken', () => {
    const security = { ...PLAN_SECURITY, permutationTriesLog2: 0 };
    const needs: HararyNeeds = { members: 400, maxColluders: 22, dropouts: 0, security };
    const plan = hararyPlan(needs)!;
    expect(plan).toEqual({ shareholders: 14, threshold: 13, cutFloor: 13 });
    // Fourteen of fourteen shares would do as well; with twelve neighbours the shares would, the cut would not.
    expect(hararyRisks(needs, { ...plan, threshold: 14 }).lackOfSharesLog2).toBe(Number.NEGATIVE_INFINITY);
    expect(hararyRisks(needs, { ...plan, threshold: 12 }).exposureLog2).toBeGreaterThan(-40);
    const twelve = { shareholders: 12, threshold: 12, cutFloor: 12 };
    expect(hararyRisks(needs, twelve).exposureLog2).toBeLessThan(-40);
    expect(hararyRisks(needs, twelve).splitLog2).toBeGreaterThan(-40);
    // Planned once: the same object again.
    expect(hararyPlan({ ...needs })).toBe(plan);
  });

  it('refuses what is no cohort', () => {
    const needs = { members: 10, maxColluders: 1, dropouts: 1 };
    expect(() => hararyPlan({ ...needs, members: 10.5 })).toThrow(RangeError);
    expect(() => hararyPlan({ ...needs, dropouts: -1 })).toThrow(RangeError);
    expect(() => hararyPlan({ ...needs, members: 5000 })).toThrow(RangeError);
    expect(() => hararyPlan({ ...needs, security: { ...PLAN_SECURITY, failureLog2: 0 } })).toThrow(
      RangeError,
    );
  });

  it('Monte Carlo over real rings: events are as frequent as the tails say; unpermuted rings are not safe', () => {
    const needs: HararyNeeds = {
      members: 60,
      maxColluders: 12,
      dropouts: 8,
      security: { failureLog2: -4, securityLog2: -4, permutationTriesLog2: 0 },
    };
    const { members: n, maxColluders: C, dropouts: D } = needs;
    const plan = hararyPlan(needs)!;
    const { shareholders: k, threshold: t } = plan;
    const trials = 4000;
    /** Members 0 … marked − 1 are marked: how many of the others see `count` of them or more nearby. */
    const seeing = (marked: number, count: number, graph: ReturnType<typeof hararyGraph>) =>
      range(n)
        .slice(marked)
        .filter((member) => neighbours(graph, member).filter((other) => other < marked).length >= count)
        .length;
    // The events themselves are rare: frequencies are compared a little below them.
    const [someColluders, someLosses] = [2 * t - k - 3, k - t - 1];
    const exposed: number[] = [];
    const short: number[] = [];
    let [ringsExposed, ringsShort] = [0, 0];
    for (let i = 0; i < trials; i++) {
      const graph = hararyGraph(range(n), plan, seedNumber(i), nodePrimitives);
      exposed.push(seeing(C, someColluders, graph));
      short.push(seeing(D, someLosses, graph));
      ringsExposed += Math.min(1, seeing(C, 2 * t - k, graph));
      ringsShort += Math.min(1, seeing(D, k - t + 1, graph));
    }
    for (const [seen, expected] of [
      [exposed, (n - C) * 2 ** log2Tail(n - 1, C, k, someColluders)],
      [short, (n - D) * 2 ** log2Tail(n - 1, D, k, someLosses)],
    ] as const) {
      const mean = seen.reduce((sum, value) => sum + value, 0) / trials;
      const variance = seen.reduce((sum, value) => sum + (value - mean) ** 2, 0) / trials;
      const allowed = 5 * Math.sqrt(variance / trials);
      // Or it would say nothing.
      expect(allowed / expected).toBeLessThan(0.5);
      expect(Math.abs(mean - expected)).toBeLessThan(allowed);
    }
    expect(ringsExposed / trials).toBeLessThan(1 / 16);
    expect(ringsShort / trials).toBeLessThan(1 / 16);
    // Positive control: twelve who enrolled one after the other, on a ring in order of enrolment.
    const unpermuted = {
      ...hararyGraph(range(n), plan, seedNumber(0), nodePrimitives),
      order: range(n),
    };
    expect(seeing(C, Math.min(C, k / 2), unpermuted)).toBeGreaterThan(0);
    expect(2 * t - k).toBeLessThanOrEqual(Math.min(C, k / 2));
  });
});
