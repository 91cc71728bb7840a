import { calibrateNoise } from '../../privacy/calibration.js';
import { epsilonOfUnits, limitUnits } from '../../privacy/filter.js';
import { synthesizerOf } from '../../synthesis/index.js';
import type { Cast, Stage } from './cast.js';
import { inPairs } from './processes.js';

/** The charter's limit, for everything that the federation ever asks. */
export const EPSILON = 3;
export const DELTA = 1e-6;
/** Of each airline's rows, what nobody trains on. */
export const HOLD_OUT = 0.2;

/** Parts of what the limit admits at its order: two trainings, and a measurement of each. Together not quite all of it. */
const PARTS = { gan: 0.5, marginals: 0.27, quality: 0.11 };

/** In as many steps as a minute and a half on two cores allow. */
const FULL = { steps: 200 };

/** So few steps need larger ones of the generator; the critic's would only carry more noise. Rough, but the same machinery. */
const QUICK = { steps: 30, generatorLearningRate: 0.005 };

type Options = Readonly<Record<string, unknown>>;

export interface DemoPlan {
  readonly gan: Options;
  readonly marginals: Options;
  /** But for the run that is measured. */
  readonly quality: Options;
}

/** The Rényi order that the charter fixes: where the longest run, that of the GAN, is cheapest. */
export function orderFor(quick: boolean): number {
  const { samplingRate, steps } = ganOptions(quick);
  return calibrateNoise({ epsilon: EPSILON, delta: DELTA, samplingRate, steps }).order;
}

/** Under the charter: each run's least noise within its part of the limit, as the coordinator reckons it. */
export async function planRuns(
  { processes }: Stage,
  { operator }: Pick<Cast, 'operator'>,
  quick: boolean,
): Promise<DemoPlan> {
  const order = orderFor(quick);
  const asked: readonly (readonly [keyof DemoPlan, Options])[] = [
    ['gan', ganOptions(quick)],
    ['marginals', {}],
    // What a measurement costs does not depend on the run that it measures.
    ['quality', { run: 'any' }],
  ];
  const planned = await inPairs(asked, async ([kind, options]) => {
    const [line] = await processes.run('operator', [
      ...['run', 'plan', '--synthesizer', kind, '--options', JSON.stringify(options)],
      ...['--target-epsilon', String(epsilonOf(PARTS[kind], order)), ...operator],
    ]);
    const target = line?.target as { readonly noiseMultiplier: number } | undefined;
    return [kind, { ...options, noiseMultiplier: target?.noiseMultiplier }] as const;
  });
  return Object.fromEntries(planned) as unknown as DemoPlan;
}

function ganOptions(quick: boolean) {
  return synthesizerOf('gan').parseOptions(quick ? QUICK : FULL) as Options & {
    readonly steps: number;
    readonly samplingRate: number;
  };
}

/** The ε of a run that takes this part of the limit: at one order divergences add up, and ε does not. */
function epsilonOf(part: number, order: number): number {
  const limit = { epsilon: EPSILON, delta: DELTA, orders: [order] };
  const [units] = limitUnits(limit) as [bigint];
  return epsilonOfUnits(limit, [BigInt(Math.floor(Number(units) * part))]);
}
