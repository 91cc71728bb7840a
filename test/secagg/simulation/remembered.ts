import type { Primitives } from '../../../src/crypto/primitives.js';

const MOST_REMEMBERED = 50_000;

/**
 * The same primitives, with the results of the slow pure ones remembered: a signature is verified by every member and
 * by the coordinator, and schedules over one set-up often make equal transcripts. Safe to share, since nothing but the
 * arguments goes into a result; what is shared is copied out.
 */
export function remembering(primitives: Primitives): Primitives {
  const remember = <Result extends Uint8Array | boolean>(
    compute: (...parts: Uint8Array[]) => Result,
  ): ((...parts: Uint8Array[]) => Result) => {
    const known = new Map<string, Result>();
    return (...parts) => {
      let key = '';
      for (const part of parts)
        key += `${part.length}:${Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1')}`;
      let result = known.get(key);
      if (result === undefined) {
        if (known.size >= MOST_REMEMBERED) known.clear();
        known.set(key, (result = compute(...parts)));
      }
      return (typeof result === 'boolean' ? result : result.slice()) as Result;
    };
  };
  const hkdf32 = remember((ikm, salt, info) => primitives.hkdfSha256(ikm!, salt!, info!, 32));
  return {
    ...primitives,
    hkdfSha256: (ikm, salt, info, length) =>
      length === 32 ? hkdf32(ikm, salt, info) : primitives.hkdfSha256(ikm, salt, info, length),
    x25519PublicKey: remember((key) => primitives.x25519PublicKey(key!)),
    x25519SharedSecret: remember((key, other) => primitives.x25519SharedSecret(key!, other!)),
    ed25519Sign: remember((seed, message) => primitives.ed25519Sign(seed!, message!)),
    ed25519Verify: remember((key, message, signature) =>
      primitives.ed25519Verify(key!, message!, signature!),
    ),
  };
}
