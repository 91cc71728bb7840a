import { z } from 'zod';
import type { Evidence } from './blame.js';
import { MAX_MEMBERS, MAX_SLOTS, PROTOCOL_VERSION } from './block.js';
import { SIGNATURE_BYTES } from './signing.js';

/** Levels of a Merkle tree over all members. */
const MAX_PATH = Math.ceil(Math.log2(MAX_MEMBERS));

/** Evidence comes from whoever accuses: what it is made of is looked at before what it says. */
const bytes = z.instanceof(Uint8Array);
const digest = bytes.refine((value) => value.length === 32, 'must be 32 bytes');
const signature = bytes.refine((value) => value.length === SIGNATURE_BYTES, 'must be a signature');
const member = z
  .int()
  .min(0)
  .max(MAX_MEMBERS - 1);
const atMostOneEach = <T>(item: z.ZodType<T>) => z.array(item).max(MAX_MEMBERS);

/** The types of Evidence and its sizes; whether any of it is true is `verifyEvidence`'s to say. */
export const evidenceShape: z.ZodType<Evidence> = z.strictObject({
  lie: z.enum(['wrong-opening', 'wrong-dealing']),
  dealer: member,
  config: z.strictObject({
    protocolVersion: z.literal(PROTOCOL_VERSION),
    federation: z.string(),
    charterDigest: z.string(),
    block: z.string(),
    slots: z.int().max(MAX_SLOTS),
    members: atMostOneEach(z.strictObject({ id: z.string(), publicKey: z.string() })),
    minSurvivors: z.int(),
    maxColluders: z.int(),
    graph: z.enum(['complete', 'harary']),
  }),
  adverts: atMostOneEach(bytes),
  roots: atMostOneEach(z.strictObject({ member, root: digest })),
  context: z.strictObject({
    block: z.string(),
    slot: z.int(),
    round: z.string(),
    attempt: z.int(),
    queryDigest: z.string(),
    modelDigest: z.string(),
    dimension: z.int(),
    modulusBits: z.int(),
    expected: atMostOneEach(z.string()),
  }),
  dealerSignature: signature,
  openings: atMostOneEach(
    z.strictObject({
      part: z.strictObject({ dealer: member, part: bytes, path: z.array(digest).max(MAX_PATH) }),
      answer: bytes,
    }),
  ),
});
