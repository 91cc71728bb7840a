import { bytesToHex } from '@noble/hashes/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import { isAcceptableX25519PublicKey } from '../crypto/x25519Point.js';
import type { BlockConfig } from './block.js';
import { type AdvertiseKeys, decodeAdvertiseKeys } from './messages.js';
import { verifySigned } from './signing.js';
import { MalformedMessage } from './wire.js';

/** What is needed to judge a message of a block. */
export interface BlockKeys {
  readonly config: BlockConfig;
  /** Ed25519 public keys, by roster index. */
  readonly identities: readonly Uint8Array[];
  readonly digest: Uint8Array;
}

/** An advert that was judged good, with the bytes that go into the setup transcript. */
export interface Advert {
  readonly bytes: Uint8Array;
  readonly keys: AdvertiseKeys;
}

export type AdvertFault = 'Malformed' | 'UnknownSender' | 'BadSignature' | 'LowOrderKey' | 'KeyReused';

/** An advert by itself: well formed, of a roster member, signed by it, its keys canonical, of high order, distinct. */
export function readAdvert(
  primitives: Primitives,
  block: BlockKeys,
  bytes: Uint8Array,
): Advert | AdvertFault {
  let keys: AdvertiseKeys;
  try {
    keys = decodeAdvertiseKeys(bytes, block.config.slots);
  } catch (error) {
    if (error instanceof MalformedMessage) return 'Malformed';
    throw error;
  }
  const identity = block.identities[keys.sender];
  if (identity === undefined) return 'UnknownSender';
  if (verifySigned(primitives, identity, 'AdvertiseKeys', block.digest, keys) === undefined)
    return 'BadSignature';
  const publicKeys = dhKeys(keys);
  if (!publicKeys.every(isAcceptableX25519PublicKey)) return 'LowOrderKey';
  if (new Set(publicKeys.map(bytesToHex)).size !== publicKeys.length) return 'KeyReused';
  return { bytes, keys };
}

/** Whether two members advertise a key in common: one has copied the other's (S16). */
export function shareAKey(adverts: Iterable<Advert>): boolean {
  const seen = new Set<string>();
  for (const { keys } of adverts)
    for (const key of dhKeys(keys)) {
      const hex = bytesToHex(key);
      if (seen.has(hex)) return true;
      seen.add(hex);
    }
  return false;
}

function dhKeys(keys: AdvertiseKeys): Uint8Array[] {
  return [keys.encryptionKey, ...keys.slots.map(({ maskKey }) => maskKey)];
}
