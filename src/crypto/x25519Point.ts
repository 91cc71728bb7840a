import { bytesToNumberLE } from '@noble/curves/utils.js';

const P = 2n ** 255n - 19n;

/**
 * The u-coordinates below p whose multiple by the cofactor is the neutral element (RFC 7748, 6.1; the list in
 * Bernstein's "Curve25519", section 3): with these every shared secret is zero, whatever the private key.
 */
const LOW_ORDER: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  P - 1n,
]);

/**
 * Whether 32 bytes are the one canonical encoding of an X25519 public key that is not of low order. RFC 7748
 * lets a receiver reduce u ≥ p and ignore bit 255; a protocol that compares keys for equality must not.
 */
export function isAcceptableX25519PublicKey(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  const u = bytesToNumberLE(bytes);
  return u < P && !LOW_ORDER.has(u);
}
