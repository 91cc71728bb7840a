import type { Json } from '../crypto/canonical.js';
import type { Transaction } from '../federation/ports.js';
import { inserted, updated } from './conflicts.js';
import type { Prisma } from './generated/client.js';
import { accessTokenRecord, charterRecord, json, participantRecord } from './rows.js';

type EnrolmentTables = Pick<
  Transaction,
  | 'insertParticipant'
  | 'updateParticipant'
  | 'participant'
  | 'participantByKey'
  | 'participants'
  | 'insertCharter'
  | 'updateCharter'
  | 'insertCharterSignature'
  | 'charter'
  | 'charters'
  | 'insertAccessToken'
  | 'revokeAccessToken'
  | 'accessTokenByHash'
  | 'accessTokens'
  | 'idempotencyRecord'
  | 'insertIdempotencyRecord'
>;

const signatures = { signatures: true } as const;

/** Who takes part, what they signed, and who may call. */
export function enrolmentTables(db: Prisma.TransactionClient): EnrolmentTables {
  return {
    async insertParticipant(participant) {
      const rows = await db.participant.createManyAndReturn({ data: [participant], skipDuplicates: true });
      return participantRecord(inserted(rows, `participant ${participant.id}, or its key,`));
    },
    async updateParticipant(id, { status }) {
      const rows = await db.participant.updateManyAndReturn({ where: { id }, data: { status } });
      return participantRecord(updated(rows, `participant ${id}`));
    },
    async participant(id) {
      const row = await db.participant.findUnique({ where: { id } });
      return row && participantRecord(row);
    },
    async participantByKey(publicKey) {
      const row = await db.participant.findUnique({ where: { publicKey } });
      return row && participantRecord(row);
    },
    async participants() {
      const rows = await db.participant.findMany({ orderBy: [{ enrolledAt: 'asc' }, { id: 'asc' }] });
      return rows.map(participantRecord);
    },

    async insertCharter(charter) {
      const rows = await db.charter.createManyAndReturn({ data: [charter], skipDuplicates: true });
      return charterRecord({ ...inserted(rows, `charter version ${charter.version}`), signatures: [] });
    },
    async updateCharter(digest, { status }) {
      const rows = await db.charter.updateManyAndReturn({ where: { digest }, data: { status } });
      const row = updated(rows, `charter ${digest}`);
      return charterRecord({
        ...row,
        signatures: await db.charterSignature.findMany({ where: { charterDigest: digest } }),
      });
    },
    async insertCharterSignature(charterDigest, participantId, signature) {
      const rows = await db.charterSignature.createManyAndReturn({
        data: [{ charterDigest, participantId, signature }],
        skipDuplicates: true,
      });
      inserted(rows, `a signature of ${participantId} under charter ${charterDigest}`);
    },
    async charter(digest) {
      const row = await db.charter.findUnique({ where: { digest }, include: signatures });
      return row && charterRecord(row);
    },
    async charters() {
      const rows = await db.charter.findMany({ include: signatures, orderBy: { version: 'desc' } });
      return rows.map(charterRecord);
    },

    async insertAccessToken(token) {
      const rows = await db.accessToken.createManyAndReturn({ data: [token], skipDuplicates: true });
      return accessTokenRecord(inserted(rows, `access token ${token.id}`));
    },
    async revokeAccessToken(id) {
      // The first revocation counts: a second one does not move its date.
      const changed = await db.$executeRaw`
        UPDATE "AccessToken" SET "revokedAt" = COALESCE("revokedAt", now()) WHERE "id" = ${id}`;
      updated(changed === 1 ? [id] : [], `access token ${id}`);
    },
    async accessTokenByHash(tokenHash) {
      const row = await db.accessToken.findUnique({ where: { tokenHash } });
      return row && accessTokenRecord(row);
    },
    async accessTokens() {
      const rows = await db.accessToken.findMany({ orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
      return rows.map(accessTokenRecord);
    },

    async idempotencyRecord(actor, key) {
      const row = await db.idempotencyRecord.findUnique({ where: { actor_key: { actor, key } } });
      if (row === null) return null;
      return { actor, key, requestDigest: row.requestDigest, response: row.response as Json };
    },
    async insertIdempotencyRecord(record) {
      const rows = await db.idempotencyRecord.createManyAndReturn({
        data: [{ ...record, response: json(record.response) }],
        skipDuplicates: true,
      });
      inserted(rows, 'an answer to this idempotency key');
    },
  };
}
