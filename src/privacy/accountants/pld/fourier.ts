/**
 * Discrete Fourier transform of a complex sequence whose length is a power of two, in place, by Stockham's autosorting radix-4
 * algorithm (Van Loan 1992, §1.7). Sign −1 forwards, +1 backwards; neither divides by the length.
 *
 * Error: every output is reached through log₄ n butterflies, each two levels of additions (2 units of 2^-53) and one product (3) with a
 * power w, w², w³ of a twiddle (good to 3, 8 and 14), and a last level where log₂ n is odd. Hence |computed − exact| ≤
 * 12·(log₂ n + 1)·2^-53·Σ|input| for each output (Higham 2002, Thm. 24.2, with the 1-norm in place of the 2-norm: the butterflies' absolute
 * values multiply up to the matrix of ones).
 */
export function transform(re: Float64Array, im: Float64Array, sign: -1 | 1): void {
  const n = re.length;
  if (n < 2) return;
  const { cosines, sines } = quarterWave(n);
  const other = workspace(n);
  let xr: Float64Array = re;
  let xi: Float64Array = im;
  let yr: Float64Array = other.re;
  let yi: Float64Array = other.im;
  let length = n;
  let stride = 1;
  for (; length >= 4; length >>= 2, stride <<= 2) {
    const quarter = length >> 2;
    const apart = stride * quarter;
    for (let p = 0; p < quarter; p++) {
      const w1r = cosines[p * stride] as number;
      const w1i = sign * (sines[p * stride] as number);
      const w2r = w1r * w1r - w1i * w1i;
      const w2i = 2 * w1r * w1i;
      const w3r = w1r * w2r - w1i * w2i;
      const w3i = w1r * w2i + w1i * w2r;
      const last = stride * (p + 1);
      let o = stride * 4 * p;
      for (let a = stride * p; a < last; a++, o++) {
        const b = a + apart;
        const c = b + apart;
        const d = c + apart;
        const ar = xr[a] as number;
        const ai = xi[a] as number;
        const br = xr[b] as number;
        const bi = xi[b] as number;
        const cr = xr[c] as number;
        const ci = xi[c] as number;
        const dr = xr[d] as number;
        const di = xi[d] as number;
        const sr = ar + cr;
        const si = ai + ci;
        const tr = ar - cr;
        const ti = ai - ci;
        const ur = br + dr;
        const ui = bi + di;
        // (b − d) times sign·i.
        const vr = sign * (di - bi);
        const vi = sign * (br - dr);
        const er = tr + vr;
        const ei = ti + vi;
        const fr = sr - ur;
        const fi = si - ui;
        const gr = tr - vr;
        const gi = ti - vi;
        yr[o] = sr + ur;
        yi[o] = si + ui;
        yr[o + stride] = er * w1r - ei * w1i;
        yi[o + stride] = er * w1i + ei * w1r;
        yr[o + 2 * stride] = fr * w2r - fi * w2i;
        yi[o + 2 * stride] = fr * w2i + fi * w2r;
        yr[o + 3 * stride] = gr * w3r - gi * w3i;
        yi[o + 3 * stride] = gr * w3i + gi * w3r;
      }
    }
    [xr, yr] = [yr, xr];
    [xi, yi] = [yi, xi];
  }
  if (length === 2) {
    const half = n >> 1;
    for (let q = 0; q < half; q++) {
      const ar = xr[q] as number;
      const ai = xi[q] as number;
      const br = xr[q + half] as number;
      const bi = xi[q + half] as number;
      yr[q] = ar + br;
      yi[q] = ai + bi;
      yr[q + half] = ar - br;
      yi[q + half] = ai - bi;
    }
    [xr, yr] = [yr, xr];
    [xi, yi] = [yi, xi];
  }
  if (xr !== re) {
    re.set(xr);
    im.set(xi);
  }
}

/** Bound on the error of one output of `transform`, for inputs whose moduli sum to 1. */
export function transformError(n: number): number {
  return 12 * (Math.log2(n) + 1) * 2 ** -53;
}

interface Complexes {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

interface QuarterWave {
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
}

/** The last few lengths: a search asks for the same ones again. */
const waves = new Map<number, QuarterWave>();
const MOST_WAVES = 4;

/** cos and sin of 2πk/n, k < n/4, each from an angle within the first octant. */
function quarterWave(n: number): QuarterWave {
  const known = waves.get(n);
  if (known) return known;
  const quarter = Math.max(1, n >> 2);
  const cosines = new Float64Array(quarter).fill(1);
  const sines = new Float64Array(quarter);
  for (let k = 1; 2 * k <= quarter; k++) {
    const angle = (2 * Math.PI * k) / n;
    cosines[k] = sines[quarter - k] = Math.cos(angle);
    sines[k] = cosines[quarter - k] = Math.sin(angle);
  }
  if (waves.size >= MOST_WAVES) waves.delete(waves.keys().next().value as number);
  const wave = { cosines, sines };
  waves.set(n, wave);
  return wave;
}

/** Room for intermediate results, kept at its largest: lengths change from call to call. */
let room: Complexes = { re: new Float64Array(0), im: new Float64Array(0) };

function workspace(n: number): Complexes {
  if (room.re.length < n) room = { re: new Float64Array(n), im: new Float64Array(n) };
  return room.re.length === n ? room : { re: room.re.subarray(0, n), im: room.im.subarray(0, n) };
}
