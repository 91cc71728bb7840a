import { bytesToHex } from '@noble/hashes/utils.js';
import {
  type BlockConfig,
  type CharterFloors,
  type Evidence,
  type Unmasked,
  verifyEvidence,
} from '../../../src/secagg/index.js';
import { decodeUnmasking } from '../../../src/secagg/messages.js';
import { SIGNATURE_BYTES } from '../../../src/secagg/signing.js';
import { MODULUS_BITS, primitives } from './cohorts.js';
import type { Ask } from './line.js';

/** The property is broken: what, in words. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/**
 * Who sees everything and judges. The property: a member says one thing for each slot and phase, whatever happens to
 * it; a slot is committed to one set of survivors; the result is the exact sum of what those survivors put in.
 */
export class Ledger {
  readonly #said = new Map<string, string>();
  /** SHA-256 of a MaskedInput's body → the vector under the masks. */
  readonly #vectors = new Map<string, Uint32Array>();
  readonly #committed = new Map<number, { survivors: string; digests: readonly string[] }>();
  /** slot, dealer → honest holders that opened the share of its seed, of its mask key. */
  readonly #opened = new Map<string, { seed: Set<string>; mask: Set<string> }>();

  constructor(
    private readonly config: BlockConfig,
    private readonly floors: CharterFloors,
    /** Bound by no rule. */
    private readonly cheats: ReadonlySet<string>,
    /** Those of them against whom there may be evidence. */
    private readonly liars: ReadonlySet<string>,
  ) {}

  put(message: Uint8Array, vector: Uint32Array): void {
    this.#vectors.set(digestOf(message), vector);
  }

  /** A message left a member. */
  said(id: string, slot: number, ask: Ask, message: Uint8Array, threshold: number): void {
    if (this.cheats.has(id)) return;
    const key = `${id} slot ${slot} ${ask}`;
    const bytes = bytesToHex(message);
    const before = this.#said.get(key);
    if (before === bytes) return;
    if (before !== undefined) throw new Violation(`${key}: two different messages`);
    this.#said.set(key, bytes);
    if (ask === 'unmasking') this.#opens(id, slot, message, threshold);
  }

  /** Nobody may get together t shares of both secrets of one member's slot, colluders' shares included (S3). */
  #opens(id: string, slot: number, message: Uint8Array, threshold: number): void {
    for (const { member, kind } of decodeUnmasking(message).answers) {
      if (kind === 'none') continue;
      const key = `${slot} ${member}`;
      const opened = this.#opened.get(key) ?? { seed: new Set(), mask: new Set() };
      this.#opened.set(key, opened);
      opened[kind].add(id);
      const enough = threshold - this.config.maxColluders;
      if (opened.seed.size >= enough && opened.mask.size >= enough)
        throw new Violation(`slot ${slot}: both secrets of member ${member} can be opened`);
    }
  }

  /** The coordinator has made durable whom it counts, and by which inputs. */
  commits(slot: number, survivors: readonly string[], digests: readonly string[]): void {
    const before = this.#committed.get(slot);
    const names = survivors.join();
    if (before !== undefined && (before.survivors !== names || before.digests.join() !== digests.join()))
      throw new Violation(`slot ${slot}: committed to ${before.survivors}, then to ${names}`);
    this.#committed.set(slot, { survivors: names, digests });
  }

  results(slot: number, { sum, survivors, evidence }: Unmasked): void {
    const committed = this.#committed.get(slot);
    if (committed === undefined) throw new Violation(`slot ${slot}: a sum that nobody committed to`);
    if (committed.survivors !== survivors.join())
      throw new Violation(`slot ${slot}: the sum is of ${survivors}, committed was ${committed.survivors}`);
    const exact = new Array<number>(sum.length).fill(0);
    for (const digest of committed.digests) {
      const vector = this.#vectors.get(digest);
      if (vector === undefined) throw new Violation(`slot ${slot}: an input that nobody sent was counted`);
      for (const [i, x] of vector.entries()) exact[i] = (exact[i]! + x) % 2 ** MODULUS_BITS;
    }
    if (exact.some((x, i) => x !== sum[i]))
      throw new Violation(`slot ${slot}: the sum is ${sum}, exact is ${exact}`);
    // The unit vectors by themselves, whatever is remembered above: everyone in U₂ once and nobody else at all.
    for (const [i, { id }] of this.config.members.entries())
      if (!this.cheats.has(id) && sum[i] !== (survivors.includes(id) ? 1 : 0))
        throw new Violation(`slot ${slot}: ${id} is in the sum ${sum[i]} times`);
    this.accuses(evidence);
  }

  accuses(evidence: readonly Evidence[]): void {
    for (const item of evidence) {
      const { accused } = verifyEvidence(primitives, this.floors, item);
      if (!this.liars.has(accused))
        throw new Violation(`evidence of ${item.lie} against ${accused}, who is honest`);
    }
  }
}

/** As the coordinator remembers it: SHA-256 of the body, hex. */
export function digestOf(message: Uint8Array): string {
  return bytesToHex(primitives.sha256(message.subarray(0, message.length - SIGNATURE_BYTES)));
}
