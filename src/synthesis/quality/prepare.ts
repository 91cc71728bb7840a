import { addCounts, countersOf } from '../counts/counting.js';
import { type Axis, cellsOfMarginal, type Marginal, type Measured } from '../counts/measured.js';
import { weightsFor } from '../counts/weights.js';
import type { ReleasedRun } from '../synthesizer.js';
import { codeOf } from '../table/codedRow.js';
import { cellsOf, type TableEncoding } from '../table/encoding.js';
import { type Grid, gridsOf, type OneWay } from '../table/grids.js';
import { MISSING_CATEGORY } from '../table/layout.js';
import { edgesOf, trainClassifier } from './classifier.js';
import { categoriesOf, type QualityPlan } from './plan.js';
import { type Question, type Scored, sizeOfMap } from './question.js';
import { featuresOf, mapsOf, scoreOf } from './scoring.js';

/** All that the coordinator asks, made of synthetic rows alone. */
export interface Prepared {
  readonly question: Question;
  /** Features of the attack's reference rows, row-major. */
  readonly references: Uint16Array;
  /** Synthetic rows in each cell of the question's marginals, one after the other. */
  readonly synthetic: Float64Array;
  readonly rows: number;
}

/** Most cells of a range that the classifier and the attack see; a category of fewer synthetic rows than this is merged. */
const FEATURE_BINS = 32;
const RARE_ROWS = 10;

/** Draws the release's rows and makes the question of them: grids, weights, the classifier, the attack's references. */
export async function prepare(plan: QualityPlan, run: ReleasedRun, seed: Uint8Array): Promise<Prepared> {
  const { cells: encoding, fine, options } = plan;
  const { cells, fineCells } = await cellsOfRows(plan, run, seed);
  const columns = encoding.blocks.length;
  const rows = cells.length / columns;
  const counts = measuredFor(
    plan,
    gridsOf(encoding, onesOf(encoding, cells, 0), Number.MAX_SAFE_INTEGER, plan.coarse),
  );
  const synthetic = new Float64Array(
    counts.marginals.reduce((sum, marginal) => sum + cellsOfMarginal(counts, marginal, encoding), 0),
  );
  const unweighted = countersOf(counts, encoding).map((counter) => ({ ...counter, weight: 1 }));
  addCounts(unweighted, cells, columns, synthetic);

  // Three deviations of a count are the threshold of gridsOf for a rare category.
  const grids = gridsOf(fine, onesOf(fine, fineCells, (RARE_ROWS / 3) ** 2), FEATURE_BINS, plan.coarse);
  const features = grids.map(({ full }) => [...full]);
  const ofRows = featuresOf(fineCells, mapsOf({ features }));
  const label = plan.label === undefined ? null : scored(plan, plan.label, features, ofRows, cells);
  const references = ofRows.slice(0, Math.min(rows, plan.references) * columns);
  const membership = {
    weight: plan.parts.membership,
    trainingWeight: plan.scale,
    references: references.length / columns,
  };
  if (rows !== options.rows) throw new Error(`the release gave ${rows} rows, ${options.rows} were asked for`);
  return { question: { version: 1, counts, features, label, membership }, references, synthetic, rows };
}

/** The synthetic rows as a participant would read them: on the cells of fidelity, and on the fine ones. */
async function cellsOfRows({ cells, fine, options }: QualityPlan, run: ReleasedRun, seed: Uint8Array) {
  const { fields } = cells.schema;
  const { bytes, offsets } = cells.layout;
  const buffer = new Uint8Array(options.rows * bytes);
  const view = new DataView(buffer.buffer);
  let count = 0;
  for await (const row of run.rows({ seed, offset: 0, count: options.rows })) {
    fields.forEach((field, f) => {
      const code = codeOf(field, row[field.name] ?? null);
      const place = count * bytes + (offsets[f] as number);
      if (field.domain === 'range') view.setFloat64(place, code, true);
      else view.setUint16(place, Number.isNaN(code) ? MISSING_CATEGORY : code, true);
    });
    count++;
  }
  const batch = { count, rows: buffer.subarray(0, count * bytes) };
  return { cells: cellsOf(cells, batch), fineCells: cellsOf(fine, batch) };
}

function onesOf({ blocks }: TableEncoding, cells: Uint16Array, variance: number): OneWay[] {
  const counts = blocks.map((block) => new Float64Array(block.cells));
  cells.forEach((cell, i) => {
    const own = counts[i % blocks.length] as Float64Array;
    own[cell] = (own[cell] as number) + 1;
  });
  return counts.map((own) => ({ counts: own, variance }));
}

/** Every column on its own cells, then every pair on coarse ones. */
function measuredFor({ cells: { blocks }, parts }: QualityPlan, grids: readonly Grid[]): Measured {
  const maps: { column: number; cells: readonly number[] }[] = [];
  const axes = blocks.map((block, column): Axis => {
    const { coarse, coarseCells } = grids[column] as Grid;
    if (coarseCells === block.cells) return { column };
    return { map: maps.push({ column, cells: coarse }) - 1 };
  });
  const singles = weighted(
    blocks.map((_, column): readonly Axis[] => [{ column }]),
    blocks.map(({ cells }) => cells),
    parts.ones,
  );
  const pairs: (readonly Axis[])[] = [];
  const sizes: number[] = [];
  for (let b = 1; b < blocks.length; b++)
    for (let a = 0; a < b; a++) {
      pairs.push([axes[a] as Axis, axes[b] as Axis]);
      sizes.push((grids[a] as Grid).coarseCells * (grids[b] as Grid).coarseCells);
    }
  return { version: 1, maps, marginals: [...singles, ...weighted(pairs, sizes, parts.pairs)] };
}

function weighted(axes: readonly (readonly Axis[])[], sizes: readonly number[], part: number): Marginal[] {
  const weights = weightsFor(sizes, part);
  return axes.map((own, i) => ({ axes: own, weight: weights[i] as number }));
}

/** The classifiers: of a label of two categories that of the rarer, else one for each of the most frequent that stand out of the noise. */
function scored(
  plan: QualityPlan,
  label: number,
  features: readonly (readonly number[])[],
  ofRows: Uint16Array,
  cells: Uint16Array,
): Scored {
  const columns = features.length;
  const rows = cells.length / columns;
  const categories = categoriesOf(plan.cells, label);
  const labels = Uint16Array.from({ length: rows }, (_, row) => cells[row * columns + label] as number);
  const labelled = Array.from(labels.keys()).filter((row) => (labels[row] as number) < categories);
  const frequency = new Float64Array(categories);
  for (const row of labelled) {
    const category = labels[row] as number;
    frequency[category] = (frequency[category] as number) + 1;
  }
  const byFrequency = Array.from(frequency.keys()).sort(
    (a, b) => (frequency[b] as number) - (frequency[a] as number) || a - b,
  );
  // A class of which the noise would leave nothing says nothing; it would only drag the mean towards chance.
  const standsOut = (category: number): boolean => {
    const share = (frequency[category] as number) / Math.max(1, labelled.length);
    return Math.min(share, 1 - share) * plan.expected >= plan.fewestScored;
  };
  const frequent = byFrequency.slice(0, plan.classes);
  const enough = frequent.filter(standsOut);
  const chosen =
    categories === 2 ? [byFrequency[1] as number] : enough.length > 0 ? enough : frequent.slice(0, 1);

  // The features of all columns but the label, side by side.
  const others = features.flatMap((_, column) => (column === label ? [] : [column]));
  const starts: number[] = [];
  let width = 0;
  for (const column of others) {
    starts.push(width);
    width += sizeOfMap(features[column] as readonly number[]);
  }
  const matrix = new Uint32Array(labelled.length * others.length);
  labelled.forEach((row, i) => {
    others.forEach((column, c) => {
      matrix[i * others.length + c] = (starts[c] as number) + (ofRows[row * columns + column] as number);
    });
  });
  const weight = Math.max(1, Math.floor(plan.parts.scores / Math.sqrt(chosen.length)));
  const classes = chosen.map((category) => {
    const isPositive = Uint8Array.from(labelled, (row) => (labels[row] === category ? 1 : 0));
    const trained = trainClassifier(matrix, others.length, isPositive, width);
    const coefficients = features.map((map, column) => {
      const c = others.indexOf(column);
      if (c < 0) return [];
      const start = starts[c] as number;
      // Six digits are more than noise leaves of them, and half the bytes.
      return Array.from(trained.subarray(start, start + sizeOfMap(map)), (x) => Number(x.toPrecision(6)));
    });
    const scores = Float64Array.from(labelled, (row) =>
      scoreOf({ coefficients }, label, ofRows, row * columns),
    );
    const edges =
      scores.length === 0 ? new Array<number>(plan.scoreBins - 1).fill(0) : edgesOf(scores, plan.scoreBins);
    return { category, weight, coefficients, edges };
  });
  return { column: label, classes };
}
