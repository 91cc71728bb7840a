const cache = new Map<number, Float64Array>();

/** log C(n, k), k = 0 … n, each from the exact integer: summing logarithms would lose ten bits at n = 1024. */
export function logBinomials(n: number): Float64Array {
  const cached = cache.get(n);
  if (cached) return cached;
  const row = new Float64Array(n + 1);
  let choose = 1n;
  for (let k = 0; 2 * k <= n; k++) {
    row[k] = logBigint(choose);
    row[n - k] = row[k] as number;
    choose = (choose * BigInt(n - k)) / BigInt(k + 1);
  }
  cache.set(n, row);
  return row;
}

function logBigint(value: bigint): number {
  const bits = 4 * value.toString(16).length;
  if (bits <= 1000) return Math.log(Number(value));
  const shift = bits - 1000;
  return Math.log(Number(value >> BigInt(shift))) + shift * Math.LN2;
}
