import { createHash } from 'node:crypto';
import { setImmediate as nextTick } from 'node:timers/promises';
import { FederationError } from '../federation/errors.js';
import type { MessageRecord } from '../federation/ports.js';
import { Prisma, type PrismaClient } from './generated/client.js';
import { isForeignKeyViolation, retrying } from './retry.js';

type Outcome = 'new' | 'same' | 'different';

interface Pending {
  readonly message: MessageRecord;
  readonly contentDigest: string;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/** Bounds of one INSERT: 8 parameters a row stay far below PostgreSQL's 65,535, and the text of the bodies below 16 MiB. */
const MAX_BATCH_ROWS = 500;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/**
 * Group commit: what arrives in one tick, or while an INSERT is under way, is one INSERT. A statement costs about the
 * same for one row as for a hundred, and the messages of a phase arrive together.
 */
export class MessageLog {
  #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;
  readonly #prisma: PrismaClient;

  constructor(prisma: PrismaClient) {
    this.#prisma = prisma;
  }

  /** Resolves when the message is durable. Throws NotFound where its block or participant does not exist. */
  append(message: MessageRecord): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ message, contentDigest: contentDigest(message), resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** Resolves when nothing is pending. */
  async drained(): Promise<void> {
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    await nextTick();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, batchLength(this.#pending));
      try {
        await this.#write(batch);
      } catch {
        // One bad message (of an unknown block, say) must not take the others down with it.
        for (const pending of batch)
          await this.#write([pending]).catch((error) => pending.reject(named(error)));
      }
    }
    this.#flushing = undefined;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const first = new Map<string, Pending>();
    for (const pending of batch) {
      const key = keyOf(pending.message);
      if (!first.has(key)) first.set(key, pending);
    }
    const winners = [...first.values()];
    const added = await retrying(() => this.#insert(winners));
    const fresh = new Set(added.map(keyOf));
    const standing = await this.#standing(winners.filter(({ message }) => !fresh.has(keyOf(message))));
    for (const pending of batch) {
      const key = keyOf(pending.message);
      const winner = first.get(key);
      if (pending === winner && fresh.has(key)) pending.resolve('new');
      else {
        const known = standing.get(key) ?? winner?.contentDigest;
        pending.resolve(known === pending.contentDigest ? 'same' : 'different');
      }
    }
  }

  /** Raw: Prisma's createManyAndReturn plans every batch anew, which took three times as long as the INSERT itself. */
  #insert(batch: readonly Pending[]): Promise<Key[]> {
    const rows = batch.map(({ message: { blockId, slot, phase, participantId, body }, contentDigest }) => {
      return Prisma.sql`(${blockId}, ${slot}, ${phase}, ${participantId}, ${body}, ${contentDigest})`;
    });
    return this.#prisma.$queryRaw<Key[]>`
      INSERT INTO "Message" ("blockId", "slot", "phase", "participantId", "body", "contentDigest")
      VALUES ${Prisma.join(rows)} ON CONFLICT DO NOTHING
      RETURNING "blockId", "slot", "phase", "participantId"`;
  }

  /** Content digests of messages that were there before. */
  async #standing(repeats: readonly Pending[]): Promise<Map<string, string>> {
    if (repeats.length === 0) return new Map();
    const rows = await this.#prisma.message.findMany({
      where: {
        OR: repeats.map(({ message: { blockId, slot, phase, participantId } }) => ({
          blockId,
          slot,
          phase,
          participantId,
        })),
      },
      select: { ...KEY, contentDigest: true },
    });
    return new Map(rows.map((row) => [keyOf(row), row.contentDigest]));
  }
}

const KEY = { blockId: true, slot: true, phase: true, participantId: true } as const;

type Key = Pick<MessageRecord, keyof typeof KEY>;

function keyOf(key: Key): string {
  return JSON.stringify([key.blockId, key.slot, key.phase, key.participantId]);
}

function contentDigest({ body }: MessageRecord): string {
  return createHash('sha256').update(body).digest('hex');
}

function batchLength(pending: readonly Pending[]): number {
  let size = 0;
  const end = pending.findIndex(({ message }, index) => {
    size += message.body.length;
    return index > 0 && (index >= MAX_BATCH_ROWS || size > MAX_BATCH_BYTES);
  });
  return end === -1 ? pending.length : end;
}

/** A foreign key that holds nothing: the message belongs to no block or participant of this federation. */
function named(error: unknown): unknown {
  if (!isForeignKeyViolation(error)) return error;
  const text = 'the message is for a block, or from a participant, that does not exist';
  return new FederationError('NotFound', text, {}, { cause: error });
}
