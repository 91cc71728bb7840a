import { calibrate, emptyCalibration } from './calibration.js';
import { cellsIn, checkAttributes, type Domain } from './domain.js';
import { InvalidModelInput } from './errors.js';
import { junctionTree } from './junctionTree.js';
import { type Measurement, measurementOperator } from './measurements.js';
import {
  checkTotal,
  type Factor,
  type Model,
  type ModelOptions,
  nothingLeft,
  potentialsOf,
} from './model.js';
import { addExpanded, projection } from './projection.js';

export interface EstimationOptions extends ModelOptions {
  /** Factors of an earlier model to start from; the uniform distribution otherwise. */
  readonly warmStart?: readonly Factor[];
  /** Calibrations, of which one is made in an iteration. */
  readonly maxIterations: number;
  /** Stops when WINDOW iterations have lowered the objective by less than this part of it. */
  readonly tolerance: number;
}

export interface Estimate {
  readonly model: Model;
  /** Σ weight·‖μ − y‖² / (2σ²) of the model: the least of the trace. */
  readonly objective: number;
  /** The objective at the start and after each accepted step. */
  readonly trace: readonly number[];
  /** Calibrations made. */
  readonly iterations: number;
  /** False: `maxIterations` ended it. */
  readonly converged: boolean;
}

const WINDOW = 40;
/** Accepted steps without a new best before momentum is dropped. */
const PATIENCE = 20;
/** The curvature is tried this much lower after each accepted step. */
const RELAXATION = 1.05;
/** Of sums over cells: differences below are rounding, not curvature. */
const ROUNDING = 1e-13;

/**
 * The model, of all distributions whose measured marginals come closest to the measurements, of the largest entropy (McKenna,
 * Sheldon, Miklau 2019): minimises f(μ) = Σ weight·‖Aμ − y‖²/(2σ²) by mirror descent, where a step by the gradient Aᵀr
 * is a change −Aᵀr/L of the log-potentials (their Algorithm 1). So the potentials are base + Aᵀλ, and λ, a number a
 * measured cell, is all that the iteration is about: its factors stay those that were measured, which is the maximum
 * of entropy and lets any later junction tree take them up. (From a warm start that has factors over more than what is
 * measured it is the distribution nearest to that start instead.)
 *
 * Two things make it fast. Nesterov's momentum (1983), on λ. And an L that follows the curvature: for a quadratic f the
 * bound that a step needs is ½‖A(μ′ − μ)‖²/σ² ≤ L·D(μ′, μ) with D the relative entropy (relative smoothness: Lu,
 * Freund, Nesterov 2018), which is known for the step just made, so L is doubled until it holds and lowered a little
 * after each step (Hanzely, Richtárik, Xiao 2021). By Pinsker's inequality it holds from L = total·Σ 1/σ² on. Momentum
 * on λ has no proof of its own; when it finds nothing better for PATIENCE steps it is dropped, and from the best point
 * a plain step of mirror descent is a descent (adaptive restart: O'Donoghue, Candès 2015).
 * @throws InvalidModelInput, ModelTooLarge
 */
export function estimate(
  domain: Domain,
  measurements: readonly Measurement[],
  options: EstimationOptions,
): Estimate {
  const { total, structuralZeros = [], warmStart = [], maxIterations, tolerance, cellLimit } = options;
  checkTotal(total);
  if (!(maxIterations >= 1)) throw new InvalidModelInput('maxIterations', 'must be 1 at least');
  const sets = [...measurements, ...warmStart, ...structuralZeros].map(({ attributes }) => attributes);
  const tree = junctionTree(domain, sets, cellLimit);
  const operator = measurementOperator(tree, measurements);
  const { cells, values, precision } = operator;
  const base = potentialsOf(tree, warmStart, structuralZeros);
  const potentials = new Float64Array(tree.cells);
  const calibration = emptyCalibration(tree);
  const spoilt = new Float64Array(cells);
  let iterations = 0;

  const evaluate = (point: Point): void => {
    potentials.set(base);
    spoilt.set(point.dual);
    operator.addTransposed(spoilt, potentials);
    if (!calibrate(tree, potentials, total, calibration)) throw nothingLeft();
    operator.apply(calibration.marginals, point.measured);
    point.logPartition = calibration.logPartition;
    point.objective = 0;
    for (let i = 0; i < cells; i++) {
      const residual = (point.measured[i] as number) - (values[i] as number);
      point.objective += 0.5 * (precision[i] as number) * residual * residual;
    }
    iterations++;
  };

  let current = pointOf(cells);
  let next = pointOf(cells);
  const best = pointOf(cells);
  evaluate(current);
  copyPoint(current, best);
  /** Where the last step led before momentum was added. */
  let stepped: Float64Array = current.dual.slice();
  let steppedNext: Float64Array = new Float64Array(cells);
  const largest = precision.reduce((a, b) => Math.max(a, b), 0);
  const bound = 2 * total * largest * Math.max(1, measurements.length);
  let curvature = total * largest;
  let momentum = 1;
  let withoutBest = 0;
  const trace = [current.objective];
  const bests = [current.objective];
  let converged = cells === 0;
  while (!converged && iterations < maxIterations) {
    const momentumNext = (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const carried = (momentum - 1) / momentumNext;
    for (let i = 0; i < cells; i++) {
      const residual = (current.measured[i] as number) - (values[i] as number);
      const x = (current.dual[i] as number) - ((precision[i] as number) * residual) / curvature;
      steppedNext[i] = x;
      next.dual[i] = x + carried * (x - (stepped[i] as number));
    }
    evaluate(next);
    if (curvature < bound && !isSmooth(current, next, precision, total, curvature)) {
      curvature *= 2;
      continue;
    }
    [current, next] = [next, current];
    [stepped, steppedNext] = [steppedNext, stepped];
    momentum = momentumNext;
    curvature /= RELAXATION;
    trace.push(current.objective);
    if (current.objective < best.objective) {
      copyPoint(current, best);
      withoutBest = 0;
    } else if (++withoutBest >= PATIENCE) {
      copyPoint(best, current);
      stepped.set(best.dual);
      momentum = 1;
      withoutBest = 0;
    }
    bests.push(best.objective);
    const before = bests[bests.length - 1 - WINDOW];
    converged = before !== undefined && before - best.objective <= tolerance * best.objective;
  }
  evaluate(best);
  const factors = mergedFactors(domain, warmStart, measurements, operator.offsets, best.dual);
  const model: Model = { tree, total, factors, structuralZeros, calibration };
  return { model, objective: best.objective, trace, iterations: iterations - 1, converged };
}

/** λ and what it leads to. */
interface Point {
  readonly dual: Float64Array;
  /** A·μ. */
  readonly measured: Float64Array;
  logPartition: number;
  objective: number;
}

function pointOf(cells: number): Point {
  return { dual: new Float64Array(cells), measured: new Float64Array(cells), logPartition: 0, objective: 0 };
}

function copyPoint(from: Point, to: Point): void {
  to.dual.set(from.dual);
  to.measured.set(from.measured);
  to.logPartition = from.logPartition;
  to.objective = from.objective;
}

/**
 * ½‖A(μ′ − μ)‖²/σ² ≤ L·D(μ′, μ). In an exponential family D(μ′, μ) = ⟨λ′ − λ, Aμ′⟩ − total·(log Z′ − log Z): nothing but
 * measured cells is needed for it.
 */
function isSmooth(
  from: Point,
  to: Point,
  precision: Float64Array,
  total: number,
  curvature: number,
): boolean {
  let square = 0;
  let inner = 0;
  let size = 0;
  for (let i = 0; i < precision.length; i++) {
    const moved = (to.measured[i] as number) - (from.measured[i] as number);
    square += (precision[i] as number) * moved * moved;
    const term = ((to.dual[i] as number) - (from.dual[i] as number)) * (to.measured[i] as number);
    inner += term;
    size += Math.abs(term);
  }
  const logRatio = total * (to.logPartition - from.logPartition);
  const slack = ROUNDING * (size + Math.abs(logRatio) + total * Math.abs(to.logPartition));
  return square / 2 <= curvature * (inner - logRatio + slack);
}

/** The start's factors plus λ, one for each set of attributes, attributes ascending. */
function mergedFactors(
  domain: Domain,
  start: readonly Factor[],
  measurements: readonly Measurement[],
  offsets: readonly number[],
  dual: Float64Array,
): Factor[] {
  const factors = new Map<string, Factor>();
  const at = (attributes: readonly number[]): Factor => {
    const ascending = [...attributes].sort((a, b) => a - b);
    let factor = factors.get(ascending.join());
    if (factor === undefined) {
      const logPotentials = new Float64Array(cellsIn(domain, ascending));
      factors.set(ascending.join(), (factor = { attributes: ascending, logPotentials }));
    }
    return factor;
  };
  for (const { attributes, logPotentials } of start) {
    checkAttributes(domain, attributes, 'warmStart');
    const factor = at(attributes);
    addExpanded(projection(domain, factor.attributes, attributes), logPotentials, 0, factor.logPotentials, 0);
  }
  for (const [index, { attributes, bins }] of measurements.entries()) {
    const factor = at(attributes);
    const map = projection(domain, factor.attributes, attributes, bins);
    addExpanded(map, dual, offsets[index] as number, factor.logPotentials, 0);
  }
  return [...factors.values()];
}
