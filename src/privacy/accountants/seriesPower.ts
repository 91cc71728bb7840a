/** Powers of power series with positive coefficients that span hundreds of orders of magnitude. */

/** Coefficients are logarithms. `undefined` where a coefficient left the range. */
export interface SeriesArithmetic {
  /** The t-th power, degree ≤ t + 1, constant term 1. */
  miller(base: Float64Array, t: number): Float64Array | undefined;
  /** Product of an m₁-th and an m₂-th power, m₁ + m₂ = m. */
  product(a: Float64Array, b: Float64Array, m: number): Float64Array | undefined;
}

export function squaredPower(
  base: Float64Array,
  t: number,
  { product }: SeriesArithmetic,
): Float64Array | undefined {
  let result: Float64Array | undefined = base;
  let power = 1;
  for (const bit of t.toString(2).slice(1)) {
    power *= 2;
    result = result && product(result, result, power);
    if (bit === '1') {
      power += 1;
      result = result && product(result, base, power);
    }
  }
  return result;
}

export const logArithmetic: SeriesArithmetic = {
  miller(base, t) {
    const result = new Float64Array(base.length);
    const terms = new Float64Array(base.length);
    for (let n = 1; n < base.length; n++) {
      for (let k = 1; k <= n; k++) {
        const factor = k * (t + 1) - n;
        terms[k] = Math.log(factor) + (base[k] as number) + (result[n - k] as number);
      }
      result[n] = logSum(terms, 1, n) - Math.log(n);
    }
    return result;
  },
  product(a, b) {
    const terms = new Float64Array(a.length);
    return a.map((_, n) => {
      for (let k = 0; k <= n; k++) terms[k] = (a[k] as number) + (b[n - k] as number);
      return logSum(terms, 0, n);
    });
  },
};

function logSum(terms: Float64Array, from: number, to: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let k = from; k <= to; k++) largest = Math.max(largest, terms[k] as number);
  if (!Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let k = from; k <= to; k++) sum += Math.exp((terms[k] as number) - largest);
  return largest + Math.log(sum);
}

/** Inputs at most 10^250 and outputs from 10^-20 to 10^250: then what underflows is below 10^-30 of any sum. */
export const scaledArithmetic: SeriesArithmetic = {
  miller(base, t) {
    const c = Math.log(base.length / t) - 0.9;
    const a = scale(base, c);
    if (a === undefined) return undefined;
    const result = new Float64Array(base.length);
    result[0] = 1;
    for (let n = 1; n < base.length; n++) {
      let sum = 0;
      for (let k = 1; k <= n; k++) sum += (k * (t + 1) - n) * (a[k] as number) * (result[n - k] as number);
      result[n] = sum / n;
    }
    return unscale(result, c);
  },
  product(left, right, m) {
    const c = Math.log(left.length / m) - 0.9;
    const a = scale(left, c);
    const b = scale(right, c);
    if (a === undefined || b === undefined) return undefined;
    const result = a.map((_, n) => {
      let sum = 0;
      for (let k = 0; k <= n; k++) sum += (a[k] as number) * (b[n - k] as number);
      return sum;
    });
    return unscale(result, c);
  },
};

function scale(logs: Float64Array, c: number): Float64Array | undefined {
  const values = logs.map((value, n) => Math.exp(value + c * n));
  return values.every((value) => value <= 1e250) ? values : undefined;
}

function unscale(values: Float64Array, c: number): Float64Array | undefined {
  return values.every((value) => value >= 1e-20 && value <= 1e250)
    ? values.map((value, n) => Math.log(value) - c * n)
    : undefined;
}
