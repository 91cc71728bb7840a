import type { Rng } from '../../crypto/rng.js';

/** A call into a CSPRNG costs about as much as a kilobyte of its output: ask for much at once, but not for more than is used. */
const LARGEST_CHUNK_BYTES = 1 << 16;
const SMALLEST_CHUNK_BYTES = 1 << 8;

/** Words and bits out of an Rng, little-endian on every machine, so that a seeded run replays anywhere. */
export class RandomBits {
  #view: DataView = new DataView(new ArrayBuffer(0));
  #offset = 0;
  #bit = 0;
  #bitsLeft = 0;

  readonly #chunkBytes: number;

  /** `expectedWords`: about how many 32-bit words will be drawn in all. */
  constructor(
    private readonly rng: Rng,
    expectedWords: number,
  ) {
    const wanted = Math.ceil(expectedWords) * 4;
    this.#chunkBytes = Math.min(LARGEST_CHUNK_BYTES, Math.max(SMALLEST_CHUNK_BYTES, wanted));
  }

  /** Uniform on 0 … 2^32 − 1. */
  word(): number {
    if (this.#offset === this.#view.byteLength) {
      const bytes = this.rng(this.#chunkBytes);
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#offset = 0;
    }
    const value = this.#view.getUint32(this.#offset, true);
    this.#offset += 4;
    return value;
  }

  bit(): boolean {
    if (this.#bitsLeft === 0) {
      this.#bit = this.word();
      this.#bitsLeft = 32;
    }
    const value = (this.#bit & 1) === 1;
    this.#bit >>>= 1;
    this.#bitsLeft -= 1;
    return value;
  }

  /** Uniform on 0 … bound − 1, by rejection: no modulo bias. */
  below(bound: bigint): bigint {
    const bits = (bound - 1n).toString(2).length;
    for (;;) {
      let value = 0n;
      for (let taken = 0; taken < bits; taken += 32) value = (value << 32n) | BigInt(this.word());
      value &= (1n << BigInt(bits)) - 1n;
      if (value < bound) return value;
    }
  }
}
