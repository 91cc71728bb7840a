import { marginalsSynthesizer as marginals } from '../../../src/synthesis/marginals/marginals.js';
import type { MarginalsOptions } from '../../../src/synthesis/marginals/options.js';
import { normals, uniforms } from '../../../src/synthesis/randomness.js';
import type {
  CompletionRequest,
  Row,
  SampleRequest,
  SynthesisContext,
} from '../../../src/synthesis/synthesizer.js';
import { readCsv } from '../../../src/synthesis/table/csv.js';
import { parseTableSchema } from '../../../src/synthesis/table/schema.js';
import { csv, rngOf, smallContext } from '../fixtures.js';

export const SEED = new Uint8Array(32).fill(4);
/** Little noise, and a model that is fitted in a second: what is tested is that rows have its law, not that it is a good one. */
export const QUICK: MarginalsOptions = marginals.parseOptions({
  noiseMultiplier: 1,
  modelCells: 12_000,
  iterations: 60,
});

/** A label that depends on a category and on an amount; a date; missing values; a category that is rare. */
export const peopleContext = (): SynthesisContext =>
  smallContext(
    parseTableSchema({
      fields: [
        { name: 'sex', type: 'string', constraints: { required: true, enum: ['F', 'M'] } },
        { name: 'age', type: 'integer', constraints: { required: true, minimum: 17, maximum: 90 } },
        { name: 'wage', type: 'number', constraints: { minimum: 0, maximum: 5000 } },
        {
          name: 'since',
          type: 'date',
          constraints: { required: true, minimum: '1990-01-01', maximum: '2019-12-31' },
        },
        { name: 'state', type: 'string', constraints: { enum: ['NY', 'NJ', 'CT', 'VT'] } },
        {
          name: 'income',
          type: 'string',
          constraints: { required: true, enum: ['<=50K', '>50K'] },
          'chorale:label': true,
        },
      ],
    }),
  );

export function peopleRows(count: number, seed = 1): string[] {
  const coins = uniforms(rngOf(seed, 'people'), count * 6);
  const noise = normals(rngOf(seed, 'wages'), count);
  return Array.from({ length: count }, (_, i) => {
    const u = (k: number) => coins[6 * i + k] as number;
    const sex = u(0) < 0.4 ? 'F' : 'M';
    const age = Math.min(90, 17 + Math.floor(60 * u(1) ** 1.5 + 10 * u(2)));
    const wage = Math.max(0, Math.min(5000, 20 * age + (sex === 'M' ? 400 : 0) + 300 * (noise[i] as number)));
    const wageText = u(3) < 0.1 ? '' : u(3) < 0.2 ? '0' : wage.toFixed(2);
    const year = 1990 + Math.floor(30 * u(4));
    const state = u(5) < 0.5 ? 'NY' : u(5) < 0.8 ? 'NJ' : u(5) < 0.93 ? 'CT' : u(5) < 0.96 ? 'VT' : '';
    const income = wage > 1500 ? '>50K' : '<=50K';
    return `${sex},${age},${wageText},${year}-0${1 + (i % 9)}-1${i % 9},${state},${income}`;
  });
}

/** What the run over these records publishes, with nothing added to its sums. */
export async function releaseOf(
  context: SynthesisContext,
  options: MarginalsOptions,
  rows: readonly string[],
): Promise<Uint8Array> {
  const header = context.schema.fields.map(({ name }) => name).join();
  const records = await readCsv(csv(header, ...rows), context.schema);
  const contributors = context.members.map(({ id }) => id);
  let state = await marginals.initialState(context, options, SEED);
  for (;;) {
    const step = marginals.nextQuery(state);
    if (step === undefined) return marginals.release(state);
    const counts = await marginals.contribute(step.query, step.models, records, rngOf(1));
    state = await marginals.absorb(state, step.query, { values: Float64Array.from(counts), contributors });
  }
}

export async function rowsOf(
  context: SynthesisContext,
  release: Uint8Array,
  request: Partial<SampleRequest> & { readonly count: number },
  options = QUICK,
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of marginals.sample(context, options, release, { seed: SEED, offset: 0, ...request }))
    rows.push(row);
  return rows;
}

export async function completionsOf(
  context: SynthesisContext,
  release: Uint8Array,
  request: Omit<CompletionRequest, 'seed' | 'rows'> & { readonly rows: readonly Row[] },
  options = QUICK,
): Promise<Row[]> {
  const rows: Row[] = [];
  const given = { seed: SEED, columns: request.columns, rows: asyncOf(request.rows) };
  for await (const row of marginals.complete?.(context, options, release, given) ?? []) rows.push(row);
  return rows;
}

export async function* asyncOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

/** ½ Σ |share in a − share in b| over the keys of rows. */
export function variationOf(a: readonly Row[], b: readonly Row[], key: (row: Row) => string): number {
  const shares = new Map<string, number>();
  for (const row of a) shares.set(key(row), (shares.get(key(row)) ?? 0) + 1 / a.length);
  for (const row of b) shares.set(key(row), (shares.get(key(row)) ?? 0) - 1 / b.length);
  return [...shares.values()].reduce((sum, share) => sum + Math.abs(share), 0) / 2;
}
