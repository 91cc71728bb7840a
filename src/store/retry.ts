import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** serialization_failure and deadlock_detected: PostgreSQL rolled the whole transaction back; done again, it may succeed. */
const RETRYABLE_STATES = new Set(['40001', '40P01']);
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 10;

/**
 * True where doing the transaction again is safe and may succeed. Prisma tells of it in four shapes: its own P2034; a
 * raw statement's P2010 around the driver's error; a DriverAdapterError without a code (at commit) whose `cause` has
 * the kind; and the driver's error itself, with the SQLSTATE. A lost connection is none of them: whether its commit
 * took place is not known.
 */
export function isRetryable(error: unknown): boolean {
  return chain(error).some(
    ({ code, originalCode, kind }) =>
      code === 'P2034' ||
      kind === 'TransactionWriteConflict' ||
      RETRYABLE_STATES.has(String(code)) ||
      RETRYABLE_STATES.has(String(originalCode)),
  );
}

export function isForeignKeyViolation(error: unknown): boolean {
  return chain(error).some(({ code, kind }) => code === 'P2003' || kind === 'ForeignKeyConstraintViolation');
}

interface Link {
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly kind?: unknown;
  readonly cause?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown };
}

/** The error and what it was made of, outermost first. */
function chain(error: unknown): Link[] {
  const links: Link[] = [];
  for (let at = error; typeof at === 'object' && at !== null && links.length < 8; ) {
    const link: Link = at;
    links.push(link);
    at = link.meta?.driverAdapterError ?? link.cause;
  }
  return links;
}

/** Runs `work` again after a retryable failure, at most 6 times in all, after growing pauses with full jitter. */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !isRetryable(error)) throw error;
      await sleep(randomInt(FIRST_PAUSE_MS * 2 ** attempt));
    }
  }
}
