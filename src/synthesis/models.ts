import { bytesToHex } from '@noble/hashes/utils.js';
import { nodePrimitives } from '../crypto/nodePrimitives.js';
import type { ModelReference, SumQuery } from '../privacy/sumQuery.js';
import { MalformedBytes } from './errors.js';
import type { Models, Step } from './synthesizer.js';

export function referenceTo(name: string, bytes: Uint8Array): ModelReference {
  return { name, digest: bytesToHex(nodePrimitives.sha256(bytes)), bytes: bytes.length };
}

/** The question, and what it names by digest. */
export function stepOf(query: Omit<SumQuery, 'models'>, models: Models): Step {
  const references = Array.from(models, ([name, bytes]) => referenceTo(name, bytes));
  return { query: { ...query, models: references }, models };
}

/**
 * The bytes that a query names, as whoever sent them has them: read before a record is, and refused for what they are.
 * @param length in bytes, where the query's parameters say it.
 * @throws MalformedBytes
 */
export function modelNamed(query: SumQuery, models: Models, name: string, length?: number): Uint8Array {
  const reference = query.models.find((candidate) => candidate.name === name);
  const bytes = models.get(name);
  if (reference === undefined || bytes === undefined || (length !== undefined && bytes.length !== length))
    throw new MalformedBytes(`the model "${name}" is missing or has the wrong size`);
  if (bytesToHex(nodePrimitives.sha256(bytes)) !== reference.digest)
    throw new MalformedBytes(`the model "${name}" is not the one that the query names by digest`);
  return bytes;
}
