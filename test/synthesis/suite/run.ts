import { addShare, dequantize, drawShare, quantize } from '../../../src/privacy/quantization.js';
import type { AnySynthesizer } from '../../../src/synthesis/index.js';
import { normals } from '../../../src/synthesis/randomness.js';
import type { NoisySum, Row, Step, SynthesisContext } from '../../../src/synthesis/synthesizer.js';
import type { RecordSource } from '../../../src/synthesis/table/records.js';
import { rngOf } from '../fixtures.js';

/** A kind, the options of a run, and the public part of a federation. */
export interface Subject {
  readonly synthesizer: AnySynthesizer;
  /** Parsed. */
  readonly options: unknown;
  readonly context: SynthesisContext;
}

export const RUN_SEED = new Uint8Array(32).fill(5);

export const idsOf = ({ members }: SynthesisContext): readonly string[] => members.map(({ id }) => id);

/** As a participant would: the noise, then its records, then the ring. */
export async function masked(
  synthesizer: AnySynthesizer,
  { query, models }: Step,
  records: RecordSource,
  seed: number,
): Promise<Uint32Array> {
  const rng = rngOf(seed, 'participant');
  const noise = drawShare(query, rng);
  return addShare(query, quantize(query, await synthesizer.contribute(query, models, records, rng)), noise);
}

/** The opened sum of some members' records; the others are missing from it. */
export const sumOver =
  (
    { synthesizer, context }: Subject,
    tables: readonly RecordSource[],
    contributors: (step: number) => readonly string[] = () => idsOf(context),
  ) =>
  async (step: Step, index: number): Promise<NoisySum> => {
    const ring = new Uint32Array(step.query.dimension);
    const mask = step.query.encoding.modulusBits === 32 ? -1 : 2 ** step.query.encoding.modulusBits - 1;
    const present = contributors(index);
    for (const [member, { id }] of context.members.entries()) {
      if (!present.includes(id)) continue;
      const share = await masked(synthesizer, step, tables[member]!, 1000 * index + member);
      for (let i = 0; i < ring.length; i++) ring[i] = (ring[i]! + share[i]!) & mask;
    }
    return { values: dequantize(step.query, ring), contributors: present };
  };

/** Sums that are a little noise and nothing else: `contribute` has to hold for whatever models come of them. */
export const littleNoise =
  ({ context }: Subject) =>
  ({ query }: Step, index: number): NoisySum => ({
    values: Float64Array.from(normals(rngOf(index + 1, 'sum'), query.dimension)),
    contributors: idsOf(context),
  });

export interface Run {
  readonly steps: readonly Step[];
  /** From the first to the last: one more than steps. */
  readonly states: readonly unknown[];
  readonly release: Uint8Array;
}

/** A whole run. `each` may replace a state by what came of it, e.g. by its encoded and decoded form. */
export async function runOf(
  { synthesizer, options, context }: Subject,
  sumOf: (step: Step, index: number) => Promise<NoisySum> | NoisySum,
  each: (state: unknown) => Promise<unknown> = async (state) => state,
): Promise<Run> {
  const steps: Step[] = [];
  const planned = synthesizer.plan(context, options).reduce((total, { count }) => total + count, 0);
  const states = [await each(await synthesizer.initialState(context, options, RUN_SEED))];
  for (;;) {
    const state = states.at(-1);
    const step = synthesizer.nextQuery(state);
    if (step === undefined) return { steps, states, release: synthesizer.release(state) };
    if (steps.length === planned) throw new Error('it asks more sums than it planned');
    steps.push(step);
    const sum = await sumOf(step, steps.length - 1);
    states.push(await each(await synthesizer.absorb(state, step.query, sum)));
  }
}

export async function rowsOf(
  { synthesizer, options, context }: Subject,
  release: Uint8Array,
  offset: number,
  count: number,
  seed = RUN_SEED,
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of synthesizer.sample(context, options, release, { seed, offset, count }))
    rows.push(row);
  return rows;
}
