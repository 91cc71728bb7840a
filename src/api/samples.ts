import type { Json } from '../crypto/canonical.js';
import { FederationError } from '../federation/errors.js';
import type { PrismaClient } from '../store/generated/client.js';
import { SAMPLE_ROWS, SEED_CHARACTERS } from './limits.js';

/** Where a page of samples begins, bound to its run and seed so that pages of two tables never mix. */
export interface SampleCursor {
  readonly run: string;
  readonly seed: string;
  readonly offset: number;
}

export function encodeCursor({ run, seed, offset }: SampleCursor): string {
  return Buffer.from(JSON.stringify([run, seed, offset])).toString('base64url');
}

/** The offset behind a cursor; throws InvalidInput for another run's, another seed's, or anything else. */
export function decodeCursor(cursor: string, { run, seed }: Omit<SampleCursor, 'offset'>): number {
  try {
    const [ownRun, ownSeed, offset] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (ownRun === run && ownSeed === seed && isOffset(offset)) return offset;
  } catch {
    // Falls through: not a cursor at all.
  }
  throw new FederationError(
    'InvalidInput',
    'The cursor does not belong to this run and seed: start again without `after`.',
  );
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= SAMPLE_ROWS;
}

export function assertSeed(seed: string): void {
  if (seed.length < 1 || seed.length > SEED_CHARACTERS)
    throw new FederationError('InvalidInput', `A seed has 1 to ${SEED_CHARACTERS} characters.`);
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
