import { gaussianMoment, symmetricMixtureRdp } from './amplification.js';
import { fractionalSampledGaussianRdp } from './fractionalOrders.js';
import { roundUp, SMALLEST_RDP } from './rounding.js';

/** Rényi divergence of order α between N(1, σ²) and N(0, σ²): α/(2σ²) (Mironov 2017, Cor. 3). Rounded up. */
export function gaussianRdp(noiseMultiplier: number, order: number): number {
  if (!(noiseMultiplier > 0)) return Number.POSITIVE_INFINITY;
  return Math.max(roundUp(order / 2 / noiseMultiplier / noiseMultiplier), SMALLEST_RDP);
}

/**
 * Rényi divergence of the Gaussian mechanism on a Poisson sample, add/remove of one record, the larger of both directions, at
 * any order from 1.01: Mironov, Talwar, Zhang 2019, §3.3. Integer orders by the binomial sum with
 * D_k = k/(2σ²), others by quadrature. An upper bound: the float error is bounded and added.
 */
export function sampledGaussianRdp(noiseMultiplier: number, samplingRate: number, order: number): number {
  if (samplingRate === 1) return gaussianRdp(noiseMultiplier, order);
  if (!(noiseMultiplier > 0)) return Number.POSITIVE_INFINITY;
  if (!Number.isInteger(order)) {
    return fractionalSampledGaussianRdp(noiseMultiplier, samplingRate, [order])[0] as number;
  }
  return symmetricMixtureRdp(order, samplingRate, (k) => gaussianMoment(noiseMultiplier, k));
}

/** The whole curve; the quadrature's nodes are shared by all fractional orders. */
export function sampledGaussianCurve(
  noiseMultiplier: number,
  samplingRate: number,
  orders: readonly number[],
): Float64Array {
  const curve = new Float64Array(orders.length);
  const fractional = orders.filter((order) => !Number.isInteger(order));
  const plain = samplingRate === 1 || !(noiseMultiplier > 0);
  const quadrature = plain
    ? new Float64Array(0)
    : fractionalSampledGaussianRdp(noiseMultiplier, samplingRate, fractional);
  let next = 0;
  orders.forEach((order, i) => {
    curve[i] =
      plain || Number.isInteger(order)
        ? sampledGaussianRdp(noiseMultiplier, samplingRate, order)
        : (quadrature[next++] as number);
  });
  return curve;
}
