import { createHash } from 'node:crypto';
import {
  type RequestHead,
  type VerifiedSignature,
  verifyRequest,
  verifyRequestHead,
} from '../crypto/httpSignature.js';
import type { AccessTokenRecord, Clock, ParticipantRecord, Role } from '../federation/ports.js';
import type { Enrolment } from '../federation/service.js';
import { IDENTITY_CACHE_MS, REMEMBERED_NONCES, SIGNATURE_WINDOW_MS } from './limits.js';
import { Problem } from './problem.js';

/** Who asks. A key proves only itself: whether it is enrolled, `participant` says. */
export type Identity =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'key'; readonly publicKey: string; readonly participant: ParticipantRecord | null }
  | { readonly kind: 'token'; readonly token: AccessTokenRecord };

export type Scopes = Record<Role | 'key' | 'enrolled' | 'participant', boolean>;

/** The scopes of an identity; whatever is not granted here is denied. */
export function scopesOf(identity: Identity): Scopes {
  const role = identity.kind === 'token' ? identity.token.role : undefined;
  const status = identity.kind === 'key' ? identity.participant?.status : undefined;
  return {
    /** Any key that signed. */
    key: identity.kind === 'key',
    /** A key that is enrolled, approved or not yet. */
    enrolled: status === 'pending' || status === 'approved',
    participant: status === 'approved',
    operator: role === 'operator',
    approver: role === 'approver',
    auditor: role === 'auditor',
    application: role === 'application',
  };
}

/** A stable name of the caller: what idempotency keys and proposals are recorded under. */
export function actorOf(identity: Identity): string {
  switch (identity.kind) {
    case 'anonymous':
      return 'anonymous';
    case 'key':
      return `key:${identity.publicKey}`;
    case 'token':
      return `token:${identity.token.id}`;
  }
}

export interface Identities {
  /** Signature (RFC 9421) or bearer token; throws Problem 401. One answer for every token that is not live. */
  identify(request: RequestHead & { readonly body?: Uint8Array | undefined }): Promise<Identity>;
  /** For bodies that are streamed: who signed, and the SHA-256 that the body must have. */
  identifyHead(
    request: RequestHead,
  ): Promise<{ readonly identity: Identity; readonly contentDigest: Uint8Array | undefined }>;
  /** The same identity as the store knows it by now, at most IDENTITY_CACHE_MS old; for long subscriptions. */
  refresh(identity: Identity): Promise<Identity>;
}

/**
 * Replays: a signature is good once, within SIGNATURE_WINDOW_MS of this coordinator's clock. Nonces are remembered in
 * this process; on another replica or after a restart, a replay within the window still changes nothing, since every
 * mutation is idempotent by its key and every protocol message by (slot, phase, participant). A refused signature
 * comes with the server's Date, by which a client whose clock is wrong can correct `created`.
 */
export function createIdentities(enrolment: Enrolment, clock: Clock): Identities {
  const nonces = new NonceMemory();
  const participants = new ShortMemory<ParticipantRecord>(clock);
  const tokens = new ShortMemory<AccessTokenRecord>(clock);

  async function ofKey(publicKey: string): Promise<Identity> {
    const remembered = participants.get(publicKey);
    if (remembered !== undefined) return { kind: 'key', publicKey, participant: remembered };
    const participant = await enrolment.participantByKey(publicKey);
    // Only what revocation can take away is remembered: an approval is seen at once.
    if (participant?.status === 'approved') participants.set(publicKey, participant);
    return { kind: 'key', publicKey, participant };
  }

  async function ofToken(header: string): Promise<Identity> {
    const secret = /^Bearer ([A-Za-z0-9._~+/-]{16,256}=*)$/i.exec(header)?.[1];
    if (secret !== undefined) {
      const hash = createHash('sha256').update(secret).digest('base64');
      const remembered = tokens.get(hash);
      if (remembered !== undefined) return { kind: 'token', token: remembered };
      const token = await enrolment.authenticate(secret);
      if (token !== null) {
        tokens.set(hash, token);
        return { kind: 'token', token };
      }
    }
    throw new Problem(401, 'InvalidToken', 'The access token is not valid, or was revoked.');
  }

  async function ofSignature(verified: ReturnType<typeof verifyRequest>): Promise<Identity> {
    if (!verified.ok) throw new Problem(401, verified.code, verified.message);
    assertFresh(verified);
    return ofKey(verified.publicKey);
  }

  function assertFresh({ created, nonce, publicKey }: VerifiedSignature): void {
    const now = clock.now();
    if (Math.abs(now - created * 1000) > SIGNATURE_WINDOW_MS)
      throw new Problem(
        401,
        'StaleSignature',
        'The signature’s "created" is too far from this coordinator’s clock: set your clock by the Date header and sign again.',
      );
    if (!nonces.take(`${publicKey}${nonce}`, now))
      throw new Problem(
        401,
        'ReplayedSignature',
        'This signature was used already: sign every request anew.',
      );
  }

  return {
    async identify(request) {
      const { authorization, signature } = request.headers;
      const signed = signature !== undefined || request.headers['signature-input'] !== undefined;
      if (signed && authorization !== undefined)
        throw new Problem(401, 'AmbiguousIdentity', 'Sign the request or send a token, not both.');
      if (signed) return ofSignature(verifyRequest(request));
      return typeof authorization === 'string' ? ofToken(authorization) : { kind: 'anonymous' };
    },
    async identifyHead(request) {
      const verified = verifyRequestHead(request, true);
      return {
        identity: await ofSignature(verified),
        contentDigest: verified.ok ? verified.contentDigest : undefined,
      };
    },
    async refresh(identity) {
      return identity.kind === 'key' ? ofKey(identity.publicKey) : identity;
    },
  };
}

/** Two generations of sets: a nonce is remembered for one to two windows at a constant cost, and memory is bounded. */
class NonceMemory {
  #young = new Set<string>();
  #old = new Set<string>();
  #turnedAt = 0;

  /** True the first time. */
  take(nonce: string, nowMs: number): boolean {
    // `created` may lie a window in the future, so one generation lasts two.
    if (nowMs - this.#turnedAt > 2 * SIGNATURE_WINDOW_MS || this.#young.size >= REMEMBERED_NONCES) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#turnedAt = nowMs;
    }
    if (this.#young.has(nonce) || this.#old.has(nonce)) return false;
    this.#young.add(nonce);
    return true;
  }
}

class ShortMemory<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly until: number }>();
  constructor(private readonly clock: Clock) {}

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.clock.now() < entry.until ? entry.value : undefined;
  }

  set(key: string, value: T): void {
    if (this.#entries.size >= 10_000) this.#entries.clear();
    this.#entries.set(key, { value, until: this.clock.now() + IDENTITY_CACHE_MS });
  }
}
