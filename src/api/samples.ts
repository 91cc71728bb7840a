import { canonicalDigest, type Json } from '../crypto/canonical.js';
import { FederationError, refusingInput } from '../federation/errors.js';
import type { PrismaClient } from '../store/generated/client.js';
import { conditionsOf, isConditional, readConditions } from '../synthesis/conditions.js';
import type { SampleConditions } from '../synthesis/synthesizer.js';
import { SAMPLE_ROWS, SEED_CHARACTERS } from './limits.js';

/** What rows are asked for, but for how many. */
export interface SampleOrder extends SampleConditions {
  readonly run: string;
  readonly seed: string;
}

/** Where a page of samples begins, bound to the whole order, so that pages of two tables never mix. */
export function encodeCursor(order: SampleOrder, offset: number): string {
  return Buffer.from(JSON.stringify([...boundTo(order), offset])).toString('base64url');
}

/** The offset behind a cursor; throws InvalidInput for another run's, seed's or condition's, or anything else. */
export function decodeCursor(cursor: string, order: SampleOrder): number {
  try {
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const offset = parts.pop();
    if (JSON.stringify(parts) === JSON.stringify(boundTo(order)) && isOffset(offset)) return offset;
  } catch {
    // Falls through: not a cursor at all.
  }
  throw new FederationError(
    'InvalidInput',
    'The cursor does not belong to this run, seed, where and balance: start again without `after`.',
  );
}

function boundTo(order: SampleOrder): readonly string[] {
  const conditions = isConditional(order) ? canonicalDigest(conditionsOf(order) as unknown as Json) : '';
  return [order.run, order.seed, conditions];
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= SAMPLE_ROWS;
}

export function assertSeed(seed: string): void {
  if (seed.length < 1 || seed.length > SEED_CHARACTERS)
    throw new FederationError('InvalidInput', `A seed has 1 to ${SEED_CHARACTERS} characters.`);
}

/** Conditions as URL parameters: each the JSON that GraphQL's argument would be, but `where` an object by column. */
export function conditionsIn(parameters: URLSearchParams): SampleConditions {
  const read = (name: 'where' | 'balance'): Record<string, unknown> => {
    const text = parameters.get(name);
    if (text === null) return {};
    try {
      return { [name]: JSON.parse(text) as unknown };
    } catch (cause) {
      throw new FederationError('InvalidInput', `${name} must be JSON.`, {}, { cause });
    }
  };
  return refusingInput(() => readConditions({ ...read('where'), ...read('balance') }));
}

/** The Table Schema of the run's charter. */
export async function tableSchemaOf(prisma: PrismaClient, runId: string): Promise<Json> {
  const run = await prisma.run.findUnique({
    where: { id: runId },
    select: { charter: { select: { body: true } } },
  });
  if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
  return (JSON.parse(run.charter.body) as { readonly schema: Json }).schema;
}

/** Column names in the schema's order. */
export function columnsOf(schema: Json): string[] {
  const { fields } = schema as { readonly fields: readonly { readonly name: string }[] };
  return fields.map(({ name }) => name);
}
