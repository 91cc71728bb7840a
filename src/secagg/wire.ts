/** Strict little-endian encoding. A decoder reads every byte exactly once; what is left over is an error. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

export class ByteReader {
  #at = 0;
  readonly #view: DataView;
  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  take(length: number): Uint8Array {
    const from = this.#advance(length);
    return this.bytes.subarray(from, from + length);
  }

  expectU8(value: number, what: string): void {
    const found = this.u8();
    if (found !== value) throw new MalformedMessage(`${what} is ${found}, expected ${value}`);
  }

  end(): void {
    const left = this.bytes.length - this.#at;
    if (left !== 0) throw new MalformedMessage(`${left} bytes too many`);
  }

  #advance(length: number): number {
    const from = this.#at;
    if (from + length > this.bytes.length)
      throw new MalformedMessage(`ends at byte ${this.bytes.length}, ${from + length} wanted`);
    this.#at = from + length;
    return from;
  }
}

/** Writes into a buffer of the exact, previously computed size: sizes never depend on data. */
export class ByteWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
  }

  u8(value: number): this {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** The next `length` bytes, to be filled by the caller. */
  space(length: number): Uint8Array {
    const room = this.bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return room;
  }

  /** The bytes written; throws if the size had been computed wrong. */
  done(): Uint8Array {
    if (this.#at !== this.bytes.length)
      throw new RangeError(`ByteWriter: ${this.#at} of ${this.bytes.length} bytes written`);
    return this.bytes;
  }
}
