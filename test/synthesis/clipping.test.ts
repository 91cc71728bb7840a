import { beforeAll, describe, expect, it } from 'vitest';
import { type LearningEngine, type Matrix, startEngine } from '../../src/synthesis/engine.js';
import { ClippedSum, ghostSquaredNorms, type Tape } from '../../src/synthesis/gan/clipping.js';
import { type Critic, criticOf, criticTape, featureUnit } from '../../src/synthesis/gan/critic.js';
import {
  backward,
  forward,
  initialParameters,
  layersOf,
  parameterGradient,
} from '../../src/synthesis/gan/network.js';
import { layoutOf } from '../../src/synthesis/oneWays/columns.js';
import { uniforms } from '../../src/synthesis/randomness.js';
import { fineCells } from '../../src/synthesis/table/fineCells.js';
import { rngOf, smallSchema } from './fixtures.js';

const layout = layoutOf(fineCells(smallSchema()), 16);
const WIDTHS = [layout.width, 12, 7, 1];
const layers = layersOf(WIDTHS);
/** Three columns of three cells: a feature for each of 27 pairs of cells, behind the network's parameters. */
const critic = criticOf(layout, { criticFeatures: 64, criticHidden: [12, 7] });
/** The same on 5 coordinates: nearly every row has two features on one. */
const hashed = criticOf(layout, { criticFeatures: 5, criticHidden: [12, 7] });

let engine: LearningEngine;
beforeAll(async () => {
  engine = await startEngine();
});

const parametersOf = (seed: number, scale = 1) => {
  const parameters = new Float32Array(critic.parameters);
  parameters.set(initialParameters(WIDTHS, 3, rngOf(seed, 'parameters')).map((value) => value * scale));
  uniforms(rngOf(seed, 'weights'), 27).forEach((u, k) => {
    parameters[critic.deep + k] = scale * (u - 0.5);
  });
  return parameters;
};

function cells(count: number, seed: number): Uint16Array {
  return Uint16Array.from(uniforms(rngOf(seed, 'cells'), count * 3), (u) => Math.floor(3 * u));
}

/** The loss of one pair, written out in float64 with no shared code, for finite differences. */
function pairLoss(parameters: ArrayLike<number>, real: readonly number[], fake: readonly number[]): number {
  const score = (row: readonly number[]): number => {
    let values = new Array<number>(layout.width).fill(0);
    row.forEach((cell, column) => {
      values[3 * column + cell] = 1;
    });
    layers.forEach((layer, index) => {
      values = Array.from({ length: layer.outputs }, (_, j) => {
        let sum = parameters[layer.bias + j] as number;
        for (let i = 0; i < layer.inputs; i++)
          sum += (values[i] as number) * (parameters[layer.weights + i * layer.outputs + j] as number);
        return index < layers.length - 1 && sum < 0 ? 0.2 * sum : sum;
      });
    });
    const [a, b, c] = row as [number, number, number];
    const features = [3 * a + b, 9 + 3 * a + c, 18 + 3 * b + c];
    return features.reduce((sum, k) => sum + (parameters[critic.deep + k] as number), values[0] as number);
  };
  return Math.log1p(Math.exp(-score(real))) + Math.log1p(Math.exp(score(fake)));
}

/** Every record's gradient on its own, by the outer products of its two rows in float64. */
function naiveGradients(tape: Tape): Float64Array[] {
  const last = layers.at(-1) as (typeof layers)[number];
  return Array.from({ length: tape.records }, (_, record) => {
    const deep = last.bias + last.outputs;
    const gradient = new Float64Array(deep + (tape.features?.dimension ?? 0));
    layers.forEach((layer, index) => {
      const a = tape.inputs[index] as Matrix;
      const g = tape.outputGradients[index] as Matrix;
      for (const row of [2 * record, 2 * record + 1])
        for (let j = 0; j < layer.outputs; j++) {
          const gj = g.data[row * layer.outputs + j] as number;
          gradient[layer.bias + j]! += gj;
          for (let i = 0; i < layer.inputs; i++)
            gradient[layer.weights + i * layer.outputs + j]! +=
              (a.data[row * layer.inputs + i] as number) * gj;
        }
    });
    for (const row of [2 * record, 2 * record + 1])
      for (const feature of tape.features?.features.subarray(3 * row, 3 * row + 3) ?? [])
        gradient[deep + (feature >>> 1)]! +=
          (1 - 2 * (feature & 1)) * (tape.features?.gradient.data[row] as number);
    return gradient;
  });
}

const norm = (values: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += (values[i] as number) ** 2;
  return Math.sqrt(total);
};

const tapeOf = (records: number, seed: number, scale = 1, shape: Critic = critic): Tape =>
  criticTape(engine, shape, parametersOf(seed, scale), cells(records, seed), cells(records, seed + 1));

/** Hidden inputs on the clipping grid of 1/32, so that the norms compared are of the same vectors. */
const onGrid = (tape: Tape): Tape => ({
  ...tape,
  inputs: tape.inputs.map((matrix, layer) =>
    layer === 0 ? matrix : { ...matrix, data: matrix.data.map((value) => Math.round(32 * value) / 32) },
  ),
});

function clippedSum(clipNorm: number, ...tapes: readonly Tape[]): Float32Array {
  const sum = new ClippedSum(layers, clipNorm, tapes[0]?.features?.dimension ?? critic.pairs.dimension);
  for (const tape of tapes) sum.add(engine, tape);
  return sum.values();
}

/** Records first … end of a tape. */
const part = (tape: Tape, first: number, end: number): Tape => {
  const cut = ({ columns, data }: Matrix): Matrix => ({
    rows: 2 * (end - first),
    columns,
    data: data.slice(2 * first * columns, 2 * end * columns),
  });
  return {
    records: end - first,
    inputs: tape.inputs.map(cut),
    outputGradients: tape.outputGradients.map(cut),
    ...(tape.features && {
      features: {
        ...tape.features,
        features: tape.features.features.slice(6 * first, 6 * end),
        gradient: cut(tape.features.gradient),
      },
    }),
  };
};

describe('critic gradients', () => {
  it('are the derivative of the logistic loss, by finite differences', () => {
    const parameters = parametersOf(8);
    const tape = tapeOf(5, 8);
    const naive = naiveGradients(tape);
    const [real, fake] = [cells(5, 8), cells(5, 9)];
    for (let record = 0; record < 5; record++)
      for (let k = 0; k < parameters.length; k += 5) {
        const shifted = (by: number) =>
          Float64Array.from(parameters, (value, i) => (i === k ? value + by : value));
        const rows = [real, fake].map((all) => [...all.subarray(3 * record, 3 * record + 3)]) as [
          number[],
          number[],
        ];
        const slope = (pairLoss(shifted(1e-5), ...rows) - pairLoss(shifted(-1e-5), ...rows)) / 2e-5;
        // The features' part is asked for in a unit of its own.
        const unit = k < critic.deep ? 1 : featureUnit(critic);
        expect((naive[record] as Float64Array)[k]).toBeCloseTo(unit * slope, 4);
      }
  });

  it('of the generator kind sum up over rows', () => {
    const input = { rows: 6, columns: WIDTHS[0] as number, data: Float32Array.from(uniforms(rngOf(2), 54)) };
    const activations = forward(engine, layers, parametersOf(3), input);
    const ones = { rows: 6, columns: 1, data: new Float32Array(6).fill(1) };
    const { outputs } = backward(engine, layers, parametersOf(3), activations, ones);
    const tape = { records: 3, inputs: activations.slice(0, -1), outputGradients: outputs };
    const total = parameterGradient(engine, layers, activations, outputs);
    const naive = naiveGradients(tape);
    for (let k = 0; k < critic.deep; k++)
      expect(total[k]).toBeCloseTo(
        naive.reduce((sum, gradient) => sum + (gradient[k] as number), 0),
        3,
      );
  });
});

describe('hazard P20: ghost norms', () => {
  it.each([
    ['one coordinate a feature', () => critic],
    ['features that share coordinates', () => hashed],
  ])('equal the norms of naive per-record gradients, with bias and cross terms: %s', (_, shape) => {
    const tape = onGrid(tapeOf(100, 20, 1, shape()));
    const ghost = ghostSquaredNorms(tape);
    const naive = naiveGradients(tape).map(norm);
    naive.forEach((value, record) => {
      expect(Math.sqrt(ghost[record] as number) / value).toBeCloseTo(1, 5);
    });
  });

  it('would be noticed without the cross terms or the bias', () => {
    const { features: _, ...tape } = onGrid(tapeOf(100, 20));
    const naive = naiveGradients(tape).map(norm);
    const row = (matrix: Matrix, r: number) =>
      matrix.data.subarray(r * matrix.columns, (r + 1) * matrix.columns);
    const wrong = (bias: number, cross: number) =>
      naive.map((_, record) => {
        let total = 0;
        for (const s of [0, 1])
          for (const t of [0, 1])
            layers.forEach((_, index) => {
              const dot = (m: Matrix) => {
                const other = row(m, 2 * record + t);
                return row(m, 2 * record + s).reduce(
                  (sum, value, i) => sum + value * (other[i] as number),
                  0,
                );
              };
              const a = dot(tape.inputs[index] as Matrix) + bias;
              total += (s === t ? 1 : cross) * a * dot(tape.outputGradients[index] as Matrix);
            });
        return Math.sqrt(Math.max(0, total));
      });
    const worst = (norms: number[]) =>
      Math.max(...norms.map((value, i) => Math.abs(value / (naive[i] as number) - 1)));
    expect(worst(wrong(1, 1))).toBeLessThan(1e-5);
    expect(worst(wrong(0, 1))).toBeGreaterThan(0.01);
    expect(worst(wrong(1, 0))).toBeGreaterThan(0.01);
  });
});

describe('the clipped sum', () => {
  it.each([2 ** -6, 1, 2 ** 6])(
    'of each record alone has norm ≤ C = %d, and points along its gradient',
    (clipNorm) => {
      let kept = 0;
      for (const scale of [0.1, 1, 20]) {
        const tape = tapeOf(60, 30, scale);
        const naive = naiveGradients(onGrid(tape));
        for (let record = 0; record < tape.records; record++) {
          const clipped = clippedSum(clipNorm, part(tape, record, record + 1));
          expect(norm(clipped)).toBeLessThanOrEqual(clipNorm);
          const gradient = naive[record] as Float64Array;
          if (scale === 20) continue; // activations beyond ±8 are clamped: the direction is another, the norm still holds
          const length = Math.min(clipNorm, norm(gradient));
          const largest = Math.max(
            ...[...tape.outputGradients, tape.features?.gradient as Matrix].flatMap(({ columns, data }) =>
              Array.from(data.subarray(2 * record * columns, 2 * (record + 1) * columns), Math.abs),
            ),
          );
          // What is short beside the grid, or the rest of two rows that cancel, keeps its bound but not its direction.
          if (length < clipNorm / 8 || norm(gradient) < largest) continue;
          kept += 1;
          const cosine =
            gradient.reduce((sum, g, i) => sum + g * (clipped[i] as number), 0) /
            norm(gradient) /
            norm(clipped);
          expect(cosine).toBeGreaterThan(0.98);
          expect(norm(clipped) / length).toBeGreaterThan(0.95);
        }
      }
      if (clipNorm <= 1) expect(kept).toBeGreaterThan(30);
    },
  );

  it('is exact: any order, any cut into batches, and every record alone give the same bits', () => {
    const tape = tapeOf(150, 40, 3);
    const whole = clippedSum(1, tape);
    expect(clippedSum(1, part(tape, 0, 77), part(tape, 77, 150))).toEqual(whole);
    expect(clippedSum(1, part(tape, 100, 150), part(tape, 0, 100))).toEqual(whole);
    const single = new Float64Array(whole.length);
    for (let record = 0; record < 150; record++)
      for (const [i, value] of clippedSum(1, part(tape, record, record + 1)).entries()) single[i]! += value;
    expect(Float32Array.from(single)).toEqual(whole);
    expect(whole.every((value) => Number.isInteger(value * 2 ** 14))).toBe(true);
  });

  it('stays exact where rows cancel and scales differ wildly', () => {
    const tape = tapeOf(130, 50);
    const scaled = (matrix: Matrix): Matrix => ({
      ...matrix,
      data: matrix.data.map((value, i) => value * 10 ** ((Math.floor(i / matrix.columns / 2) % 25) - 12)),
    });
    const wild: Tape = {
      ...tape,
      outputGradients: tape.outputGradients.map(scaled),
      ...(tape.features && {
        features: { ...tape.features, gradient: scaled(tape.features.gradient) },
      }),
    };
    const whole = clippedSum(1, wild);
    const without = clippedSum(1, part(wild, 0, 64), part(wild, 65, 130));
    const alone = clippedSum(1, part(wild, 64, 65));
    expect(Float32Array.from(whole, (value, i) => value - (without[i] as number))).toEqual(alone);
    expect(norm(alone)).toBeLessThanOrEqual(1);
  });

  it('hazard P5: a record with NaN or infinity contributes zero and spoils nobody else’s', () => {
    const tape = tapeOf(70, 60);
    const others = clippedSum(1, part(tape, 0, 10), part(tape, 11, 70));
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (const where of ['inputs', 'outputGradients'] as const)
        for (let layer = 0; layer < layers.length; layer++) {
          const spoilt = structuredClone(tape) as Tape;
          const matrix = spoilt[where][layer] as Matrix;
          matrix.data[20 * matrix.columns] = bad;
          expect(clippedSum(1, spoilt)).toEqual(others);
        }
    const spoilt = structuredClone(tape) as Tape;
    const linear = spoilt.features as NonNullable<Tape['features']>;
    linear.gradient.data[20] = Number.NaN;
    expect(clippedSum(1, spoilt)).toEqual(others);
  });

  it('hazard P3: of no records is zero', () => {
    expect(clippedSum(1).every((value) => value === 0)).toBe(true);
    expect(clippedSum(1, tapeOf(0, 1)).every((value) => value === 0)).toBe(true);
  });
});

describe('hazard P19: the critic’s clipped gradient', () => {
  const scores = (parameters: Float32Array, cellsOfRows: Uint16Array): number[] => {
    const tape = criticTape(engine, critic, parameters, cellsOfRows, cellsOfRows);
    // The gradient of softplus(−s) by s is −1/(1 + eˢ).
    const gradient = (tape.outputGradients.at(-1) as Matrix).data;
    return Array.from({ length: tape.records }, (_, i) => Math.log(-1 / (gradient[2 * i] as number) - 1));
  };

  it('has the sign of a loss: against it, records score higher and fakes lower', () => {
    const parameters = parametersOf(8);
    const [real, fake] = [cells(60, 8), cells(60, 9).map(() => 1)];
    const tape = criticTape(engine, critic, parameters, real, fake);
    const gradient = clippedSum(1, tape);
    const stepped = (sign: number) =>
      parameters.map((value, k) => value - sign * 0.003 * (gradient[k] as number));
    const gap = (at: Float32Array) => {
      const [up, down] = [scores(at, real), scores(at, fake)];
      return up.reduce((sum, value, i) => sum + value - (down[i] as number), 0);
    };
    expect(gap(stepped(1))).toBeGreaterThan(gap(parameters));
    expect(gap(stepped(-1))).toBeLessThan(gap(parameters)); // control: the wrong sign is seen
  });

  it('clips the record and its fake as one vector: the fake’s part is in the norm', () => {
    const tape = tapeOf(40, 12, 3);
    for (let record = 0; record < 40; record++)
      expect(norm(clippedSum(2 ** -6, part(tape, record, record + 1)))).toBeLessThanOrEqual(2 ** -6);
    // Control: clipped each by itself, the two would be up to twice as long; here they are longer than one clip norm.
    const alone = (record: number, keep: 0 | 1): Tape => {
      const own = part(tape, record, record + 1);
      const muted = (matrix: Matrix): Matrix => ({
        ...matrix,
        data: matrix.data.map((value, i) => (Math.floor(i / matrix.columns) === keep ? value : 0)),
      });
      return {
        ...own,
        outputGradients: own.outputGradients.map(muted),
        ...(own.features && { features: { ...own.features, gradient: muted(own.features.gradient) } }),
      };
    };
    const apart = Array.from({ length: 40 }, (_, record) => {
      const [real, fake] = [clippedSum(2 ** -6, alone(record, 0)), clippedSum(2 ** -6, alone(record, 1))];
      return norm(real.map((value, k) => value + (fake[k] as number)));
    });
    expect(Math.max(...apart)).toBeGreaterThan(1.1 * 2 ** -6);
  });
});
