import { parseRational, toNumber } from '../../privacy/rational.js';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { type Axis, cellsOfMarginal, columnOf, sizeOf } from '../counts/measured.js';
import { InvalidOptions } from '../errors.js';
import type { NoisySum, ReleasedRun } from '../synthesizer.js';
import type { CategoricalField } from '../table/schema.js';
import {
  type Compared,
  DEVIATIONS,
  type Estimate,
  meanDistance,
  samplingDistance,
  totalOf,
} from './distances.js';
import type { QualityPlan } from './plan.js';
import type { Prepared } from './prepare.js';
import { layoutOf, type Question } from './question.js';
import { areaUnderCurve, attackAdvantage } from './ranks.js';
import type { QualityReport } from './report.js';

const WORST_PAIRS = 10;

interface Table extends Compared {
  readonly axes: readonly Axis[];
  readonly columns: readonly number[];
}

/** The report of one opened sum: post-processing of its noisy counts and of the synthetic rows. */
export function reportOf(
  plan: QualityPlan,
  run: Pick<ReleasedRun, 'runId' | 'digest' | 'kind'>,
  { question, synthetic, rows }: Prepared,
  query: SumQuery,
  sum: NoisySum,
): QualityReport {
  if (sum.values.length !== query.dimension)
    throw new InvalidOptions('sum', 'has not the dimension of its query');
  const { cells: encoding } = plan;
  const variance = toNumber(parseRational(query.encoding.shareVariance)) * sum.contributors.length;
  const tables = tablesOf(plan, question, synthetic, rows, sum.values, variance);
  const singles = tables.filter(({ columns }) => columns.length === 1);
  const pairs = tables.filter(({ columns }) => columns.length === 2);
  const total = totalOf(tables);
  const named = (column: number): string => encoding.schema.fields[column]?.name ?? '';
  const layout = layoutOf(question, encoding);
  const { weight, trainingWeight, references } = question.membership;
  const distances = (from: number, own: number) => ({
    counts: sum.values.slice(from, from + encoding.blocks.length + 1).map((value) => value / own),
    variance: variance / own ** 2,
  });
  const spread = DEVIATIONS * Math.sqrt(total.variance);
  return {
    version: 1,
    run: run.runId,
    release: run.digest,
    synthesizer: run.kind,
    syntheticRows: rows,
    contributors: [...sum.contributors],
    confidence: 0.95,
    records: {
      estimate: total.records,
      lower: Math.max(0, total.records - spread),
      upper: total.records + spread,
    },
    oneWay: {
      mean: meanDistance(singles, total),
      sampling: samplingDistance(singles, total, rows),
      columns: singles
        .map((table) => ({
          column: named(table.columns[0] as number),
          distance: meanDistance([table], total),
        }))
        .sort(worstFirst),
    },
    twoWay: {
      cells: plan.coarse,
      mean: meanDistance(pairs, total),
      sampling: samplingDistance(pairs, total, rows),
      independentColumns: meanDistance(
        pairs.map((pair) => independent(plan, question, pair, singles, total.records)),
        total,
      ),
      worst: pairs
        .map((table) => {
          const [a, b] = table.columns as readonly [number, number];
          return {
            columns: [named(a), named(b)] as [string, string],
            distance: meanDistance([table], total),
          };
        })
        .sort(worstFirst)
        .slice(0, WORST_PAIRS),
    },
    label: labelOf(plan, question, layout, sum.values, variance),
    attack: {
      advantage: attackAdvantage(
        distances(layout.training, trainingWeight),
        distances(layout.heldOut, weight),
      ),
      references,
    },
  };
}

function worstFirst(a: { readonly distance: Estimate }, b: { readonly distance: Estimate }): number {
  return b.distance.estimate - a.distance.estimate;
}

function tablesOf(
  { cells: encoding }: QualityPlan,
  { counts }: Question,
  synthetic: Float64Array,
  rows: number,
  values: Float64Array,
  variance: number,
): readonly Table[] {
  let offset = 0;
  return counts.marginals.map((marginal) => {
    const end = offset + cellsOfMarginal(counts, marginal, encoding);
    const table = {
      axes: marginal.axes,
      columns: marginal.axes.map((axis) => columnOf(counts, axis)),
      counts: values.slice(offset, end).map((value) => value / marginal.weight),
      variance: variance / marginal.weight ** 2,
      shares: synthetic.slice(offset, end).map((count) => count / rows),
    };
    offset = end;
    return table;
  });
}

/** The pair against the product of its columns' own noisy counts, in place of the synthetic shares. */
function independent(
  { cells: encoding }: QualityPlan,
  { counts }: Question,
  pair: Table,
  singles: readonly Table[],
  records: number,
): Compared {
  const [left, right] = pair.axes.map((axis, i) => {
    const { counts: own } = singles[pair.columns[i] as number] as Table;
    const shares = new Float64Array(sizeOf(counts, axis, encoding));
    own.forEach((count, cell) => {
      const coarse = 'map' in axis ? (counts.maps[axis.map]?.cells[cell] as number) : cell;
      shares[coarse] = (shares[coarse] as number) + count / records;
    });
    return shares;
  }) as [Float64Array, Float64Array];
  const shares = Float64Array.from(
    pair.counts,
    (_, k) => (left[Math.floor(k / right.length)] as number) * (right[k % right.length] as number),
  );
  return { ...pair, shares };
}

function labelOf(
  { cells: encoding }: QualityPlan,
  { label }: Question,
  { scores, scoreBins }: ReturnType<typeof layoutOf>,
  values: Float64Array,
  variance: number,
): QualityReport['label'] {
  if (label === null) return null;
  const field = encoding.schema.fields[label.column] as CategoricalField;
  const classes = label.classes.map(({ category, weight }, c) => {
    const table = (from: number) => values.slice(from, from + scoreBins).map((value) => value / weight);
    const first = scores + 2 * c * scoreBins;
    const area = areaUnderCurve({
      positives: table(first),
      negatives: table(first + scoreBins),
      variance: variance / weight ** 2,
    });
    return { category: field.categories[category] as string | number | boolean, area };
  });
  const mean = (of: (area: Estimate) => number): number =>
    classes.reduce((sum, { area }) => sum + of(area), 0) / classes.length;
  // The mean of the ends: as wide as if all classes erred together.
  const area = {
    estimate: mean((a) => a.estimate),
    lower: mean((a) => a.lower),
    upper: mean((a) => a.upper),
  };
  return { column: field.name, area, classes };
}
