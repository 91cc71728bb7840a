/** Copied from the golden numbers (40 to 60 digits, two independent computations each), so that they are tested everywhere. */
export const SAMPLED_GAUSSIAN_RDP = [
  {
    noiseMultiplier: 1,
    samplingRate: 0.01,
    orders: [2, 3, 4, 5, 8, 16, 32, 64, 256],
    rdp: [
      0.00017181342207454794, 0.00026463757458466134, 0.0003631540489107567, 0.0004686672421691548,
      0.0008936439076060318, 3.0878507836962448, 11.246275937048068, 27.32173187455178, 123.37677032308646,
    ],
  },
  {
    noiseMultiplier: 0.3,
    samplingRate: 0.001,
    orders: [2, 3, 8, 256],
    rdp: [0.06476614687694766, 6.305035752013011, 36.54986698275058, 1415.287377706852],
  },
  {
    noiseMultiplier: 20,
    samplingRate: 1e-5,
    orders: [2, 3, 8, 256],
    rdp: [2.503127605794772e-13, 3.754691502754354e-13, 1.0012511928174474e-12, 3.2040237232571395e-11],
  },
  {
    noiseMultiplier: 4,
    samplingRate: 0.99,
    orders: [32, 64, 256],
    rdp: [0.991128682995819, 1.9899902597360393, 7.989910252279496],
  },
  {
    noiseMultiplier: 10,
    samplingRate: 0.3,
    orders: [32, 64, 256],
    rdp: [0.015456539470416636, 0.03342479830967807, 0.2890753686670328],
  },
] as const;

export const EPSILONS = [
  { noiseMultiplier: 0.8, samplingRate: 0.001, steps: 100, delta: 1e-6, epsilon: 1.371066893028, order: 9 },
  {
    noiseMultiplier: 20,
    samplingRate: 0.001,
    steps: 500_000,
    delta: 1e-10,
    epsilon: 0.2153831254035,
    order: 128,
  },
] as const;

/** P(Y = k), k = 0, 1, …, of the discrete Gaussian. */
export const DISCRETE_GAUSSIAN_PMF = [
  {
    numerator: '1',
    denominator: '10',
    pmf: [0.9867032870288581, 0.006648354451823861, 2.033747054331563e-9],
  },
  {
    numerator: '1',
    denominator: '1',
    pmf: [
      0.3989422782668617, 0.24197072322446062, 0.053990966224305284, 0.004431848388225065,
      0.00013383022504881656, 1.486719506779492e-6, 6.0758828173138125e-9,
    ],
  },
  {
    numerator: '2',
    denominator: '1',
    pmf: [
      0.28209479177387814, 0.2196956447338612, 0.10377687435514868, 0.029732572305907343,
      0.005166746338523013, 0.0005445710575881774, 3.4813262986686966e-5, 1.3498566943461955e-6,
      3.1745586679666396e-8,
    ],
  },
] as const;

/** Smallest noise multiplier under tight (PLD) accounting. */
export const TIGHT_NOISE = [
  { epsilon: 3, delta: 1e-5, samplingRate: 0.01, steps: 1000, noiseMultiplier: 0.813584467 },
  { epsilon: 8, delta: 1e-5, samplingRate: 0.04, steps: 2250, noiseMultiplier: 1.34589833 },
  { epsilon: 1, delta: 1e-6, samplingRate: 0.001, steps: 10_000, noiseMultiplier: 0.787617758 },
  { epsilon: 1, delta: 1e-5, samplingRate: 1, steps: 50, noiseMultiplier: 26.3795493 },
  { epsilon: 4, delta: 1e-10, samplingRate: 0.001, steps: 200_000, noiseMultiplier: 0.960129495 },
] as const;
