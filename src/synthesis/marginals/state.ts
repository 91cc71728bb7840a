import { z } from 'zod';
import { canonicalJson, type Json } from '../../crypto/canonical.js';
import { cellsOfMarginal, type Measured, measuredOf } from '../counts/measured.js';
import { MalformedBytes } from '../errors.js';
import { type MarginalsPlan, SUMS } from './question.js';

/** One sum that was opened: what was asked, and the noisy weighted counts of its marginals, one after the other. */
export interface Sum {
  readonly measured: Measured;
  readonly values: Float64Array;
  /** Of the noise in each value; public: the shares of those who are in the sum. */
  readonly variance: number;
}

/** The coordinator's state between two sums. Never changed in place. */
export interface MarginalsState {
  readonly plan: MarginalsPlan;
  readonly seed: Uint8Array;
  readonly sums: readonly Sum[];
  /** What the next sum asks; undefined after the last. */
  readonly next: Measured | undefined;
  /** What may be published, once all sums are there. */
  readonly release: Uint8Array | undefined;
}

const MAGIC = 'chorale/marginals state';
const VERSION = 1;

/**
 * A line of JSON, then the sums' values (float64, little endian), then the release. Exact: the decoded state goes on as the encoded
 * one would have.
 */
export function encodeState({ seed, sums, next, release }: MarginalsState): Uint8Array {
  const header = canonicalJson({
    magic: MAGIC,
    version: VERSION,
    seed: [...seed],
    sums: sums.map(({ measured, values, variance }) => ({
      measured: measured as unknown as Json,
      values: values.length,
      variance,
    })),
    next: (next ?? null) as unknown as Json,
    release: release?.length ?? null,
  });
  const parts = [
    new TextEncoder().encode(`${header}\n`),
    ...sums.map(({ values }) => bytesOf(values)),
    release ?? new Uint8Array(),
  ];
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

const length = z.number().int().min(0);
const headerJson = z.strictObject({
  magic: z.literal(MAGIC),
  version: z.number(),
  seed: z.array(z.number().int().min(0).max(255)),
  sums: z
    .array(z.strictObject({ measured: z.unknown(), values: length, variance: z.number().positive() }))
    .max(SUMS),
  next: z.unknown(),
  release: length.nullable(),
});

/** @throws MalformedBytes unless the bytes are a state of this schema. */
export function decodeState(plan: MarginalsPlan, bytes: Uint8Array): MarginalsState {
  const end = bytes.indexOf(0x0a);
  const header = headerOf(bytes.subarray(0, Math.max(0, end)));
  if (header === undefined) throw new MalformedBytes('these bytes are no state of marginals');
  if (header.version !== VERSION)
    throw new MalformedBytes(
      `the state has version ${header.version}, this program reads version ${VERSION}`,
    );
  let offset = end + 1;
  const sums = header.sums.map(({ measured: json, values, variance }): Sum => {
    const measured = measuredOf(json, plan.fine, plan.scale);
    const cells = measured.marginals.reduce((sum, m) => sum + cellsOfMarginal(measured, m, plan.fine), 0);
    const part = bytes.subarray(offset, offset + 8 * values);
    if (cells !== values || part.length !== 8 * values)
      throw new MalformedBytes('the state belongs to other options or another schema, or is cut short');
    offset += 8 * values;
    return { measured, values: doublesOf(part), variance };
  });
  if (bytes.length !== offset + (header.release ?? 0))
    throw new MalformedBytes('the state is cut short or too long');
  const isOver = sums.length === SUMS;
  if (isOver !== (header.next === null) || isOver !== (header.release !== null))
    throw new MalformedBytes(`a state has a release after ${SUMS} sums, and asks for a sum before`);
  return {
    plan,
    seed: Uint8Array.from(header.seed),
    sums,
    next: isOver ? undefined : measuredOf(header.next, plan.fine, plan.scale),
    release: header.release === null ? undefined : bytes.slice(offset),
  };
}

function headerOf(bytes: Uint8Array): z.infer<typeof headerJson> | undefined {
  try {
    return headerJson.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

/** Float64, little endian, as every platform that Node.js runs on stores them. */
export function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
}

export function doublesOf(bytes: Uint8Array): Float64Array {
  if (bytes.length % 8 !== 0) throw new MalformedBytes('float64 values need a multiple of eight bytes');
  return new Float64Array(Uint8Array.from(bytes).buffer);
}
