import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Rng } from '../../src/crypto/rng.js';
import {
  EngineUnavailable,
  type LearningEngine,
  type Matrix,
  startEngine,
  withRowsApart,
} from '../../src/synthesis/engine.js';
import { InvalidOptions } from '../../src/synthesis/errors.js';
import { leakyRelu, tanh } from '../../src/synthesis/learning/activation.js';
import { type LayerJson, parseNetwork } from '../../src/synthesis/learning/architecture.js';
import {
  type Batch,
  clippedGradientSum,
  type LossGradient,
} from '../../src/synthesis/learning/clippedGradient.js';
import { dense } from '../../src/synthesis/learning/dense.js';
import { embedding } from '../../src/synthesis/learning/embedding.js';
import { ExactSum } from '../../src/synthesis/learning/exactSum.js';
import type { Layer } from '../../src/synthesis/learning/layer.js';
import { type Network, networkOf } from '../../src/synthesis/learning/network.js';
import { normsOf } from '../../src/synthesis/learning/norms.js';
import { formedIfSmall } from '../../src/synthesis/learning/perRecord.js';
import {
  MAX_DIMENSION,
  ROWS,
  sensitivityBound,
  slotShape,
} from '../../src/synthesis/learning/sensitivity.js';
import { slotsOf } from '../../src/synthesis/learning/slots.js';
import type { ProductTerm } from '../../src/synthesis/learning/terms.js';
import { normals } from '../../src/synthesis/randomness.js';
import { rngOf } from './fixtures.js';

let engine: LearningEngine;
beforeAll(async () => {
  engine = await startEngine();
});

const norm = (values: Iterable<number>): number => Math.sqrt([...values].reduce((sum, x) => sum + x * x, 0));
const minus = (a: Float64Array, b: Float64Array): Float64Array =>
  a.map((value, k) => value - (b[k] as number));

/** The output's own pull, scaled as the first input of the record says: the loss ½·scale·Σ output². */
const pull: LossGradient = (output, _record, gradient) => {
  for (let j = 0; j < output.length; j++) gradient[j] = output[j] as number;
};

const mlp = networkOf([dense(6, 20), tanh(20), dense(20, 3)]);
/** Two positions a record: rows may cancel. */
const sequence = networkOf([dense(12, 20, 2), tanh(40), dense(40, 3)]);
const convolutional = parseNetwork({ height: 6, width: 6, channels: 2 }, [
  { kind: 'convolution', filters: 4, kernel: 3, stride: 2, padding: 1 },
  { kind: 'group-norm', groups: 2 },
  { kind: 'tanh' },
  { kind: 'dense', outputs: 2 },
]);
const NETWORKS = { mlp, sequence, convolutional };

const parametersOf = (network: Network): Float32Array => network.initial(rngOf(3, 'parameters'));
const batchOf = (network: Network, records: number, seed = 1): Batch => ({
  records,
  inputs: normals(rngOf(seed, 'batch'), records * network.inputs),
});
/** Record i of the result is records[i] of the batch. */
const pick = (network: Network, { inputs }: Batch, records: readonly number[]): Batch => ({
  records: records.length,
  inputs: Float32Array.from(
    records.flatMap((record) => [...inputs.subarray(record * network.inputs, (record + 1) * network.inputs)]),
  ),
});
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Slot draws that belong to the records: as if each carried its own coin. */
const coins = (records: readonly number[], seed = 7): Rng => {
  const words = new Uint32Array(rngOf(seed, 'coins')(4 * 4096).slice().buffer);
  return () => new Uint8Array(Uint32Array.from(records, (record) => words[record] as number).buffer);
};

function sumOf(
  network: Network,
  batch: Batch,
  options: {
    loss?: LossGradient;
    clipNorm?: number;
    expected?: number;
    slots?: Rng;
    parameters?: Float32Array;
  } = {},
): Float64Array {
  const { loss = pull, clipNorm = 1, expected = 200, slots = rngOf(1, 'slots') } = options;
  const parameters = options.parameters ?? parametersOf(network);
  return clippedGradientSum(
    engine,
    network,
    parameters,
    batch,
    loss,
    { clipNorm, expectedRecords: expected },
    slots,
  );
}

describe('hazard P26: what mixes records', () => {
  it.each([
    'batch-norm',
    'BatchNormalization',
    'sync_batch_norm',
    'virtual batch norm',
    'minibatch-discrimination',
    'batch-renorm',
  ])('is refused by name: %s', (kind) => {
    const layers = [{ kind: 'dense', outputs: 3 }, { kind }, { kind: 'dense', outputs: 1 }];
    const parse = () => parseNetwork({ height: 1, width: 1, channels: 4 }, layers);
    expect(parse).toThrow(InvalidOptions);
    expect(parse).toThrow(`layers[1]: ${kind} mixes the records of a batch`);
  });

  it('is found out when somebody writes such a layer, on the way there or back', () => {
    // Positive control: BatchNorm without its name, and one whose forward pass alone is innocent.
    const centred: Layer = {
      ...tanh(5),
      kind: 'centred',
      bind: () => (input, records) => {
        const means = range(5).map(
          (j) => range(records).reduce((sum, i) => sum + (input[5 * i + j] as number), 0) / records,
        );
        const output = input.map((value, i) => value - (means[i % 5] as number));
        return { output, backward: (gradient) => ({ input: gradient, terms: [] }) };
      },
    };
    const averaging: Layer = {
      ...tanh(5),
      kind: 'averaging',
      bind: () => (input, records) => ({
        output: input.slice(),
        backward: (gradient) => ({ input: gradient.map((value) => value / records), terms: [] }),
      }),
    };
    for (const [layer, message] of [
      [centred, /layers\[1\]: centred mixes/],
      [averaging, /the way back mixes/],
    ] as const) {
      const network = networkOf([dense(4, 5), layer, dense(5, 1)]);
      expect(() => sumOf(network, batchOf(network, 3))).toThrow(message);
    }
    const harmless = networkOf([dense(4, 5), leakyRelu(5, 0.1), dense(5, 1)]);
    expect(() => sumOf(harmless, batchOf(harmless, 3))).not.toThrow();
    // Records of one number, and of one id: the made-up ones must differ there too, and be ids of the vocabulary.
    for (const [first, inputs] of [
      [dense(1, 5), Float32Array.of(1, 2, 3)],
      [embedding(1, 2, 5), Float32Array.of(0, 1, 0)],
    ] as const) {
      const network = networkOf([first, centred, dense(5, 1)]);
      expect(() => sumOf(network, { records: 3, inputs })).toThrow(/layers\[1\]: centred mixes/);
    }
  });

  it('is found out behind an embedding of one id, too, and where a layer makes no number', () => {
    // |NaN − b| > t is false: a trial with the id 1 of a vocabulary of 1, a NaN, would pass whatever comes after.
    const counting: Layer = {
      ...tanh(5),
      kind: 'counting',
      bind: () => (input, records) => ({
        output: input.map((value) => value / records),
        backward: (gradient) => ({ input: gradient, terms: [] }),
      }),
    };
    const ofOneId = (layer: Layer) => networkOf([embedding(1, 1, 5), layer, dense(5, 1)]);
    const ids = { records: 2, inputs: Float32Array.of(0, 0) };
    expect(() => sumOf(ofOneId(counting), ids)).toThrow(/layers\[1\]: counting mixes/);
    expect(norm(sumOf(ofOneId(tanh(5)), ids))).toBeGreaterThan(0);
    const numberless: Layer = {
      ...tanh(5),
      kind: 'numberless',
      bind: () => (input) => ({
        output: input.map(() => Number.NaN),
        backward: (gradient) => ({ input: gradient, terms: [] }),
      }),
    };
    const network = networkOf([dense(4, 5), numberless, dense(5, 1)]);
    expect(() => sumOf(network, batchOf(network, 3))).toThrow(
      /layers\[1\]: numberless makes no finite number/,
    );
  });

  it.each([
    [{ kind: 'dense', outputs: 0 }, 'layers[0]'],
    [{ kind: 'attention' }, 'layers[0]'],
    [{ kind: 'dense', outputs: 3, dropout: 0.5 }, 'layers[0]'],
    [{ kind: 'convolution', filters: 1, kernel: 9, stride: 1, padding: 0 }, 'layers[0]'],
    [{ kind: 'group-norm', groups: 3 }, 'layers[0]'],
  ])('%j is refused too, naming the layer', (layer, option) => {
    const parse = () => parseNetwork({ height: 4, width: 4, channels: 4 }, [layer]);
    expect(parse).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', option }));
  });
});

describe('a record’s row of a product', () => {
  it('does not depend, in any bit, on how many rows there are and which one it is', () => {
    // What "the vector of a record is a function of the record" rests on; the demo's critic rests on it too.
    for (const [inputs, outputs] of [
      [120, 256],
      [256, 256],
      [256, 1],
      [81, 64],
      [144, 32],
      [9, 16],
    ] as const) {
      const weights = {
        rows: inputs,
        columns: outputs,
        data: normals(rngOf(1, 'weights'), inputs * outputs),
      };
      const bias = normals(rngOf(1, 'bias'), outputs);
      const data = normals(rngOf(2, 'rows'), 600 * inputs);
      const product = (from: number, rows: number) =>
        engine.multiply(
          { rows, columns: inputs, data: data.subarray(from * inputs, (from + rows) * inputs) },
          weights,
          bias,
        );
      const whole = product(0, 600);
      for (const [from, rows] of [
        [0, 1],
        [3, 1],
        [0, 2],
        [1, 3],
        [5, 7],
        [17, 64],
        [1, 65],
        [80, 257],
        [1, 512],
        [0, 599],
      ] as const)
        expect(product(from, rows)).toEqual(whole.slice(from * outputs, (from + rows) * outputs));
    }
  });

  it('is tried at the start: an engine whose row left over from its tiles is off by a bit is refused', () => {
    expect(withRowsApart(engine)).toBe(engine);
    /** The last row by another kernel, whose last bit differs, where `left` has such a row over. */
    const ragged = (isOver: (left: Matrix, right: Matrix) => boolean): LearningEngine => ({
      ...engine,
      multiply(left, right, bias) {
        const product = engine.multiply(left, right, bias).slice();
        if (isOver(left, right)) new Uint32Array(product.buffer)[product.length - 1]! ^= 1;
        return product;
      },
    });
    for (const isOver of [
      () => true,
      ({ rows }: Matrix) => rows % 4 !== 0,
      ({ rows }: Matrix) => rows === 1,
      (_left: Matrix, right: Matrix) => right.columns === 1,
    ])
      expect(() => withRowsApart(ragged(isOver))).toThrow(EngineUnavailable);
  });
});

describe('hazard P20: norms', () => {
  /** The explicit gradient of every record of a term, in float64. */
  const explicit = ({ rows, left, right, bias, a, g }: ProductTerm, record: number): Float64Array => {
    const out = new Float64Array((left + (bias ? 1 : 0)) * right);
    for (let t = record * rows; t < (record + 1) * rows; t++)
      for (let i = 0; i < left + (bias ? 1 : 0); i++)
        for (let j = 0; j < right; j++)
          out[i * right + j]! += (i < left ? (a[t * left + i] as number) : 1) * (g[t * right + j] as number);
    return out;
  };
  const term = (rows: number, bias: boolean): ProductTerm => ({
    kind: 'product',
    offset: 0,
    rows,
    left: 11,
    right: 13,
    bias,
    a: normals(rngOf(1, 'a'), 9 * rows * 11),
    g: normals(rngOf(1, 'g'), 9 * rows * 13),
  });

  it('are those of the explicit gradient: one row, many rows, with a bias and without', () => {
    for (const rows of [1, 2, 5, 8])
      for (const bias of [true, false]) {
        const { squared, absolute } = normsOf([term(rows, bias)], 9);
        for (let record = 0; record < 9; record++) {
          const truth = norm(explicit(term(rows, bias), record)) ** 2;
          expect((squared[record] as number) / truth).toBeCloseTo(1, 11);
          expect(squared[record]).toBeGreaterThanOrEqual(truth * (1 - 1e-12));
          expect(absolute[record]).toBeGreaterThanOrEqual((squared[record] as number) * (1 - 1e-9));
        }
      }
  });

  it('are from above where two rows nearly cancel: float64 loses the norm’s digits there, and what it may have lost is added', () => {
    // One coordinate of the second row is an ulp off: ‖∇‖² is 2⁻⁴⁸ of the summands, a few ulps of float64.
    const one = term(1, false);
    const a = new Float32Array(2 * one.a.length);
    const g = new Float32Array(2 * one.g.length);
    for (let record = 0; record < 9; record++) {
      const rowOfA = one.a.subarray(11 * record, 11 * (record + 1));
      a.set(rowOfA, 22 * record);
      a.set(rowOfA, 22 * record + 11);
      a[22 * record + 11]! *= 1 + 2 ** -22;
      const rowOfG = one.g.subarray(13 * record, 13 * (record + 1));
      g.set(rowOfG, 26 * record);
      g.set(
        rowOfG.map((value) => -value),
        26 * record + 13,
      );
    }
    const pair: ProductTerm = { ...one, rows: 2, a, g };
    const { squared } = normsOf([pair], 9);
    for (let record = 0; record < 9; record++) {
      const truth = norm(explicit(pair, record)) ** 2;
      expect(truth).toBeGreaterThan(0);
      expect(squared[record]).toBeGreaterThanOrEqual(truth);
    }
  });

  it('would be wrong without the bias or without the cross terms (control)', () => {
    const many = term(5, true);
    const truth = norm(explicit(many, 0)) ** 2;
    expect(
      Math.abs((normsOf([{ ...many, bias: false }], 9).squared[0] as number) / truth - 1),
    ).toBeGreaterThan(0.01);
    const diagonal = normsOf([{ ...many, rows: 1 }], 45)
      .squared.subarray(0, 5)
      .reduce((a, b) => a + b, 0);
    expect(Math.abs(diagonal / truth - 1)).toBeGreaterThan(0.01);
  });

  it('form a per-record gradient exactly where 2T² > pD', () => {
    for (const rows of [1, 2, 8, 9, 12]) {
      const { kind } = formedIfSmall(term(rows, true), 9);
      expect(kind).toBe(2 * rows * rows > 11 * 13 ? 'direct' : 'product');
    }
    expect(dense(11, 13, 8).summedRows).toBe(8);
    expect(dense(11, 13, 9).summedRows).toBe(0);
  });

  it('over shared weights are not supported, and such a network is refused', () => {
    const shared = dense(4, 4);
    expect(() => networkOf([shared, tanh(4), shared])).toThrow(
      /layers\[2\]: shares its weights with layers\[0\]/,
    );
  });

  it('under accumulation: a batch of several blocks is the sum of its records, one at a time', () => {
    for (const network of Object.values(NETWORKS)) {
      const batch = batchOf(network, 560);
      const whole = sumOf(network, batch, { expected: 560 });
      const total = new Float64Array(network.parameters);
      for (let record = 0; record < 560; record++)
        sumOf(network, pick(network, batch, [record])).forEach((value, k) => {
          total[k]! += value;
        });
      expect(norm(minus(whole, total)) / norm(total)).toBeLessThan(1e-6);
    }
  });
});

describe('hazard P7: clipping', () => {
  it('is of each record by itself, before anything is added', () => {
    for (const network of Object.values(NETWORKS)) {
      const batch = batchOf(network, 40);
      const clipNorm = 2 ** -10;
      for (let record = 0; record < 40; record++)
        expect(norm(sumOf(network, pick(network, batch, [record]), { clipNorm })) / clipNorm).toBeCloseTo(
          1 - 2 ** -10,
          5,
        );
      // Forty times one record is forty clip norms; clipped after averaging, or by micro-batch, it would be one.
      const copies = sumOf(network, pick(network, batch, new Array(40).fill(0)), { clipNorm });
      expect(norm(copies) / (40 * clipNorm)).toBeCloseTo(1 - 2 ** -10, 5);
    }
  });

  it('is of R = Σ ‖a‖‖g‖ too, where the rows of a record cancel: its float32 sums err by R, not by the norm', () => {
    // Two rows a record, the second the first to a few ulps, with opposite gradients: R is a million norms.
    const rows = networkOf([dense(12, 20, 2)]);
    const first = normals(rngOf(1, 'row'), 12);
    const second = first.map((value, j) => value * (1 + (j % 5) * 1e-6));
    const opposite: LossGradient = (_output, _record, gradient) => {
      gradient.fill(1e6, 0, 20).fill(-1e6, 20);
    };
    const sum = norm(
      sumOf(rows, { records: 1, inputs: Float32Array.of(...first, ...second) }, { loss: opposite }),
    );
    // In float64: the factor is cancelling·(1 − 2⁻¹⁰)/R, and the bias’s gradients cancel wholly.
    const lengthOf = (row: Float32Array) => Math.sqrt(norm(row) ** 2 + 1);
    const absolute = (lengthOf(first) + lengthOf(second)) * norm(new Float32Array(20).fill(1e6));
    const gradient = norm(first.map((value, j) => value - (second[j] as number))) * Math.sqrt(20) * 1e6;
    const { cancelling } = slotShape(rows.summedRows);
    expect(sum).toBeCloseTo((cancelling * (1 - 2 ** -10) * gradient) / absolute, 6);
    expect(sum).toBeLessThan(1e-5);
    // By the norm alone it would be a clip norm long, of numbers of a million clip norms in float32.
    expect(Math.min(1, gradient)).toBe(1);
  });

  it('takes a power of two and nothing that is measured', () => {
    for (const clipNorm of [0, 3, -1, Number.NaN, 2 ** -30, Number.POSITIVE_INFINITY])
      expect(() => sumOf(mlp, batchOf(mlp, 2), { clipNorm })).toThrow(/clipNorm/);
  });
});

describe('hazard P10: sensitivity, float error included', () => {
  it('is proved to be the clip norm for every network that is accepted', () => {
    for (let rows = 0; 2 * rows * rows <= MAX_DIMENSION; rows++) {
      expect(sensitivityBound(MAX_DIMENSION, rows)).toBeLessThanOrEqual(1);
      const { capacity, cancelling } = slotShape(rows);
      expect(capacity * cancelling).toBeLessThanOrEqual(ROWS);
    }
  });

  /** Records of every scale from 10⁻¹² to 10¹², and pairs of rows that nearly cancel. */
  const wild: LossGradient = (output, record, gradient) => {
    for (let j = 0; j < output.length; j++) gradient[j] = (output[j] as number) * 10 ** ((record % 25) - 12);
  };
  const cancelling = (network: Network, batch: Batch): Batch => ({
    ...batch,
    // Each second half of a record is nearly its first half.
    inputs: batch.inputs.map((value, i) => {
      const half = network.inputs / 2;
      return i % network.inputs < half ? value : (batch.inputs[i - half] as number) * (1 + 1e-6);
    }),
  });
  const opposed: LossGradient = (output, record, gradient) => {
    for (let j = 0; j < output.length; j++) gradient[j] = 1e6 * (j % 2 === 0 ? 1 : -1) * (1 + (record % 3));
  };

  it.each(Object.entries(NETWORKS))(
    'is kept by neighbours, wherever the record comes: %s',
    (_name, network) => {
      const batch = batchOf(network, 301);
      // Slots of the right number, and so few that most records lie beyond.
      for (const [data, loss] of [
        [batch, pull],
        [batch, wild],
        [cancelling(network, batch), opposed],
      ] as const)
        for (const extra of [12, 24, 149, 299])
          for (const expected of [240, 64]) {
            const losses =
              (order: readonly number[]): LossGradient =>
              (output, record, gradient) =>
                loss(output, order[record] as number, gradient);
            const all = range(301);
            const others = all.filter((record) => record !== extra);
            const [more, less] = [all, others].map((order) =>
              sumOf(network, pick(network, data, order), {
                loss: losses(order),
                expected,
                slots: coins(order),
              }),
            ) as [Float64Array, Float64Array];
            const moved = norm(minus(more, less));
            expect(moved).toBeLessThanOrEqual(1);
            expect(moved).toBeGreaterThan(0);
          }
    },
  );

  it('would not be, were the sum one float32 sum (control)', () => {
    // Two hundred coordinates of 0.07, norm 0.99, after a million of like records: each is rounded up to 1/8.
    const before = new Float32Array(200).fill(2 ** 20);
    const after = before.map((value) => value + 0.07);
    expect(norm(after.map((value, k) => value - (before[k] as number)))).toBeGreaterThan(1.7);
  });

  it('holds for exact sums in any order', () => {
    const vectors = range(50).map((i) =>
      normals(rngOf(i, 'vector'), 30).map((value) => value * 10 ** ((i % 9) - 6)),
    );
    const summed = (order: readonly number[]) => {
      const sum = new ExactSum(30, 1);
      for (const i of order) sum.add(0, vectors[i] as Float32Array, 0, 30);
      return sum.values();
    };
    expect(summed(range(50).reverse())).toEqual(summed(range(50)));
    const byFour = new ExactSum(30, 1);
    const [a, b, c, d] = vectors as [Float32Array, Float32Array, Float32Array, Float32Array];
    byFour.addFour(0, [a, b, c, d]);
    expect(byFour.values()).toEqual(summed([0, 1, 2, 3]));
  });

  it('has slots of at most their capacity, and every record in one of them', () => {
    // The bound counts `capacity` records a slot; 60 times as many come as were expected.
    for (const capacity of [1, 4, 80]) {
      const slots = slotsOf(60 * capacity, capacity, capacity, rngOf(1, 'slots'));
      expect(Math.max(...slots.map((slot) => slot.length))).toBe(capacity);
      expect(slots.flat().sort((a, b) => a - b)).toEqual(range(60 * capacity));
    }
  });

  it('changes one slot, and pushes at most one record out of it, when a record comes', () => {
    const regrouped =
      (slotsFor: (records: readonly number[]) => readonly (readonly number[])[]) =>
      (at: number, count: number) => {
        const all = range(count + 1);
        const key = (order: readonly number[]) =>
          slotsFor(order).map((slot) => slot.map((i) => order[i]).join());
        const before = key(all.filter((record) => record !== at));
        const after = key(all);
        return [
          after.filter((slot) => !before.includes(slot)),
          before.filter((slot) => !after.includes(slot)),
        ] as const;
      };
    const drawn = regrouped((order) => slotsOf(order.length, 40, 4, coins(order)));
    fc.assert(
      fc.property(fc.nat(120), fc.integer({ min: 121, max: 200 }), (at, count) => {
        const [come, gone] = drawn(at, count);
        expect(gone.length).toBeLessThanOrEqual(1);
        expect(come.length).toBeLessThanOrEqual(2);
        if (come.length === 2) expect(Math.min(...come.map((slot) => slot.split(',').length))).toBe(1);
      }),
    );
    // Control: runs of four regroup everybody who comes later.
    const runs = regrouped((order) =>
      range(Math.ceil(order.length / 4)).map((i) => range(order.length).slice(4 * i, 4 * i + 4)),
    );
    expect(runs(0, 160)[0].length).toBeGreaterThan(30);
  });
});

describe('hazard P5: a record that is not finite', () => {
  it('contributes zero, whichever number of it is not, and spoils nobody else’s', () => {
    for (const network of Object.values(NETWORKS)) {
      const batch = batchOf(network, 90);
      const rest = range(90).filter((record) => record !== 40);
      const others = sumOf(network, pick(network, batch, rest), { slots: coins(rest) });
      // Its slot has a row more, of zeros, and an engine may add rows up in another order for it: float error, for which
      // the clip norm has this much room.
      const expectNoMore = (sum: Float64Array): void =>
        expect(norm(sum.map((value, i) => value - others[i]!))).toBeLessThan(2 ** -10);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const inputs = batch.inputs.slice();
        inputs[40 * network.inputs + 1] = bad;
        expectNoMore(sumOf(network, { records: 90, inputs }, { slots: coins(range(90)) }));
        const loss: LossGradient = (output, record, gradient) => {
          pull(output, record, gradient);
          if (record === 40) gradient[0] = bad;
        };
        expectNoMore(sumOf(network, batch, { loss, slots: coins(range(90)) }));
      }
      // Control: the record itself is far above that.
      expect(
        norm(sumOf(network, batch, { slots: coins(range(90)) }).map((value, i) => value - others[i]!)),
      ).toBeGreaterThan(0.1);
    }
  });

  it('so does one with an id that is none, or inputs too long for float32', () => {
    const layers: readonly LayerJson[] = [
      { kind: 'embedding', vocabulary: 3, width: 4 },
      { kind: 'dense', outputs: 1 },
    ];
    const network = parseNetwork({ height: 1, width: 2, channels: 1 }, layers);
    for (const id of [3, -1, 0.5, Number.NaN])
      expect(norm(sumOf(network, { records: 1, inputs: Float32Array.of(id, 1) }))).toBe(0);
    expect(norm(sumOf(network, { records: 1, inputs: Float32Array.of(2, 1) }))).toBeGreaterThan(0);
    // c·g would be a subnormal float32, that has lost its digits; up to length 2⁶⁴ it is none (control).
    const plain: LossGradient = (_output, _record, gradient) => gradient.fill(1);
    for (const wide of [networkOf([dense(6, 3)]), networkOf([dense(12, 20, 2)])]) {
      const ofLength = (length: number): Batch => ({
        records: 1,
        inputs: new Float32Array(wide.inputs).fill(length / Math.sqrt(wide.layers[0]!.inputs)),
      });
      const parameters = new Float32Array(wide.parameters);
      expect(norm(sumOf(wide, ofLength(2 ** 66), { loss: plain, parameters }))).toBe(0);
      expect(norm(sumOf(wide, ofLength(2 ** 63), { loss: plain, parameters }))).toBeCloseTo(1 - 2 ** -10, 5);
    }
  });
});
