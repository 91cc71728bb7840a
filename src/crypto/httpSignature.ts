import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { createSignatureBase, formatSignatureBase } from 'http-message-signatures/lib/httpbis/index.js';
import {
  isInnerList,
  type Parameters,
  parseDictionary,
  serializeDictionary,
  serializeInnerList,
} from 'structured-headers';
import { nodePrimitives } from './nodePrimitives.js';
import type { Primitives } from './primitives.js';

/**
 * HTTP Message Signatures (RFC 9421) in the one profile that participants use, so that there is nothing to negotiate:
 *
 * - one signature a request, `alg="ed25519"` (§3.3.6), `tag="chorale"`, `keyid` = the identity key in lower-case hex;
 * - it covers exactly "@method" "@path" "@query", and "content-digest" (RFC 9530, sha-256) when there is a body;
 * - its parameters are exactly created, nonce, keyid, alg, tag.
 *
 * "@authority" is not covered: a proxy may rename the host, and everything signed is bound to a federation (charter
 * digest, transcript) already. Freshness is not decided here: the caller compares `created` with its clock and
 * remembers `nonce`.
 */

export interface RequestHead {
  readonly method: string;
  /** Absolute; path and query as WHATWG URL normalises them. */
  readonly url: string | URL;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type SignatureFailureCode =
  /** No Signature or Signature-Input field. */
  | 'MissingSignature'
  /** Not structured fields (RFC 8941), or not of the right types. */
  | 'MalformedSignature'
  /** Well-formed, but not the profile above: coverage, algorithm, tag, parameters, number of signatures. */
  | 'UnacceptableSignature'
  /** Something that is covered was changed, or another key signed. */
  | 'WrongSignature'
  /** The body is not the one that Content-Digest names. */
  | 'DigestMismatch';

export interface SignatureFailure {
  readonly ok: false;
  readonly code: SignatureFailureCode;
  readonly message: string;
}

export interface VerifiedSignature {
  readonly ok: true;
  /** Ed25519, lower-case hex. */
  readonly publicKey: string;
  /** Seconds since 1970, by the signer's clock. */
  readonly created: number;
  readonly nonce: string;
  /** SHA-256 of the body that was signed; undefined where there is none. */
  readonly contentDigest: Uint8Array | undefined;
}

export const SIGNATURE_TAG = 'chorale';
const LABEL = 'sig';
const COMPONENTS = ['@method', '@path', '@query'];
const COMPONENTS_WITH_BODY = [...COMPONENTS, 'content-digest'];
const PARAMETERS = ['created', 'nonce', 'keyid', 'alg', 'tag'];
/** 16 to 64 characters: at least 96 bits when base64url. */
const NONCE = /^[A-Za-z0-9_-]{16,64}$/;
const PUBLIC_KEY = /^[0-9a-f]{64}$/;

/**
 * The headers to add to a request: content-digest (with a body), signature-input, signature.
 * `created`: seconds since 1970. `nonce`: 16 to 64 characters of base64url, never used before with this key.
 */
export function signRequest(
  request: { readonly method: string; readonly url: string | URL; readonly body?: Uint8Array | undefined },
  identitySeed: Uint8Array,
  { created, nonce }: { readonly created: number; readonly nonce: string },
  primitives: Primitives = nodePrimitives,
): Record<string, string> {
  if (!NONCE.test(nonce))
    throw new RangeError('signRequest: a nonce has 16 to 64 characters of A-Z a-z 0-9 _ -');
  if (!Number.isSafeInteger(created))
    throw new RangeError('signRequest: created is in whole seconds since 1970');
  const headers: Record<string, string> = {};
  const hasBody = request.body !== undefined && request.body.length > 0;
  if (hasBody) headers['content-digest'] = contentDigest(primitives.sha256(request.body));
  const parameters: Parameters = new Map<string, string | number>([
    ['created', created],
    ['nonce', nonce],
    ['keyid', bytesToHex(primitives.ed25519PublicKey(identitySeed))],
    ['alg', 'ed25519'],
    ['tag', SIGNATURE_TAG],
  ]);
  const components = hasBody ? COMPONENTS_WITH_BODY : COMPONENTS;
  const base = signatureBase({ method: request.method, url: request.url, headers }, components, parameters);
  const signature = primitives.ed25519Sign(identitySeed, base);
  const items = components.map((name) => [name, new Map()] as [string, Parameters]);
  headers['signature-input'] = serializeDictionary(new Map([[LABEL, [items, parameters]]]));
  headers.signature = serializeDictionary(new Map([[LABEL, [arrayBuffer(signature), new Map()]]]));
  return headers;
}

/** Checks the signature and, with a body, that Content-Digest names it. */
export function verifyRequest(
  request: RequestHead & { readonly body?: Uint8Array | undefined },
  primitives: Primitives = nodePrimitives,
): VerifiedSignature | SignatureFailure {
  const hasBody = request.body !== undefined && request.body.length > 0;
  const verified = verifyRequestHead(request, hasBody, primitives);
  if (!verified.ok || !hasBody) return verified;
  return equalBytes(primitives.sha256(request.body), verified.contentDigest!)
    ? verified
    : refuse(
        'DigestMismatch',
        'The body is not the one that Content-Digest names: it was changed on its way.',
      );
}

/** The same before the body is read: the caller hashes what arrives and compares it with `contentDigest`. */
export function verifyRequestHead(
  request: RequestHead,
  hasBody: boolean,
  primitives: Primitives = nodePrimitives,
): VerifiedSignature | SignatureFailure {
  const input = single(request.headers['signature-input']);
  const signatureField = single(request.headers.signature);
  if (input === undefined || signatureField === undefined)
    return refuse('MissingSignature', 'Sign the request with your identity key (RFC 9421).');
  let inputs: ReturnType<typeof parseDictionary>;
  let signatures: ReturnType<typeof parseDictionary>;
  try {
    inputs = parseDictionary(input);
    signatures = parseDictionary(signatureField);
  } catch {
    return refuse('MalformedSignature', 'Signature-Input and Signature must be dictionaries (RFC 8941).');
  }
  if (inputs.size !== 1 || signatures.size !== 1)
    return refuse('UnacceptableSignature', 'Send exactly one signature.');
  const [[label, member]] = [...inputs] as [[string, unknown]];
  const signature = signatures.get(label)?.[0];
  if (!isInnerList(member as never) || !(signature instanceof ArrayBuffer) || signature.byteLength !== 64)
    return refuse('MalformedSignature', 'A list of components and the 64 bytes of one signature are wanted.');

  const [items, parameters] = member as [[unknown, Parameters][], Parameters];
  const wanted = hasBody ? COMPONENTS_WITH_BODY : COMPONENTS;
  const covered = items.map(([name, flags]) => (flags.size === 0 ? name : undefined));
  if (covered.length !== wanted.length || !wanted.every((name) => covered.includes(name)))
    return refuse('UnacceptableSignature', `Cover exactly ${wanted.join(', ')}, without parameters.`);
  const [created, nonce, keyid, alg, tag] = PARAMETERS.map((name) => parameters.get(name));
  if (parameters.size !== PARAMETERS.length || alg !== 'ed25519' || tag !== SIGNATURE_TAG)
    return refuse(
      'UnacceptableSignature',
      `The parameters are exactly ${PARAMETERS.join(', ')}, with alg="ed25519" and tag="${SIGNATURE_TAG}".`,
    );
  if (!Number.isSafeInteger(created) || typeof nonce !== 'string' || !NONCE.test(nonce))
    return refuse('MalformedSignature', 'created is in whole seconds, nonce 16 to 64 base64url characters.');
  if (typeof keyid !== 'string' || !PUBLIC_KEY.test(keyid))
    return refuse('MalformedSignature', 'keyid is the Ed25519 public key, 64 lower-case hex digits.');

  let digest: Uint8Array | undefined;
  if (hasBody && (digest = parseContentDigest(request.headers['content-digest'])) === undefined)
    return refuse('MalformedSignature', 'Content-Digest must be one sha-256 digest (RFC 9530).');
  const base = signatureBase(request, covered as string[], parameters);
  if (!primitives.ed25519Verify(keyBytes(keyid), base, new Uint8Array(signature)))
    return refuse(
      'WrongSignature',
      'The signature does not verify: something it covers was changed, or another key signed.',
    );
  return { ok: true, publicKey: keyid, created: created as number, nonce, contentDigest: digest };
}

/** The bytes that are signed (RFC 9421, §2.5). `components` without parameters, in the signer's order. */
export function signatureBase(
  request: RequestHead,
  components: readonly string[],
  parameters: Parameters,
): Uint8Array {
  const url = typeof request.url === 'string' ? new URL(request.url) : request.url;
  const fields = createSignatureBase(
    { fields: [...components] },
    { method: request.method, url, headers: request.headers as Record<string, string | string[]> },
  );
  const items = components.map((name) => [name, new Map()] as [string, Parameters]);
  const own: [string, string[]] = ['"@signature-params"', [serializeInnerList([items, parameters])]];
  return new TextEncoder().encode(formatSignatureBase([...fields, own]));
}

/** The Content-Digest field of a body with this SHA-256 (RFC 9530, §2). */
export function contentDigest(sha256: Uint8Array): string {
  return serializeDictionary(new Map([['sha-256', [arrayBuffer(sha256), new Map()]]]));
}

/** The SHA-256 in a Content-Digest field, or undefined when it holds anything else. */
export function parseContentDigest(field: string | string[] | undefined): Uint8Array | undefined {
  const text = single(field);
  if (text === undefined) return undefined;
  try {
    const members = parseDictionary(text);
    const digest = members.size === 1 ? members.get('sha-256')?.[0] : undefined;
    return digest instanceof ArrayBuffer && digest.byteLength === 32 ? new Uint8Array(digest) : undefined;
  } catch {
    return undefined;
  }
}

function refuse(code: SignatureFailureCode, message: string): SignatureFailure {
  return { ok: false, code, message };
}

const knownKeys = new Map<string, Uint8Array>();
const KNOWN_KEYS = 1024;

/** The same array for the same key: Primitives keep what they parsed by the array's identity, a third of the cost. */
function keyBytes(keyid: string): Uint8Array {
  const known = knownKeys.get(keyid);
  if (known !== undefined) return known;
  if (knownKeys.size >= KNOWN_KEYS) knownKeys.clear();
  const bytes = hexToBytes(keyid);
  knownKeys.set(keyid, bytes);
  return bytes;
}

/** A field that came once; repeated fields are refused rather than joined. */
function single(field: string | string[] | undefined): string | undefined {
  return typeof field === 'string' ? field : undefined;
}

/** Both sides are public: no constant time needed. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
