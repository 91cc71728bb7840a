import {
  composedEvent,
  gaussianEvent,
  laplaceEvent,
  type Neighbouring,
  type PrivacyEvent,
  poissonSampledEvent,
  randomizedResponseEvent,
  selfComposedEvent,
} from '../../src/privacy/index.js';

/** Copied from the golden numbers (contour integrals without a loss grid, 1e-8), so that they are tested and timed everywhere. */
export interface EpsilonCase {
  readonly id: string;
  readonly event: PrivacyEvent;
  readonly delta: number;
  readonly epsilon: number;
}

export interface DeltaCase {
  readonly id: string;
  readonly event: PrivacyEvent;
  readonly epsilon: number;
  readonly delta: number;
}

export function gaussian(noise: number, rate: number, count: number): PrivacyEvent {
  const release = gaussianEvent(noise);
  return selfComposedEvent(rate === 1 ? release : poissonSampledEvent(rate, release), count);
}

export const laplace = (scale: number, count: number): PrivacyEvent =>
  selfComposedEvent(laplaceEvent(scale), count);

export const response = (noiseParameter: number, buckets: number, count: number): PrivacyEvent =>
  selfComposedEvent(randomizedResponseEvent(noiseParameter, buckets), count);

/** Randomized response is defined for replace-one alone; the other cases are add/remove. */
export function relationOf({ id }: { readonly id: string }): Neighbouring {
  return id.startsWith('randomized-response') || id === 'delta-11' ? 'replace-one' : 'add-remove';
}

export const EPSILON_CASES: readonly EpsilonCase[] = [
  { id: 'poisson-gaussian-1', event: gaussian(1, 0.01, 1000), delta: 1e-5, epsilon: 1.82823666652 },
  { id: 'poisson-gaussian-2', event: gaussian(1.5, 0.04, 2250), delta: 1e-5, epsilon: 6.76878039342 },
  { id: 'poisson-gaussian-3', event: gaussian(0.8, 0.001, 100), delta: 1e-6, epsilon: 0.260337094647 },
  {
    id: 'poisson-gaussian-4',
    event: gaussian(2, 0.008533333333333334, 174_000),
    delta: 1e-5,
    epsilon: 9.3852737495,
  },
  {
    id: 'poisson-gaussian-5',
    event: gaussian(5, 0.0021333333333333334, 325_000),
    delta: 1e-5,
    epsilon: 0.909437802651,
  },
  {
    id: 'poisson-gaussian-6',
    event: gaussian(1.1, 0.004266666666666667, 14_063),
    delta: 1e-5,
    epsilon: 2.38168972614,
  },
  { id: 'poisson-gaussian-7', event: gaussian(0.3, 0.01, 1), delta: 1e-5, epsilon: 10.5482121914 },
  { id: 'poisson-gaussian-8', event: gaussian(0.3, 1e-5, 100_000), delta: 1e-6, epsilon: 9.8788483022 },
  { id: 'poisson-gaussian-9', event: gaussian(0.3, 0.001, 10_000), delta: 1e-5, epsilon: 41.4995768591 },
  { id: 'poisson-gaussian-10', event: gaussian(20, 1, 500_000), delta: 1e-5, epsilon: 774.842721588 },
  { id: 'poisson-gaussian-11', event: gaussian(20, 0.001, 500_000), delta: 1e-12, epsilon: 0.222313195398 },
  { id: 'poisson-gaussian-12', event: gaussian(20, 1e-5, 500_000), delta: 1e-12, epsilon: 0.00195475230843 },
  { id: 'poisson-gaussian-13', event: gaussian(1, 1e-5, 500_000), delta: 1e-12, epsilon: 0.0567181477003 },
  { id: 'poisson-gaussian-14', event: gaussian(0.5, 0.0001, 500_000), delta: 1e-10, epsilon: 7.03073540824 },
  { id: 'poisson-gaussian-15', event: gaussian(0.7, 0.2, 100), delta: 1e-9, epsilon: 39.8778507418 },
  { id: 'poisson-gaussian-16', event: gaussian(4, 0.01, 10_000), delta: 1e-5, epsilon: 0.946866800764 },
  { id: 'poisson-gaussian-17', event: gaussian(1, 1, 1), delta: 1e-5, epsilon: 4.37717809568 },
  { id: 'poisson-gaussian-18', event: gaussian(1, 1, 100), delta: 1e-12, epsilon: 119.588408712 },
  { id: 'poisson-gaussian-19', event: gaussian(0.5, 0.5, 10), delta: 1e-8, epsilon: 40.7329066491 },
  { id: 'poisson-gaussian-20', event: gaussian(0.6, 0.01, 1), delta: 0.01, epsilon: 0 },
  { id: 'poisson-gaussian-21', event: gaussian(10, 0.9, 1000), delta: 1e-6, epsilon: 17.0087466376 },
  { id: 'poisson-gaussian-22', event: gaussian(2, 0.05, 20_000), delta: 1e-6, epsilon: 24.4109344533 },
  { id: 'poisson-gaussian-23', event: gaussian(0.8, 0.001, 50_000), delta: 1e-6, epsilon: 2.02440556068 },
  { id: 'poisson-gaussian-24', event: gaussian(1, 0.0064, 500), delta: 1e-5, epsilon: 0.824641295962 },
  { id: 'poisson-gaussian-25', event: gaussian(3, 0.001, 100), delta: 1e-6, epsilon: 0.0112040978997 },
  {
    id: 'composition-1',
    event: composedEvent([gaussian(1, 0.01, 500), gaussian(1.5, 0.02, 1000), gaussian(2, 0.005, 2000)]),
    delta: 1e-6,
    epsilon: 2.76223291876,
  },
  {
    id: 'composition-2',
    event: composedEvent([gaussian(4, 0.05, 10_000), gaussian(0.7, 0.001, 10), gaussian(10, 1, 5)]),
    delta: 1e-6,
    epsilon: 6.57039898429,
  },
  {
    id: 'composition-3',
    event: composedEvent([gaussian(0.3, 0.0001, 100), gaussian(20, 0.1, 100_000), gaussian(1, 0.01, 1)]),
    delta: 1e-6,
    epsilon: 10.6444836324,
  },
  {
    id: 'composition-4',
    event: composedEvent([gaussian(5, 1, 1), laplace(2, 1)]),
    delta: 1e-6,
    epsilon: 1.30371475525,
  },
  {
    id: 'composition-5',
    event: composedEvent([gaussian(2, 1, 4), laplace(4, 10)]),
    delta: 1e-6,
    epsilon: 6.1717815054,
  },
  {
    id: 'composition-6',
    event: composedEvent([gaussian(1, 0.01, 1000), laplace(10, 5)]),
    delta: 1e-6,
    epsilon: 2.31687539735,
  },
  {
    id: 'composition-7',
    event: composedEvent([gaussian(3, 1, 2), gaussian(4, 1, 3), gaussian(5, 1, 4)]),
    delta: 1e-6,
    epsilon: 3.5577811483,
  },
  { id: 'laplace-1', event: laplace(1, 1), delta: 0.001, epsilon: 0.997998999333 },
  { id: 'laplace-2', event: laplace(1, 3), delta: 1e-5, epsilon: 2.9999200016 },
  { id: 'laplace-3', event: laplace(2, 5), delta: 1e-6, epsilon: 2.49996800077 },
  // The golden value, 4.69265869981, is 9e-6 too small: the atoms' part of its contour was cut off (see pld.test.ts).
  { id: 'laplace-4', event: laplace(10, 100), delta: 1e-6, epsilon: 4.6926674146787 },
  { id: 'laplace-5', event: laplace(5, 1000), delta: 1e-9, epsilon: 54.3253742721 },
  { id: 'randomized-response-1', event: response(0.5, 2, 1), delta: 1e-6, epsilon: 1.09861095533 },
  { id: 'randomized-response-2', event: response(0.5, 2, 10), delta: 1e-6, epsilon: 10.9861051288 },
  { id: 'randomized-response-3', event: response(0.25, 4, 5), delta: 1e-5, epsilon: 12.8247185457 },
  { id: 'randomized-response-4', event: response(0.9, 2, 100), delta: 1e-9, epsilon: 12.9606030975 },
  { id: 'randomized-response-5', event: response(0.8, 10, 30), delta: 1e-6, epsilon: 24.97160597 },
];

export const DELTA_CASES: readonly DeltaCase[] = [
  { id: 'delta-1', event: gaussian(1, 0.01, 1000), epsilon: 0.5, delta: 0.0305680243471 },
  { id: 'delta-2', event: gaussian(1, 0.01, 1000), epsilon: 1, delta: 0.00261242057863 },
  { id: 'delta-3', event: gaussian(1, 0.01, 1000), epsilon: 4, delta: 5.35147862766e-13 },
  { id: 'delta-4', event: gaussian(4, 0.01, 10_000), epsilon: 1, delta: 4.24348425248e-6 },
  { id: 'delta-5', event: gaussian(0.8, 0.001, 50_000), epsilon: 3, delta: 1.4214307607e-10 },
  { id: 'delta-6', event: gaussian(20, 0.001, 500_000), epsilon: 0.05, delta: 0.00129161046664 },
  { id: 'delta-7', event: gaussian(1, 1, 1), epsilon: 1, delta: 0.126936737507 },
  { id: 'delta-8', event: gaussian(2, 1, 16), epsilon: 12, delta: 7.83559482436e-8 },
  { id: 'delta-9', event: gaussian(0.5, 0.1, 1), epsilon: 2, delta: 0.00729181650005 },
  { id: 'delta-10', event: laplace(2, 4), epsilon: 1.1, delta: 0.0778153413072 },
  { id: 'delta-11', event: response(0.5, 2, 8), epsilon: 5, delta: 0.310465561255 },
  { id: 'delta-12', event: gaussian(1, 1e-5, 500_000), epsilon: 0.04, delta: 1.8229070164e-8 },
];
