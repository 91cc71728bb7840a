import type { z } from 'zod';
import { canonicalJson, type Json } from '../crypto/canonical.js';
import { MalformedBytes } from './errors.js';

/**
 * A state or a release as bytes: a line of canonical JSON (RFC 8785), then arrays of float64 or float32, little endian, one after the other. Exact:
 * equal content, equal bytes, and back.
 */
export function encodeArtefact(header: Json, arrays: readonly (Float64Array | Float32Array)[]): Uint8Array {
  const text = new TextEncoder().encode(`${canonicalJson(header)}\n`);
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, text.length));
  bytes.set(text);
  let offset = text.length;
  for (const array of arrays) {
    bytes.set(numbersToBytes(array), offset);
    offset += array.byteLength;
  }
  return bytes;
}

export interface Artefact<Header> {
  readonly header: Header;
  /** The next `count` numbers, all finite. Throws MalformedBytes where there are not as many. */
  take(count: number): Float64Array;
  /** The same of float32. */
  takeFloats(count: number): Float32Array;
  /** Throws MalformedBytes unless all was taken. */
  end(): void;
}

/**
 * Bytes from anywhere: nothing is taken of them that does not fit.
 * @param what for people, e.g. 'a release of copula'.
 * @throws MalformedBytes
 */
export function decodeArtefact<Header>(
  bytes: Uint8Array,
  headerJson: z.ZodType<Header>,
  what: string,
): Artefact<Header> {
  const newline = bytes.indexOf(0x0a);
  const header = headerJson.safeParse(jsonOf(bytes.subarray(0, Math.max(0, newline))));
  if (!header.success) throw new MalformedBytes(`these bytes are not ${what}`);
  let offset = newline + 1;
  const part = (length: number): Uint8Array<ArrayBuffer> => {
    const own = Uint8Array.from(bytes.subarray(offset, offset + length));
    if (own.length !== length) throw new MalformedBytes(`${what} is cut short, or of another schema`);
    offset += length;
    return own;
  };
  const finite = <T extends Float64Array | Float32Array>(values: T): T => {
    if (!values.every(Number.isFinite)) throw new MalformedBytes(`${what} holds what is no number`);
    return values;
  };
  return {
    header: header.data,
    take: (count) => finite(new Float64Array(part(8 * count).buffer)),
    takeFloats: (count) => finite(new Float32Array(part(4 * count).buffer)),
    end() {
      if (offset !== bytes.length) throw new MalformedBytes(`${what} is too long, or of another schema`);
    },
  };
}

/** Little endian, as every platform that Node.js runs on stores them. */
export function numbersToBytes(values: Float64Array | Float32Array): Uint8Array {
  return new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
}

/** @throws MalformedBytes */
export function bytesToDoubles(bytes: Uint8Array): Float64Array {
  if (bytes.length % 8 !== 0) throw new MalformedBytes('float64 values need a multiple of eight bytes');
  return new Float64Array(Uint8Array.from(bytes).buffer);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
