import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from '../crypto/canonical.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import {
  type Charter,
  charterDigest,
  charterStatement,
  enrolmentStatement,
  parseCharter,
  readCharter,
} from './charter.js';
import { FederationError } from './errors.js';
import { limitOf, openBudget } from './ledger.js';
import type { Bus, CharterRecord, ParticipantRecord, Role, Store } from './ports.js';
import type { CharterInput, Enrolment, EnrolmentInput } from './service.js';

export interface EnrolmentPorts {
  readonly federation: string;
  readonly store: Store;
  readonly bus: Bus;
  readonly rng: Rng;
  readonly primitives: Primitives;
}

/** 256 bits: a token is compared by its hash, so looking it up leaks no timing. */
const TOKEN_BYTES = 32;

export function createEnrolment(ports: EnrolmentPorts): Enrolment {
  const { federation, store, bus, rng, primitives } = ports;

  async function changeStatus(id: string, status: ParticipantRecord['status']): Promise<ParticipantRecord> {
    const changed = await store.transaction(async (tx) => {
      const participant = await tx.participant(id);
      if (participant === null) throw new FederationError('NotFound', `There is no participant ${id}.`);
      if (participant.status === 'revoked' && status !== 'revoked')
        throw new FederationError(
          'KeyRevoked',
          `The key of ${participant.name} was revoked; it must enrol with a new key.`,
        );
      return participant.status === status ? participant : tx.updateParticipant(id, { status });
    });
    bus.publish('enrolment');
    return changed;
  }

  return {
    async enroll(input: EnrolmentInput) {
      checkEnrolment(input, federation);
      if (
        !primitives.ed25519Verify(
          hexToBytes(input.publicKey),
          enrolmentStatement(input),
          hexToBytes(input.proof),
        )
      )
        throw new FederationError(
          'InvalidInput',
          'The proof of possession does not verify: sign the enrolment statement with the key you enrol.',
        );
      const participant = await store.transaction(async (tx) => {
        const standing = await tx.participantByKey(input.publicKey);
        if (standing !== null) {
          if (standing.name === input.name && standing.declaredRecords === input.declaredRecords)
            return standing;
          throw new FederationError(
            'Conflict',
            'This key is enrolled already, under another name or record count. A change needs a new key or a new charter.',
          );
        }
        return tx.insertParticipant({
          id: participantId(input.publicKey),
          name: input.name,
          publicKey: input.publicKey,
          declaredRecords: input.declaredRecords,
          status: 'pending',
        });
      });
      bus.publish('enrolment');
      return participant;
    },

    participantByKey: (publicKey) => store.transaction((tx) => tx.participantByKey(publicKey)),
    approve: (id) => changeStatus(id, 'approved'),
    revoke: (id) => changeStatus(id, 'revoked'),

    async proposeCharter(input: CharterInput) {
      const record = await store.transaction(async (tx) => {
        const members = (await tx.participants()).filter((p) => p.status === 'approved');
        const [newest] = await tx.charters();
        const charter: Charter = parseCharter({
          chorale: 1,
          federation,
          version: (newest?.version ?? 0) + 1,
          previous: newest?.digest ?? null,
          members: members
            .map(({ id, name, publicKey, declaredRecords }) => ({ id, name, publicKey, declaredRecords }))
            .sort((a, b) => (a.id < b.id ? -1 : 1)),
          schema: input.schema,
          privacy: {
            unit: 'record',
            relation: 'add-remove',
            epsilon: input.epsilon,
            delta: input.delta,
            orders: [...input.orders],
          },
          cohort: { minSurvivors: input.minSurvivors, maxColluders: input.maxColluders },
          ...(input.holdOut !== undefined && { holdOut: input.holdOut }),
          ...(input.releaseGates !== undefined && { releaseGates: input.releaseGates }),
        });
        if (newest?.status === 'proposed') await tx.updateCharter(newest.digest, { status: 'superseded' });
        return tx.insertCharter({
          version: charter.version,
          digest: charterDigest(charter),
          body: canonicalJson(charter),
          status: 'proposed',
        });
      });
      bus.publish('enrolment');
      return record;
    },

    charter: async () => (await store.transaction((tx) => tx.charters()))[0] ?? null,

    async signCharter(id, digest, signature) {
      const record = await store.transaction((tx) => sign(tx, id, digest, signature));
      bus.publish('enrolment');
      return record;
    },

    async createToken(name: string, role: Role) {
      const token = `chorale_${role}_${bytesToHex(rng(TOKEN_BYTES))}`;
      const record = await store.transaction((tx) =>
        tx.insertAccessToken({ id: bytesToHex(rng(8)), name, role, tokenHash: tokenHash(token) }),
      );
      return { token, record };
    },

    async authenticate(token) {
      const record = await store.transaction((tx) => tx.accessTokenByHash(tokenHash(token)));
      return record === null || record.revokedAt !== null ? null : record;
    },

    revokeToken: (id) => store.transaction((tx) => tx.revokeAccessToken(id)),
  };

  async function sign(
    tx: Parameters<Parameters<Store['transaction']>[0]>[0],
    id: string,
    digest: string,
    signature: string,
  ): Promise<CharterRecord> {
    // One signature at a time: of two last ones side by side, neither would see that the charter is complete.
    await tx.lockBudget();
    const record = await tx.charter(digest);
    if (record === null)
      throw new FederationError(
        'CharterMismatch',
        'There is no charter with this digest: compare it with the one that you pinned.',
      );
    if (record.status === 'superseded')
      throw new FederationError('Conflict', 'A newer charter has replaced this one: read and sign that.');
    const charter = readCharter(record.body);
    const member = charter.members.find((m) => m.id === id);
    if (member === undefined)
      throw new FederationError('NotEnrolled', 'You are not a member under this charter.');
    if (
      !/^[0-9a-f]{128}$/.test(signature) ||
      !primitives.ed25519Verify(hexToBytes(member.publicKey), charterStatement(digest), hexToBytes(signature))
    )
      throw new FederationError(
        'InvalidInput',
        'The signature does not verify for this charter and your key.',
      );
    if (record.signatures[id] === undefined) await tx.insertCharterSignature(digest, id, signature);
    const signed = (await tx.charter(digest))!;
    const complete = charter.members.every((m) => signed.signatures[m.id] !== undefined);
    if (!complete || signed.status === 'active') return signed;
    for (const other of await tx.charters()) {
      if (other.status === 'active') await tx.updateCharter(other.digest, { status: 'superseded' });
    }
    await openBudget(tx, limitOf(charter));
    return tx.updateCharter(digest, { status: 'active' });
  }
}

/** The id follows from the key, so that nobody can choose another's. */
export function participantId(publicKey: string): string {
  return bytesToHex(sha256(hexToBytes(publicKey)).subarray(0, 6));
}

function tokenHash(token: string): string {
  return bytesToHex(sha256(utf8ToBytes(token)));
}

function checkEnrolment(input: EnrolmentInput, federation: string): void {
  const fault =
    input.federation !== federation
      ? `this coordinator serves the federation "${federation}", not "${input.federation}"`
      : !/^[0-9a-f]{64}$/.test(input.publicKey)
        ? 'publicKey must be 32 bytes in lower-case hex'
        : !/^[0-9a-f]{128}$/.test(input.proof)
          ? 'proof must be a 64-byte signature in lower-case hex'
          : input.name.trim() !== input.name || input.name.length < 1 || input.name.length > 120
            ? 'name must have 1 to 120 characters and no space at its ends'
            : !Number.isSafeInteger(input.declaredRecords) || input.declaredRecords < 1
              ? 'declaredRecords must be a whole number of at least 1'
              : undefined;
  if (fault !== undefined) throw new FederationError('InvalidInput', `Enrolment refused: ${fault}.`);
}
