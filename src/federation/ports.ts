import type { Json } from '../crypto/canonical.js';

/**
 * What the federation needs from the outside: a transactional store, content-addressed blobs, a bus of hints, a
 * clock. Rules live in this room; the ports only remember.
 */

export type ParticipantStatus = 'pending' | 'approved' | 'revoked';

export interface ParticipantRecord {
  readonly id: string;
  readonly name: string;
  /** Ed25519, 32 bytes, lower-case hex. */
  readonly publicKey: string;
  readonly declaredRecords: number;
  readonly status: ParticipantStatus;
  readonly enrolledAt: Date;
}

export type CharterStatus = 'proposed' | 'active' | 'superseded';

export interface CharterRecord {
  readonly version: number;
  /** SHA-256 of `body`, lower-case hex. */
  readonly digest: string;
  /** RFC 8785 text; what is signed. */
  readonly body: string;
  readonly status: CharterStatus;
  /** Hex Ed25519 signatures by participant id. */
  readonly signatures: Readonly<Record<string, string>>;
  readonly createdAt: Date;
}

export type RunStatus = 'proposed' | 'running' | 'completed' | 'stopped' | 'aborted';

export interface RunRecord {
  readonly id: string;
  readonly charterDigest: string;
  readonly synthesizer: string;
  readonly options: Json;
  /** Public seed of the coordinator's own randomness, 32 bytes hex. */
  readonly seed: string;
  readonly plan: Json;
  readonly planDigest: string;
  readonly status: RunStatus;
  readonly proposedBy: string;
  readonly approvedBy: string | null;
  /** Sums absorbed so far. */
  readonly step: number;
  readonly totalSteps: number;
  /** Blob of the synthesizer's state after `step` sums. */
  readonly stateDigest: string | null;
  /** Blob of the published artefact once completed or stopped. */
  readonly releaseDigest: string | null;
  /** Why it stopped or was aborted, in words. */
  readonly reason: string | null;
  /** Public figures of the synthesizer (Synthesizer.progress). */
  readonly progress: Json;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

export type BlockPhase = 'advertise-keys' | 'share-keys' | 'ready' | 'closed';

/** Keys of `slots` attempts, set up together. */
export interface BlockRecord {
  readonly id: string;
  readonly runId: string;
  readonly phase: BlockPhase;
  readonly config: Json;
  readonly slots: number;
  /** The first slot that has not been burnt. */
  readonly nextSlot: number;
  readonly createdAt: Date;
}

/** 'unmasking' from the moment that the sum is folded: survivors sign, then answer. */
export type RoundPhase = 'masked-input' | 'unmasking' | 'completed' | 'aborted';

export interface RoundRecord {
  readonly id: string;
  readonly runId: string;
  readonly step: number;
  readonly attempt: number;
  readonly blockId: string;
  readonly slot: number;
  readonly phase: RoundPhase;
  readonly query: Json;
  readonly queryDigest: string;
  readonly modelDigest: string;
  readonly expected: readonly string[];
  /** U₂: whose vectors are in the sum; set when masked input closes. */
  readonly survivors: readonly string[] | null;
  /** Blob of the folded, still masked sum; durable together with `survivors`. */
  readonly maskedSumDigest: string | null;
  readonly abortReason: string | null;
  /** Bytes received from participants in this round, by participant id. */
  readonly bytesReceived: Readonly<Record<string, number>>;
  /** Milliseconds by phase. */
  readonly timings: Readonly<Record<string, number>>;
  readonly openedAt: Date;
  readonly closedAt: Date | null;
}

/** A protocol message as received, once; (block, slot, phase, participant) is its key. Set-up messages have slot −1. */
export interface MessageRecord {
  readonly blockId: string;
  readonly slot: number;
  readonly phase: number;
  readonly participantId: string;
  readonly body: Uint8Array;
}

export interface BudgetRecord {
  readonly epsilon: number;
  readonly delta: number;
  readonly orders: readonly number[];
  /** Units of 2^-40 Rényi divergence at each order. */
  readonly spent: readonly bigint[];
  readonly reserved: readonly bigint[];
}

export type LedgerStatus = 'reserved' | 'committed' | 'voided';

export interface LedgerEntryRecord {
  /** Also the idempotency key of the reservation: the round's id. */
  readonly roundId: string;
  readonly sequence: number;
  readonly runId: string;
  readonly status: LedgerStatus;
  readonly reservedEvent: Json;
  readonly reservedUnits: readonly bigint[];
  readonly committedEvent: Json | null;
  readonly committedUnits: readonly bigint[] | null;
  /** ε of everything spent up to and with this entry, at the charter's δ; set when settled. */
  readonly epsilonAfter: number | null;
  readonly reason: string | null;
  readonly createdAt: Date;
  readonly settledAt: Date | null;
}

/** What one side's own record says of the budget, at the charter's δ. */
export interface BudgetStatement {
  /** ε before the sum in question. */
  readonly epsilonSpent: number;
  /** ε with it. */
  readonly epsilonAsked: number;
  readonly epsilonLimit: number;
}

/** A member refused a round that the coordinator's ledger had room for: both figures, since the two disagree. */
export interface RefusalRecord {
  readonly roundId: string;
  readonly participantId: string;
  /** In the member's words. */
  readonly reason: string;
  readonly participant: BudgetStatement;
  readonly coordinator: BudgetStatement;
  readonly createdAt: Date;
}

export type Role = 'operator' | 'approver' | 'auditor' | 'application';

export interface AccessTokenRecord {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token, hex; the token itself is shown once. */
  readonly tokenHash: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

/** What a caller asked with an idempotency key, and what it was answered. */
export interface IdempotencyRecord {
  readonly actor: string;
  readonly key: string;
  readonly requestDigest: string;
  readonly response: Json;
}

type New<T, Generated extends keyof T> = Omit<T, Generated>;
type Change<T, Keys extends keyof T> = Partial<Omit<T, Keys>>;

/** The operations of one transaction. `insert…` throws Conflict on an existing key; `update…` throws NotFound on a missing one. */
export interface Transaction {
  insertParticipant(participant: New<ParticipantRecord, 'enrolledAt'>): Promise<ParticipantRecord>;
  updateParticipant(id: string, change: Pick<ParticipantRecord, 'status'>): Promise<ParticipantRecord>;
  participant(id: string): Promise<ParticipantRecord | null>;
  participantByKey(publicKey: string): Promise<ParticipantRecord | null>;
  participants(): Promise<ParticipantRecord[]>;

  insertCharter(charter: New<CharterRecord, 'createdAt' | 'signatures'>): Promise<CharterRecord>;
  updateCharter(digest: string, change: Pick<CharterRecord, 'status'>): Promise<CharterRecord>;
  insertCharterSignature(digest: string, participantId: string, signature: string): Promise<void>;
  charter(digest: string): Promise<CharterRecord | null>;
  /** Newest first. */
  charters(): Promise<CharterRecord[]>;

  insertRun(run: New<RunRecord, 'createdAt' | 'finishedAt'>): Promise<RunRecord>;
  updateRun(id: string, change: Change<RunRecord, 'id' | 'createdAt'>): Promise<RunRecord>;
  run(id: string): Promise<RunRecord | null>;
  runs(status?: RunStatus): Promise<RunRecord[]>;

  insertBlock(block: New<BlockRecord, 'createdAt'>): Promise<BlockRecord>;
  updateBlock(id: string, change: Change<BlockRecord, 'id' | 'runId' | 'createdAt'>): Promise<void>;
  /** The block of the run that is not closed, if any. */
  openBlock(runId: string): Promise<BlockRecord | null>;

  insertRound(round: New<RoundRecord, 'openedAt' | 'closedAt'>): Promise<RoundRecord>;
  /** Conditional: changes the row only while it is in `from`; false when it was not (a late worker). */
  updateRound(
    id: string,
    from: RoundPhase,
    change: Change<RoundRecord, 'id' | 'runId' | 'openedAt'>,
  ): Promise<boolean>;
  round(id: string): Promise<RoundRecord | null>;
  /** The round of the run that is neither completed nor aborted, if any. */
  openRound(runId: string): Promise<RoundRecord | null>;

  messages(blockId: string, slot: number): Promise<MessageRecord[]>;
  deleteMessages(blockId: string): Promise<void>;

  /** SELECT … FOR UPDATE: serialises every change of the budget. */
  lockBudget(): Promise<BudgetRecord | null>;
  saveBudget(budget: BudgetRecord): Promise<void>;
  insertLedgerEntry(
    entry: New<
      LedgerEntryRecord,
      | 'sequence'
      | 'createdAt'
      | 'settledAt'
      | 'committedEvent'
      | 'committedUnits'
      | 'epsilonAfter'
      | 'reason'
      | 'status'
    >,
  ): Promise<LedgerEntryRecord>;
  settleLedgerEntry(
    roundId: string,
    change: Pick<
      LedgerEntryRecord,
      'status' | 'committedEvent' | 'committedUnits' | 'epsilonAfter' | 'reason'
    >,
  ): Promise<LedgerEntryRecord>;
  ledgerEntry(roundId: string): Promise<LedgerEntryRecord | null>;
  /** Oldest first; a run's, or all. */
  ledger(runId?: string): Promise<LedgerEntryRecord[]>;
  rounds(runId: string): Promise<RoundRecord[]>;
  /** Once a round and member; a repeat changes nothing. */
  insertRefusal(refusal: New<RefusalRecord, 'createdAt'>): Promise<void>;
  /** Of a run, oldest first. */
  refusals(runId: string): Promise<RefusalRecord[]>;

  insertAccessToken(token: New<AccessTokenRecord, 'createdAt' | 'revokedAt'>): Promise<AccessTokenRecord>;
  revokeAccessToken(id: string): Promise<void>;
  accessTokenByHash(tokenHash: string): Promise<AccessTokenRecord | null>;
  accessTokens(): Promise<AccessTokenRecord[]>;

  idempotencyRecord(actor: string, key: string): Promise<IdempotencyRecord | null>;
  insertIdempotencyRecord(record: IdempotencyRecord): Promise<void>;
}

export interface Store {
  /** One database transaction, retried on serialization failures; nothing of it stays if `work` throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Group commit outside any transaction: messages that arrive together are one INSERT … ON CONFLICT DO NOTHING.
   * Resolves when durable. 'new' on the first arrival, 'same' on an identical repeat, 'different' on another content.
   */
  appendMessage(message: MessageRecord): Promise<'new' | 'same' | 'different'>;
  close(): Promise<void>;
}

/** Content-addressed: the name is the SHA-256 of the bytes, lower-case hex. Writes are atomic (rename). */
export interface Blobs {
  put(bytes: Uint8Array): Promise<string>;
  /** Undefined when missing; throws when the bytes do not match their digest. */
  get(digest: string): Promise<Uint8Array | undefined>;
  delete(digest: string): Promise<void>;
}

/** Wake-ups, sent after the commit: losing one costs a poll, never a fact. */
export interface Bus {
  publish(topic: string): void;
  /** Calls `listener` on every hint until the returned function is called. */
  subscribe(topic: string, listener: () => void): () => void;
}

export interface Clock {
  now(): number;
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
