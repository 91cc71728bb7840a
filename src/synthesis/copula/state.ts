import { z } from 'zod';
import type { SumQuery } from '../../privacy/sumQuery.js';
import { decodeArtefact, encodeArtefact } from '../artefact.js';
import { InvalidOptions, MalformedBytes } from '../errors.js';
import { type OneWays, oneWaysQuery } from '../oneWays/oneWays.js';
import type { SynthesisContext } from '../synthesizer.js';
import type { TableEncoding } from '../table/encoding.js';
import { fineCells } from '../table/fineCells.js';
import type { OpenedProducts } from './correlation.js';
import { productsOf, productsQuery } from './products.js';

export const copulaOptionsJson = z.strictObject({
  /**
   * Standard deviation, in records, of the noise that one count would have if it were all that is asked: the whole run
   * costs what one Gaussian mechanism of this multiplier does.
   */
  noiseMultiplier: z.number().positive().max(1e6).default(6),
});
export type CopulaOptions = Readonly<z.infer<typeof copulaOptionsJson>>;

/**
 * Parts of ρ of the two sums, as noise multipliers of the run's over √part. The first has hundreds of cells a column, of some records
 * each; the second one figure a pair of columns, of all records: a quarter leaves it the more exact of the two.
 */
const PARTS = [0.75, 0.25] as const;
/** A correlation matrix of so many columns is decomposed in a second or two, some ten times. */
const MAX_COLUMNS = 256;

/** A run's shape, public before a row is read. */
export interface CopulaPlan {
  readonly context: SynthesisContext;
  readonly options: CopulaOptions;
  readonly fine: TableEncoding;
  readonly first: SumQuery;
  /** Without the scores, which follow from the first sum. */
  readonly second: Omit<SumQuery, 'models'>;
}

/** The coordinator's state between two sums. Never changed in place. */
export interface CopulaState {
  readonly plan: CopulaPlan;
  readonly ones: OneWays | undefined;
  readonly products: OpenedProducts | undefined;
}

/** @throws InvalidOptions for a schema of too many columns; PrivacyError where no ring holds the sums. */
export function copulaPlan(context: SynthesisContext, options: CopulaOptions): CopulaPlan {
  const columns = context.schema.fields.length;
  if (columns > MAX_COLUMNS)
    throw new InvalidOptions(
      'kind',
      `copula takes tables of up to ${MAX_COLUMNS} columns, this schema has ${columns}; leave columns out`,
    );
  const fine = fineCells(context.schema);
  const noiseOf = (part: number) => options.noiseMultiplier / Math.sqrt(part);
  return {
    context,
    options,
    fine,
    first: oneWaysQuery(context, fine, noiseOf(PARTS[0])),
    second: productsQuery(context, noiseOf(PARTS[1])),
  };
}

const MAGIC = 'chorale/copula state';
const headerJson = z.strictObject({
  magic: z.literal(MAGIC),
  version: z.literal(1),
  ones: z.array(z.number().positive()).nullable(),
  products: z
    .strictObject({ variance: z.number().positive(), scale: z.number().int().positive() })
    .nullable(),
});

/** Exact: the decoded state goes on as the encoded one would have. */
export function encodeState({ ones, products }: CopulaState): Uint8Array {
  const header = {
    magic: MAGIC,
    version: 1,
    ones: ones === undefined ? null : [...ones.variances],
    products: products === undefined ? null : { variance: products.variance, scale: products.scale },
  };
  return encodeArtefact(header, [
    ...(ones === undefined ? [] : [ones.counts]),
    ...(products === undefined ? [] : [products.values]),
  ]);
}

/** @throws MalformedBytes unless the bytes are a state of this schema. */
export function decodeState(plan: CopulaPlan, bytes: Uint8Array): CopulaState {
  const artefact = decodeArtefact(bytes, headerJson, 'a state of copula');
  const { ones: variances, products: opened } = artefact.header;
  if (variances === null && opened !== null)
    throw new MalformedBytes('the state has the second sum without the first');
  const columns = plan.fine.blocks.length;
  if (variances !== null && variances.length !== columns)
    throw new MalformedBytes('the state is of another schema');
  const ones = variances === null ? undefined : { counts: artefact.take(plan.fine.width), variances };
  const products = opened === null ? undefined : { ...opened, values: artefact.take(productsOf(columns)) };
  artefact.end();
  return { plan, ones, products };
}
