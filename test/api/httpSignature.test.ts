import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { bytesToHex } from '@noble/hashes/utils.js';
import { signMessage, verifyMessage } from 'http-message-signatures/lib/httpbis/index.js';
import { describe, expect, it } from 'vitest';
import {
  contentDigest,
  parseContentDigest,
  signatureBase,
  signRequest,
  verifyRequest,
} from '../../src/crypto/httpSignature.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';

const seed = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const publicKey = bytesToHex(nodePrimitives.ed25519PublicKey(seed));
const body = new TextEncoder().encode('{"query":"{ me { name } }"}');
const url = 'http://127.0.0.1:4000/graphql?a=1';
const fresh = { created: 1_800_000_000, nonce: 'AAAAAAAAAAAAAAAA' };

function signed(change: Partial<{ method: string; url: string; body: Uint8Array }> = {}) {
  const request = { method: 'POST', url, body, ...change };
  return { ...request, headers: signRequest(request, seed, fresh) as Record<string, string> };
}

describe('RFC 9421', () => {
  it('Appendix B.2.6: the ed25519 example verifies over our signature base', () => {
    const spki = 'MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=';
    const key = createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });
    const raw = Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url');
    const signature = Buffer.from(
      'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
      'base64',
    );
    const base = signatureBase(
      {
        method: 'POST',
        url: 'https://example.com/foo?param=Value&Pet=dog',
        headers: {
          date: 'Tue, 20 Apr 2021 02:07:55 GMT',
          'content-type': 'application/json',
          'content-length': '18',
        },
      },
      ['date', '@method', '@path', '@authority', 'content-type', 'content-length'],
      new Map<string, string | number>([
        ['created', 1618884473],
        ['keyid', 'test-key-ed25519'],
      ]),
    );
    expect(new TextDecoder().decode(base)).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
      ].join('\n'),
    );
    expect(nodePrimitives.ed25519Verify(raw, base, signature)).toBe(true);
    expect(nodePrimitives.ed25519Verify(raw, base.with(0, 0), signature)).toBe(false);
  });

  it('what we sign, the http-message-signatures package verifies', async () => {
    const request = signed();
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey, 'hex').toString('base64url') },
      format: 'jwk',
    });
    const config = {
      keyLookup: async () => ({
        id: publicKey,
        algs: ['ed25519'],
        verify: async (data: Buffer, signature: Buffer) => verify(null, data, key, signature),
      }),
      notAfter: fresh.created + 10,
    };
    expect(await verifyMessage(config, { method: 'POST', url, headers: request.headers })).toBe(true);
  });

  it('what the http-message-signatures package signs in our profile, we verify', async () => {
    const d = Buffer.from(seed).toString('base64url');
    const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x: d }, format: 'jwk' });
    const message = await signMessage(
      {
        key: { id: publicKey, alg: 'ed25519', sign: async (data: Buffer) => sign(null, data, key) },
        name: 'other',
        fields: ['content-digest', '@query', '@path', '@method'],
        params: ['keyid', 'alg', 'created', 'nonce', 'tag'],
        paramValues: { created: new Date(fresh.created * 1000), nonce: fresh.nonce, tag: 'chorale' },
      },
      { method: 'POST', url, headers: { 'content-digest': contentDigest(nodePrimitives.sha256(body)) } },
    );
    const headers = Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    expect(verifyRequest({ method: 'POST', url, headers, body })).toMatchObject({ ok: true, publicKey });
  });

  it('RFC 9530: the sha-256 example of Appendix B.1', () => {
    const digest = contentDigest(nodePrimitives.sha256(new TextEncoder().encode('{"hello": "world"}\n')));
    expect(digest).toBe('sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:');
    expect(parseContentDigest(digest)).toHaveLength(32);
    expect(parseContentDigest('sha-512=:AAAA:')).toBeUndefined();
    expect(parseContentDigest(`${digest}, sha-512=:AAAA:`)).toBeUndefined();
    expect(parseContentDigest([digest, digest])).toBeUndefined();
  });
});

describe('a signed request', () => {
  it('verifies, and names its key, time and nonce', () => {
    expect(verifyRequest(signed())).toMatchObject({ ok: true, publicKey, ...fresh });
    const bare = { method: 'GET', url };
    const headers = signRequest(bare, seed, fresh);
    expect(headers).not.toHaveProperty('content-digest');
    expect(verifyRequest({ ...bare, headers })).toMatchObject({ ok: true, publicKey });
  });

  const other = bytesToHex(nodePrimitives.ed25519PublicKey(new Uint8Array(32)));
  const input = (change: (text: string) => string) => (request: ReturnType<typeof signed>) => ({
    ...request,
    headers: { ...request.headers, 'signature-input': change(request.headers['signature-input']!) },
  });
  const replace = (from: string | RegExp, to: string) =>
    input((text) => {
      const changed = text.replace(from, to);
      if (changed === text) throw new Error('the test changes nothing');
      return changed;
    });
  const without = (name: string) => (request: ReturnType<typeof signed>) => {
    const { [name]: _, ...headers } = request.headers;
    return { ...request, headers };
  };

  it.each<[string, string, (request: ReturnType<typeof signed>) => Parameters<typeof verifyRequest>[0]]>([
    ['another method', 'WrongSignature', (r) => ({ ...r, method: 'PUT' })],
    ['another path', 'WrongSignature', (r) => ({ ...r, url: 'http://127.0.0.1:4000/graphq1?a=1' })],
    ['another query', 'WrongSignature', (r) => ({ ...r, url: 'http://127.0.0.1:4000/graphql?a=2' })],
    ['no query', 'WrongSignature', (r) => ({ ...r, url: 'http://127.0.0.1:4000/graphql' })],
    ['another body', 'DigestMismatch', (r) => ({ ...r, body: r.body.with(3, 0) })],
    [
      'another body and its digest',
      'WrongSignature',
      (r) => {
        const forged = r.body.with(3, 0);
        const digest = contentDigest(nodePrimitives.sha256(forged));
        return { ...r, body: forged, headers: { ...r.headers, 'content-digest': digest } };
      },
    ],
    ['the body taken away', 'UnacceptableSignature', ({ body: _, ...r }) => r],
    ['an empty body', 'UnacceptableSignature', (r) => ({ ...r, body: new Uint8Array() })],
    ['no content-digest field', 'MalformedSignature', without('content-digest')],
    ['another key', 'WrongSignature', replace(publicKey, other)],
    ['another time', 'WrongSignature', replace('1800000000', '1800000001')],
    ['another nonce', 'WrongSignature', replace('AAAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAAB')],
    ['no signature', 'MissingSignature', without('signature')],
    ['no signature-input', 'MissingSignature', without('signature-input')],
    ['an algorithm we do not know', 'UnacceptableSignature', replace('ed25519', 'hmac-sha256')],
    ['no algorithm', 'UnacceptableSignature', replace(';alg="ed25519"', '')],
    ['another tag', 'UnacceptableSignature', replace('"chorale"', '"choral"')],
    ['no tag', 'UnacceptableSignature', replace(';tag="chorale"', '')],
    ['no nonce', 'UnacceptableSignature', replace(/;nonce="[^"]*"/, '')],
    ['no created', 'UnacceptableSignature', replace(/;created=\d+/, '')],
    ['created as a string', 'MalformedSignature', replace('=1800000000', '="1800000000"')],
    ['a parameter more', 'UnacceptableSignature', input((text) => `${text};expires=1900000000`)],
    ['a short nonce', 'MalformedSignature', replace('AAAAAAAAAAAAAAAA', 'AAA')],
    ['a key that is not hex', 'MalformedSignature', replace(publicKey, `${publicKey.slice(2)}zz`)],
    ['a body that is not covered', 'UnacceptableSignature', replace(' "content-digest"', '')],
    ['a path that is not covered', 'UnacceptableSignature', replace('"@path" ', '')],
    ['a component with parameters', 'UnacceptableSignature', replace('"@path"', '"@path";req')],
    ['a component twice', 'UnacceptableSignature', replace('"@path"', '"@path" "@path"')],
    [
      'two signatures',
      'UnacceptableSignature',
      (r) => ({
        ...r,
        headers: {
          ...r.headers,
          'signature-input': `${r.headers['signature-input']}, b${r.headers['signature-input']}`,
          signature: `${r.headers.signature}, b${r.headers.signature}`,
        },
      }),
    ],
    ['a signature under another label', 'MalformedSignature', input((text) => `x${text}`)],
    [
      'a signature cut short',
      'MalformedSignature',
      (r) => ({ ...r, headers: { ...r.headers, signature: 'sig=:AAAA:' } }),
    ],
    ['no structured fields', 'MalformedSignature', input(() => 'sig=(((')],
    ['no list', 'MalformedSignature', input(() => 'sig="x"')],
    [
      'repeated fields',
      'MissingSignature',
      (r) => ({ ...r, headers: { ...r.headers, signature: [r.headers.signature!, r.headers.signature!] } }),
    ],
  ])('is refused with %s (%s)', (_name, code, change) => {
    const request = signed();
    expect(verifyRequest(request).ok).toBe(true);
    expect(verifyRequest(change(request))).toMatchObject({ ok: false, code });
  });

  it('is not made with a bad nonce or time', () => {
    const request = { method: 'GET', url };
    expect(() => signRequest(request, seed, { ...fresh, nonce: 'short' })).toThrow(RangeError);
    expect(() => signRequest(request, seed, { ...fresh, created: 1.5 })).toThrow(RangeError);
  });
});
