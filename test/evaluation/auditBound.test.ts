import { describe, expect, it } from 'vitest';
import { auditPValue, epsilonEmpirical } from '../../src/evaluation/audit/bound.js';
import { bestFinding, GUESSED_SHARES, mostShown } from '../../src/evaluation/audit/guesses.js';
import { uniforms } from '../../src/synthesis/randomness.js';
import { rngOf } from '../synthesis/fixtures.js';

const guesses = (canaries: number, made: number, right: number) => ({ canaries, made, right });

/*
 * Exact rationals: the right side of Theorem 5.2 added up term by term in Python's `fractions`, e^ε/(e^ε + 1) = 3/4 in the first
 * table, 40 digits of it in the second. The paper prints no table; these are of the code of its Appendix D, done over.
 */
describe('the bound of Steinke, Nasr, Jagielski 2023, Theorem 5.2', () => {
  it.each([
    [1000, 100, 85, 1e-5, 0.0122853873561232],
    [1000, 100, 85, 0, 0.01108326750746014],
    [256, 256, 240, 1e-6, 8.240547605323931e-6],
    [5000, 300, 260, 1e-5, 0.002040000419043889],
    [40, 10, 10, 0.01, 0.24819660186767578],
  ])('gives the exact p-value at ε = log 3: m %d, r %d, v %d, δ %d', (m, r, v, delta, exact) => {
    const found = auditPValue(guesses(m, r, v), Math.log(3), delta);
    expect(found / exact).toBeGreaterThanOrEqual(1 - 1e-12); // from above
    expect(found / exact).toBeLessThan(1 + 1e-7);
  });

  it.each([
    [1000, 100, 85, 1e-5, 1.2531069434],
    [1000, 100, 85, 0, 1.256732376],
    [256, 256, 256, 1e-6, 4.4414418429],
    [5000, 300, 260, 1e-5, 1.5781939773],
    [64, 64, 40, 0, 0.0591734829],
  ])('gives the largest ε that is refuted: m %d, r %d, v %d, δ %d', (m, r, v, delta, exact) => {
    expect(Math.abs(epsilonEmpirical(guesses(m, r, v), delta, 0.95) - exact)).toBeLessThan(1e-7);
  });

  it('says nothing where nothing was guessed, or no better than by chance', () => {
    expect(epsilonEmpirical(guesses(100, 0, 0), 1e-6, 0.95)).toBe(0);
    expect(epsilonEmpirical(guesses(100, 100, 50), 1e-6, 0.95)).toBe(0);
    expect(auditPValue(guesses(100, 100, 0), 1, 1e-6)).toBe(1);
  });

  it('grows with the right guesses, and falls with the confidence, δ and the canaries not guessed', () => {
    const at = (m: number, r: number, v: number, delta = 1e-5, confidence = 0.95) =>
      epsilonEmpirical(guesses(m, r, v), delta, confidence);
    for (let v = 60; v < 100; v++) expect(at(500, 100, v + 1)).toBeGreaterThanOrEqual(at(500, 100, v));
    expect(at(500, 100, 90, 1e-5, 0.99)).toBeLessThan(at(500, 100, 90));
    expect(at(500, 100, 90, 1e-4)).toBeLessThan(at(500, 100, 90));
    expect(at(5000, 100, 90)).toBeLessThan(at(500, 100, 90));
  });

  it('has a p-value that rises with ε until it is above every level: what the search by halves rests on', () => {
    for (const [m, r, v] of [
      [100, 20, 20],
      [500, 100, 85],
      [1000, 1000, 700],
    ] as const)
      for (const delta of [0, 1e-6, 1e-4]) {
        let before = 0;
        for (let epsilon = 0; before < 0.5 && epsilon < 12; epsilon += 1 / 32) {
          const p = auditPValue(guesses(m, r, v), epsilon, delta);
          expect(p).toBeGreaterThanOrEqual(before);
          before = p;
        }
        expect(before).toBeGreaterThan(0.5);
      }
  });

  it.each([
    [guesses(0, 0, 0), 0.95],
    [guesses(10, 11, 5), 0.95],
    [guesses(10, 5, 6), 0.95],
    [guesses(10, 5, 2.5), 0.95],
    [guesses(10, 5, -1), 0.95],
    [guesses(10, 5, 5), 1],
    [guesses(10, 5, 5), Number.NaN],
  ])('refuses %j at confidence %d', (made, confidence) => {
    expect(() => epsilonEmpirical(made, 1e-6, confidence)).toThrow(
      expect.objectContaining({ code: 'AuditInvalid' }),
    );
  });
});

/** Games with a known (ε, δ): how often does the audit claim more than there is? */
const RUNS = 1000;
const CANARIES = 200;
const CONFIDENCE = 0.95;
/** Claims too many if the true rate were 5 %: exceeded with probability 10⁻⁶ (normal quantile 4.75), on fixed seeds. */
const MOST_OVERCLAIMS = RUNS * 0.05 + 4.75 * Math.sqrt(RUNS * 0.05 * 0.95);

/** `scoreOf` sees whether a canary is in, and three fresh uniform numbers. */
type Game = (isIn: boolean, u: number, v: number, w: number) => number;

function overclaims(game: Game, epsilon: number, delta: number, label: string): number {
  const rng = rngOf(17, label);
  let claims = 0;
  for (let run = 0; run < RUNS; run++) {
    const draws = uniforms(rng, 4 * CANARIES);
    const included = Array.from({ length: CANARIES }, (_, i) => draws[4 * i]! < 0.5);
    const scores = included.map((isIn, i) =>
      game(isIn, draws[4 * i + 1]!, draws[4 * i + 2]!, draws[4 * i + 3]!),
    );
    if (bestFinding(scores, included, delta, CONFIDENCE).epsilonEmpirical > epsilon) claims += 1;
  }
  return claims;
}

/** Tells the truth with probability e^ε/(e^ε + 1): (ε, 0)-DP. The second number breaks ties. */
const randomizedResponse =
  (epsilon: number): Game =>
  (isIn, u, v) =>
    (isIn === u < 1 / (1 + Math.exp(-epsilon)) ? 1 : -1) + 1e-3 * v;

/** 1 if in, plus Laplace noise of scale 1/ε: (ε, 0)-DP. */
const laplace =
  (epsilon: number): Game =>
  (isIn, u, v) =>
    (isIn ? 1 : 0) + ((u < 0.5 ? -1 : 1) * -Math.log(v)) / epsilon;

/** With probability δ the truth, for all to see, else randomized response: (ε, δ)-DP. */
const leaky =
  (epsilon: number, delta: number): Game =>
  (isIn, u, v, w) =>
    w < delta ? (isIn ? 9 : -9) : randomizedResponse(epsilon)(isIn, u, v, w);

describe('the audit of a game whose ε is known', () => {
  it.each([
    ['randomized response', 0.5, randomizedResponse(0.5)],
    ['randomized response', 2, randomizedResponse(2)],
    ['Laplace noise', 1, laplace(1)],
    ['Laplace noise', 3, laplace(3)],
  ] as const)('claims too much in at most one run in twenty of %s with ε = %d', (label, epsilon, game) => {
    expect(overclaims(game, epsilon, 1e-6, label)).toBeLessThanOrEqual(MOST_OVERCLAIMS);
  });

  it('claims too much in at most 5 % where δ is spent too, and would not if δ were left out', () => {
    for (const delta of [0.002, 0.2])
      expect(overclaims(leaky(1, delta), 1, delta, 'leaky')).toBeLessThanOrEqual(MOST_OVERCLAIMS);
    // Positive control: the same game, as if it had no δ.
    expect(overclaims(leaky(1, 0.2), 1, 0, 'leaky')).toBeGreaterThan(RUNS / 2);
  });

  it('finds a leakier game out: ε = 3 where 1 is declared, every time', () => {
    expect(overclaims(randomizedResponse(3), 1, 1e-6, 'leakier')).toBe(RUNS);
  });

  it('would claim too much if the share that is guessed were chosen after the scores, without paying for it', () => {
    // The control of the union bound: the best of many shares, each at the whole error rate.
    const rng = rngOf(17, 'greedy');
    let greedy = 0;
    for (let run = 0; run < RUNS / 4; run++) {
      const draws = uniforms(rng, 2 * CANARIES);
      const included = Array.from({ length: CANARIES }, (_, i) => draws[2 * i]! < 0.5);
      const order = included.map((_, i) => i).sort((a, b) => draws[2 * a + 1]! - draws[2 * b + 1]!);
      const shown = Array.from({ length: CANARIES / 2 }, (_, half) => {
        const each = half + 1;
        const right =
          order.slice(0, each).filter((i) => included[i]).length +
          order.slice(CANARIES - each).filter((i) => !included[i]).length;
        return epsilonEmpirical(guesses(CANARIES, 2 * each, right), 0, CONFIDENCE);
      });
      if (Math.max(...shown) > 0) greedy += 1;
    }
    expect(greedy).toBeGreaterThan((RUNS / 4) * 0.1);
  });
});

describe('guesses', () => {
  it('are the highest and the lowest scores, and nothing else counts', () => {
    const included = Array.from({ length: 64 }, (_, i) => i % 2 === 0);
    const right = included.map((isIn, i) => (isIn ? 100 + i : -i));
    const best = bestFinding(right, included, 0, CONFIDENCE);
    expect(best.guesses).toEqual({ canaries: 64, made: 64, right: 64 });
    expect(best.epsilonEmpirical).toBe(mostShown(64, 0, CONFIDENCE));
    const reversed = right.map((score) => -score);
    expect(bestFinding(reversed, included, 0, CONFIDENCE).epsilonEmpirical).toBe(0);
  });

  it('are tested at a third of the error rate each, as there are three shares: every guess right, by hand', () => {
    // δ = 0 and all m right: P[W = m] = (e^ε/(e^ε + 1))^m is the level at ε = log x/(1 − x), x = level^(1/m).
    expect(GUESSED_SHARES).toHaveLength(3);
    const x = ((1 - CONFIDENCE) / 3) ** (1 / 64);
    expect(mostShown(64, 0, CONFIDENCE)).toBeCloseTo(Math.log(x / (1 - x)), 6);
    // Control: at the whole error rate it would be 0.3 more.
    const whole = (1 - CONFIDENCE) ** (1 / 64);
    expect(Math.log(whole / (1 - whole)) - mostShown(64, 0, CONFIDENCE)).toBeGreaterThan(0.3);
  });

  it('take a score that is no number for 0, wherever it stands', () => {
    const included = Array.from({ length: 40 }, (_, i) => i < 20);
    const scores = included.map((isIn, i) => (i % 10 === 0 ? Number.NaN : isIn ? 1 : -1));
    const plain = scores.map((score) => (Number.isNaN(score) ? 0 : score));
    expect(bestFinding(scores, included, 0, CONFIDENCE)).toEqual(bestFinding(plain, included, 0, CONFIDENCE));
  });
});
