import type { Rng } from '../../crypto/rng.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import type { AnySynthesizer } from '../../synthesis/index.js';
import { poissonIndices } from '../../synthesis/table/poisson.js';
import type { RecordSource } from '../../synthesis/table/records.js';
import { EvaluationError } from '../errors.js';
import { type CanaryGame, tossCoins } from './game.js';

/**
 * Canaries that are vectors ("Dirac canaries", Steinke, Nasr, Jagielski 2023, §6, after Nasr et al. 2023): canary j is the
 * longest vector that clipping lets pass and the grid has, all of it in one coordinate of its own. It is sampled like a record. Its
 * score is that coordinate, added up over the run. The strongest signal there is where the sensitivity is whole grid steps (the
 * GAN's and the marginals' are), whatever the schema; else up to a step weaker. Where nothing of it would be left it is refused. What it
 * does not test is the clipping, which test/privacy/neighbouring does.
 */
export function vectorCanaries(
  synthesizer: AnySynthesizer,
  own: RecordSource,
  count: number,
  rng: Rng,
): CanaryGame {
  const included = tossCoins(count, rng);
  const scores = new Float64Array(count);
  const drawn = new Map<number, readonly number[]>();
  let widest = 0;
  /**
   * The canaries' coordinates, drawn when the first query of this dimension comes; none in a sum that has too few for them, which is
   * then not attacked.
   */
  const coordinates = (dimension: number): readonly number[] => {
    widest = Math.max(widest, dimension);
    if (dimension < count) return [];
    const known = drawn.get(dimension) ?? distinct(dimension, count, rng);
    drawn.set(dimension, known);
    return known;
  };
  return {
    included,
    async contribute({ query, models }, coins) {
      const sum = Float64Array.from(await synthesizer.contribute(query, models, own, coins));
      const at = coordinates(query.dimension).filter((_, j) => included[j]);
      const length = canaryLength(query);
      for (const j of poissonIndices(query.samplingRate, coins)(at.length)) sum[at[j]!]! += length;
      return sum;
    },
    async observe({ query }, sum) {
      // In sensitivities: noise is set in them, so that steps of another scale count alike.
      for (const [j, at] of coordinates(query.dimension).entries())
        scores[j]! += sum[at]! / query.l2Sensitivity;
    },
    /** @throws EvaluationError where no sum of the run had room for the canaries. */
    scores() {
      if (drawn.size > 0) return scores;
      throw new EvaluationError(
        'AuditTooSmall',
        `a sum of ${widest} coordinates has no room for ${count} canaries: ask for fewer`,
      );
    },
  };
}

/**
 * The sensitivity in real units, rounded down to whole grid steps: 'exact' rounding takes nothing between them (quantization.ts).
 * @throws EvaluationError where that is no step at all, or more than a coordinate is clamped to.
 */
function canaryLength({ l2Sensitivity, encoding: { grid, maxCoordinate } }: SumQuery): number {
  const steps = Math.floor(l2Sensitivity / grid);
  if (steps < 1 || steps > maxCoordinate)
    throw new EvaluationError(
      'AuditInvalid',
      `a canary of ${steps} grid steps does not fit a coordinate, which takes 1 to ${maxCoordinate}: plan another grid or clamp, or audit with records as canaries (--kind record)`,
    );
  return steps * grid;
}

/** `count` different coordinates of `dimension`, which is no smaller: the start of a shuffle (Fisher and Yates). */
function distinct(dimension: number, count: number, rng: Rng): readonly number[] {
  const order = Array.from({ length: dimension }, (_, i) => i);
  const words = new DataView(rng(4 * count).slice().buffer);
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor((words.getUint32(4 * i, true) * (dimension - i)) / 2 ** 32);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, count);
}
