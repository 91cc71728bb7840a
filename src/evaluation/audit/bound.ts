import { EvaluationError } from '../errors.js';

/**
 * What a number of right guesses says about ε: Steinke, Nasr, Jagielski 2023, "Privacy Auditing with One (1) Training
 * Run", Theorem 5.2 and Appendix D.
 *
 * Theorem. m canaries are each in the data with probability ½, independently, and a mechanism is (ε, δ)-DP when one of them
 * is added or removed. Of r ≤ m guesses made from its output (the others are abstentions), r fixed beforehand,
 *
 *   P[right guesses ≥ v] ≤ P[W ≥ v] + 2mδ · max_i P[v > W ≥ v − i]/i,   W ~ Binomial(r, e^ε/(e^ε + 1)).
 *
 * So if the right side is below p for what was counted, (ε, δ) is refuted with confidence 1 − p.
 */
export interface Guesses {
  /** m: canaries, each in the data with probability ½. */
  readonly canaries: number;
  /** r: those that were guessed. */
  readonly made: number;
  /** v: guesses that were right. */
  readonly right: number;
}

/** Far above any audit; the tables are of this length at most. */
const MAX_CANARIES = 1_000_000;
/** Logarithms of factorials are sums of up to 10⁶ rounded terms: the p-value is raised by more than their error. */
const ROUND_UP = 1 + 1e-8;
/** No audit of 10⁶ canaries shows more. */
const LARGEST_EPSILON = 64;

/** The right side of the theorem: how likely so many right guesses are at most, if (ε, δ) holds. 1 at most. */
export function auditPValue({ canaries, made, right }: Guesses, epsilon: number, delta: number): number {
  checkGuesses({ canaries, made, right });
  if (!(epsilon >= 0) || !(delta >= 0 && delta < 1))
    throw new EvaluationError('AuditInvalid', `ε ≥ 0 and 0 ≤ δ < 1 are needed, got ${epsilon} and ${delta}`);
  const logOdds = Math.log1p(Math.exp(-epsilon));
  const logFactorials = factorials(made);
  /** P[W = k]; the accuracy of ε-DP randomized response is e^ε/(e^ε + 1). */
  const mass = (k: number): number =>
    Math.exp(
      logFactorials[made]! -
        logFactorials[k]! -
        logFactorials[made - k]! -
        made * logOdds -
        (made - k) * epsilon,
    );
  let atLeast = 0;
  for (let k = right; k <= made; k++) atLeast += mass(k);
  let below = 0;
  let steepest = 0;
  for (let i = 1; i <= right; i++) {
    below += mass(right - i);
    steepest = Math.max(steepest, below / i);
  }
  return Math.min(1, (atLeast + 2 * canaries * delta * steepest) * ROUND_UP);
}

/**
 * The largest ε that the guesses refute at `delta` with the given confidence, to 2⁻³⁰, from below; 0 if none. This is no bound of
 * an accountant: a weak attack shows little, whatever the mechanism leaks.
 */
export function epsilonEmpirical(guesses: Guesses, delta: number, confidence: number): number {
  if (!(confidence > 0 && confidence < 1))
    throw new EvaluationError('AuditInvalid', `the confidence must be between 0 and 1, got ${confidence}`);
  const refuted = (epsilon: number): boolean => auditPValue(guesses, epsilon, delta) < 1 - confidence;
  if (!refuted(0)) return 0;
  let low = 0;
  let high = 1;
  while (high < LARGEST_EPSILON && refuted(high)) high *= 2;
  while (high - low > 2 ** -30) {
    const middle = (low + high) / 2;
    if (refuted(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function checkGuesses({ canaries, made, right }: Guesses): void {
  const whole = [canaries, made, right].every(Number.isSafeInteger);
  if (!whole || canaries < 1 || canaries > MAX_CANARIES || made > canaries || right > made || right < 0)
    throw new EvaluationError(
      'AuditInvalid',
      `an audit has 0 ≤ right ≤ made ≤ canaries, and 1 to ${MAX_CANARIES} of those; got ${right}, ${made}, ${canaries}`,
    );
}

let table = Float64Array.of(0);

/** log k! for k = 0 … n at least. */
function factorials(n: number): Float64Array {
  if (table.length <= n) {
    const longer = new Float64Array(2 * n + 1);
    longer.set(table);
    for (let k = table.length; k < longer.length; k++) longer[k] = longer[k - 1]! + Math.log(k);
    table = longer;
  }
  return table;
}
