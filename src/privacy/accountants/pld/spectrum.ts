/** The product of powers of spectra so far: logarithm of its modulus, its angle, and the relative error, at half of the frequencies. */
export interface Spectrum {
  readonly log: Float64Array;
  readonly angle: Float64Array;
  readonly error: Float64Array;
  /** Logarithm of what a modulus that was left out may have grown to since. */
  growth: number;
}

export function emptySpectrum(length: number): Spectrum {
  return {
    log: new Float64Array(length),
    angle: new Float64Array(length),
    error: new Float64Array(length),
    growth: 0,
  };
}

/** At and below this modulus (its logarithm) a frequency is left out, and counted as noise. */
const NEGLIGIBLE = -70;

/**
 * Multiplies by the count-th power of a spectrum given at frequency j, each value being `error` off at most.
 *
 * |a^T − b^T| ≤ T·|a − b|·max(|a|, |b|)^(T−1). The modulus is taken `error` too large, so that it bounds both, and a and b differ by twice that:
 * the relative error is 2T·error/modulus. Logarithm and angle cost T·2^-50 of themselves in addition.
 */
export function raiser(
  into: Spectrum,
  count: number,
  error: number,
): (j: number, re: number, im: number) => void {
  const { log: logs, angle: angles, error: errors } = into;
  const least = Math.exp(NEGLIGIBLE / count);
  into.growth += count * error;
  return (j, re, im) => {
    if ((logs[j] as number) <= NEGLIGIBLE) return;
    const modulus = Math.sqrt(re * re + im * im) + error;
    if (modulus < least) {
      logs[j] = Number.NEGATIVE_INFINITY;
      return;
    }
    const log = Math.log(modulus);
    const angle = Math.atan2(im, re);
    logs[j] = (logs[j] as number) + count * log;
    angles[j] = (angles[j] as number) + count * angle;
    errors[j] =
      (errors[j] as number) + count * ((2 * error) / modulus + 2 ** -50 * (Math.abs(log) + Math.abs(angle)));
  };
}

export interface Synthesis {
  /** Bound on the error of each mass after an exact transform back. */
  readonly noise: number;
  /** Sum of the moduli, to which the transform's own error is relative. */
  readonly modulus: number;
}

/** Adds the spectrum, or i times it, over the number of points, to re + i·im. */
export function synthesize(
  from: Spectrum,
  re: Float64Array,
  im: Float64Array,
  imaginary: boolean,
): Synthesis {
  const size = re.length;
  const half = size >> 1;
  let noise = 0;
  let moduli = 0;
  let leftOut = 0;
  for (let j = 0; j <= half; j++) {
    const log = from.log[j] as number;
    if (log <= NEGLIGIBLE) {
      leftOut += 2;
      continue;
    }
    const modulus = Math.exp(log) / size;
    const both = j === 0 || j === half ? modulus : 2 * modulus;
    const relative = from.error[j] as number;
    noise += both * (relative < 1 ? Math.expm1(relative) + 2 ** -50 : 2);
    moduli += both;
    const a = modulus * Math.cos(from.angle[j] as number);
    const b = modulus * Math.sin(from.angle[j] as number);
    const k = (size - j) & (size - 1);
    if (imaginary) {
      re[j] = (re[j] as number) - b;
      im[j] = (im[j] as number) + a;
      if (k !== j) {
        re[k] = (re[k] as number) + b;
        im[k] = (im[k] as number) + a;
      }
    } else {
      re[j] = (re[j] as number) + a;
      im[j] = (im[j] as number) + b;
      if (k !== j) {
        re[k] = (re[k] as number) + a;
        im[k] = (im[k] as number) - b;
      }
    }
  }
  return { noise: noise + (leftOut * Math.exp(NEGLIGIBLE + from.growth)) / size, modulus: moduli };
}
