import type { Transaction } from '../federation/ports.js';
import { inserted, updated } from './conflicts.js';
import type { Message, Prisma } from './generated/client.js';
import { blockRecord, json, jsonOrNull, messageRecord, roundRecord, runRecord } from './rows.js';

type RunTables = Pick<
  Transaction,
  | 'insertRun'
  | 'updateRun'
  | 'run'
  | 'runs'
  | 'insertBlock'
  | 'updateBlock'
  | 'openBlock'
  | 'insertRound'
  | 'updateRound'
  | 'round'
  | 'openRound'
  | 'rounds'
  | 'messages'
  | 'deleteMessages'
>;

/**
 * Runs, their key blocks, rounds and messages. `finishedAt` and `closedAt` in a change are not taken over: a trigger
 * dates the end by the database's clock, the only one that counts.
 */
export function runTables(db: Prisma.TransactionClient): RunTables {
  return {
    async insertRun(run) {
      const { options, plan, progress } = run;
      const rows = await db.run.createManyAndReturn({
        data: [{ ...run, options: json(options), plan: json(plan), progress: json(progress) }],
        skipDuplicates: true,
      });
      return runRecord(inserted(rows, `run ${run.id}`));
    },
    async updateRun(id, { finishedAt: _, options, plan, progress, ...change }) {
      const rows = await db.run.updateManyAndReturn({
        where: { id },
        data: {
          ...change,
          ...(options !== undefined && { options: json(options) }),
          ...(plan !== undefined && { plan: json(plan) }),
          ...(progress !== undefined && { progress: json(progress) }),
        },
      });
      return runRecord(updated(rows, `run ${id}`));
    },
    async run(id) {
      const row = await db.run.findUnique({ where: { id } });
      return row && runRecord(row);
    },
    async runs(status) {
      const rows = await db.run.findMany({
        ...(status !== undefined && { where: { status } }),
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      });
      return rows.map(runRecord);
    },

    async insertBlock(block) {
      const rows = await db.block.createManyAndReturn({
        data: [{ ...block, config: json(block.config) }],
        skipDuplicates: true,
      });
      return blockRecord(inserted(rows, `block ${block.id}, or another open block of its run,`));
    },
    async updateBlock(id, { config, ...change }) {
      const { count } = await db.block.updateMany({
        where: { id },
        data: { ...change, ...(config !== undefined && { config: json(config) }) },
      });
      updated(count === 1 ? [id] : [], `block ${id}`);
    },
    async openBlock(runId) {
      const row = await db.block.findFirst({ where: { runId, phase: { not: 'closed' } } });
      return row && blockRecord(row);
    },

    async insertRound(round) {
      const { expected, survivors, query, bytesReceived, timings } = round;
      const rows = await db.round.createManyAndReturn({
        data: [
          {
            ...round,
            expected: [...expected],
            survivors: jsonOrNull(survivors),
            query: json(query),
            bytesReceived,
            timings,
          },
        ],
        skipDuplicates: true,
      });
      return roundRecord(
        inserted(rows, `round ${round.id}, its slot, its attempt, or another open round of its run,`),
      );
    },
    async updateRound(
      id,
      from,
      { closedAt: _, expected, survivors, query, bytesReceived, timings, ...change },
    ) {
      const { count } = await db.round.updateMany({
        where: { id, phase: from },
        data: {
          ...change,
          ...(expected !== undefined && { expected: [...expected] }),
          ...(survivors !== undefined && { survivors: jsonOrNull(survivors) }),
          ...(query !== undefined && { query: json(query) }),
          ...(bytesReceived !== undefined && { bytesReceived }),
          ...(timings !== undefined && { timings }),
        },
      });
      return count === 1;
    },
    async round(id) {
      const row = await db.round.findUnique({ where: { id } });
      return row && roundRecord(row);
    },
    async openRound(runId) {
      const row = await db.round.findFirst({
        where: { runId, phase: { notIn: ['completed', 'aborted'] } },
      });
      return row && roundRecord(row);
    },
    async rounds(runId) {
      const rows = await db.round.findMany({
        where: { runId },
        orderBy: [{ step: 'asc' }, { attempt: 'asc' }],
      });
      return rows.map(roundRecord);
    },

    async messages(blockId, slot) {
      const rows = await db.$queryRaw<Message[]>`
        SELECT * FROM "Message" WHERE "blockId" = ${blockId} AND "slot" = ${slot} ORDER BY "phase", "participantId"`;
      return rows.map(messageRecord);
    },
    async deleteMessages(blockId) {
      await db.message.deleteMany({ where: { blockId } });
    },
  };
}
