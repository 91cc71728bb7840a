import { equalBytes } from '@noble/ciphers/utils.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Primitives } from '../crypto/primitives.js';
import { isAcceptableX25519PublicKey } from '../crypto/x25519Point.js';
import { type BlockConfig, identityKeys } from './block.js';
import { maskPrivateKey, type SecretKind, scalarFrom, seedCommitment } from './keys.js';
import { memoize } from './memo.js';
import { type AdvertiseKeys, advertBytes, decodeAdvertiseKeys } from './messages.js';
import { verifySigned } from './signing.js';
import { MalformedMessage } from './wire.js';

/** What is needed to judge a message of a block. */
export interface BlockKeys {
  readonly config: BlockConfig;
  /** Of the configuration (block.ts); adverts are signed over it. */
  readonly digest: Uint8Array;
}

/** The keys of an advert that was judged good; decoded once, so that parsed keys can be cached. */
export const advertisedKeys = memoize(
  (bytes: Uint8Array): AdvertiseKeys => decodeAdvertiseKeys(bytes, slotsOf(bytes)),
);

export type AdvertFault = 'Malformed' | 'UnknownSender' | 'BadSignature' | 'LowOrderKey' | 'KeyReused';

/** An advert by itself: well formed, of a roster member, signed by it, its keys canonical, of high order, distinct. */
export function readAdvert(
  primitives: Primitives,
  block: BlockKeys,
  bytes: Uint8Array,
): AdvertiseKeys | AdvertFault {
  let keys: AdvertiseKeys;
  try {
    keys = decodeAdvertiseKeys(bytes, block.config.slots);
  } catch (error) {
    if (error instanceof MalformedMessage) return 'Malformed';
    throw error;
  }
  const identity = identityKeys(block.config)[keys.sender];
  if (identity === undefined) return 'UnknownSender';
  if (verifySigned(primitives, identity, 'AdvertiseKeys', block.digest, keys) === undefined)
    return 'BadSignature';
  const publicKeys = dhKeys(keys);
  if (!publicKeys.every(isAcceptableX25519PublicKey)) return 'LowOrderKey';
  if (new Set(publicKeys.map(bytesToHex)).size !== publicKeys.length) return 'KeyReused';
  return keys;
}

/** Whether two members advertise a key in common: one has copied the other's (S16). */
export function shareAKey(adverts: Iterable<Uint8Array>): boolean {
  const seen = new Set<string>();
  for (const advert of adverts)
    for (const key of dhKeysInHex(advert)) {
      if (seen.has(key)) return true;
      seen.add(key);
    }
  return false;
}

/** Whether `advert` has a key in common with one of `others`. */
export function copiesAKey(advert: Uint8Array, others: Iterable<Uint8Array>): boolean {
  const own = new Set(dhKeysInHex(advert));
  for (const other of others) if (dhKeysInHex(other).some((key) => own.has(key))) return true;
  return false;
}

const dhKeysInHex = memoize((advert: Uint8Array): readonly string[] =>
  dhKeys(advertisedKeys(advert)).map(bytesToHex),
);

function dhKeys(keys: AdvertiseKeys): Uint8Array[] {
  return [keys.encryptionKey, ...keys.slots.map(({ maskKey }) => maskKey)];
}

/** An advert's size says how many slots it has. */
function slotsOf(bytes: Uint8Array): number {
  return (bytes.length - advertBytes(0)) / (advertBytes(1) - advertBytes(0));
}

/** Whether `root` gives the seed commitment or the mask key that the advert has for the slot. */
export function givesAdvertised(
  primitives: Primitives,
  block: Uint8Array,
  advert: Uint8Array,
  slot: number,
  kind: SecretKind,
  root: Uint8Array,
): boolean {
  if (scalarFrom(root) === undefined) return false;
  const { sender, slots } = advertisedKeys(advert);
  const { maskKey, seedCommitment: committed } = slots[slot]!;
  if (kind === 'seed') return equalBytes(seedCommitment(primitives, block, sender, slot, root), committed);
  return equalBytes(
    primitives.x25519PublicKey(maskPrivateKey(primitives, block, sender, slot, root)),
    maskKey,
  );
}
