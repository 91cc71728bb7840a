import { PROTOCOL_VERSION } from './block.js';
import { packedBytes } from './packing.js';
import { SCALAR_BYTES } from './shamir.js';
import { MESSAGE_KINDS, type MessageKind, SIGNATURE_BYTES, type Signed } from './signing.js';
import { ByteReader, ByteWriter, MalformedMessage } from './wire.js';

/**
 * The wire form of the five messages: version, kind, sender (roster index), body, Ed25519 signature. Each has one
 * encoding, its size follows from public numbers alone (S26), and a decoder reads to the last byte or throws
 * MalformedMessage. Encoders leave the last 64 bytes for the signature.
 */
const WIRE_VERSION = PROTOCOL_VERSION;
const HEADER_BYTES = 1 + 1 + 2;
const KEY_BYTES = 32;
const DIGEST_BYTES = 32;
const GCM_BYTES = 12 + 16;
export const SALT_BYTES = 16;
/** A share and its salt. */
export const OPENING_BYTES = SCALAR_BYTES + SALT_BYTES;
const ANSWER_BYTES = 2 + 1 + OPENING_BYTES;

export interface AdvertisedSlot {
  readonly maskKey: Uint8Array;
  readonly seedCommitment: Uint8Array;
}

export interface AdvertiseKeys extends Signed {
  readonly sender: number;
  /** One a block: it seals one message to each neighbour, which carries the shares of all slots. */
  readonly encryptionKey: Uint8Array;
  readonly slots: readonly AdvertisedSlot[];
}

/** What a dealer gives one shareholder: recipient ‖ commitments ‖ sealed openings, a leaf of its Merkle tree. */
export interface DealtPart {
  readonly recipient: number;
  readonly bytes: Uint8Array;
}

export interface ShareKeys extends Signed {
  readonly sender: number;
  /** By recipient, ascending. The signature is over the Merkle root of their bytes (RFC 9162, 2.1). */
  readonly parts: readonly DealtPart[];
}

export interface MaskedInput extends Signed {
  readonly sender: number;
  readonly slot: number;
  readonly dimension: number;
  readonly modulusBits: number;
  readonly packed: Uint8Array;
}

export interface ConsistencyCheck extends Signed {
  readonly sender: number;
  readonly slot: number;
  /** SHA-256 of U₂ (survivorsDigest): the signature means the same, and its size does not grow with the cohort. */
  readonly survivors: Uint8Array;
}

export type ShareKind = 'none' | 'seed' | 'mask';
/** 'none': the share never arrived; it blames nobody. */
const SHARE_KINDS: readonly ShareKind[] = ['none', 'seed', 'mask'];

export interface ShareAnswer {
  readonly member: number;
  readonly kind: ShareKind;
  /** The share and the salt of its commitment, 48 bytes; zeros for 'none', so that the size says nothing. */
  readonly opening: Uint8Array;
}

export interface Unmasking extends Signed {
  readonly sender: number;
  readonly slot: number;
  readonly answers: readonly ShareAnswer[];
}

export const advertBytes = (slots: number): number =>
  HEADER_BYTES + 1 + KEY_BYTES + slots * 2 * KEY_BYTES + SIGNATURE_BYTES;

/** A slot's two commitments for one shareholder: of the mask root's share, then of the seed root's. */
export const COMMITMENT_BYTES = 2 * DIGEST_BYTES;

/** What is sealed for one shareholder: nonce, two openings a slot, tag. */
export const sealedSharesBytes = (slots: number): number => GCM_BYTES + slots * 2 * OPENING_BYTES;

/** What one shareholder is given: its roster index, two commitments a slot, and the sealed openings. */
export const dealtPartBytes = (slots: number): number =>
  2 + slots * COMMITMENT_BYTES + sealedSharesBytes(slots);

export const shareKeysBytes = (slots: number, recipients: number): number =>
  HEADER_BYTES + 2 + recipients * dealtPartBytes(slots) + SIGNATURE_BYTES;

/** 12 bytes, so that the words behind them are aligned and are folded without a copy. */
const MASKED_HEADER_BYTES = HEADER_BYTES + 2 + 2 + 4;

/** The exact size of a MaskedInput: an upload of another length is refused before it is read. */
export const maskedInputBytes = (dimension: number, modulusBits: number): number =>
  MASKED_HEADER_BYTES + packedBytes(dimension, modulusBits) + SIGNATURE_BYTES;

export const CONSISTENCY_CHECK_BYTES = HEADER_BYTES + 1 + DIGEST_BYTES + SIGNATURE_BYTES;

export const unmaskingBytes = (answers: number): number =>
  HEADER_BYTES + 1 + 2 + answers * ANSWER_BYTES + SIGNATURE_BYTES;

function begin(length: number, kind: MessageKind, sender: number): ByteWriter {
  return new ByteWriter(length).u8(WIRE_VERSION).u8(MESSAGE_KINDS[kind]).u16(sender);
}

export function encodeAdvertiseKeys(
  sender: number,
  encryptionKey: Uint8Array,
  slots: readonly AdvertisedSlot[],
): Uint8Array {
  const writer = begin(advertBytes(slots.length), 'AdvertiseKeys', sender)
    .u8(slots.length)
    .put(encryptionKey);
  for (const slot of slots) writer.put(slot.maskKey).put(slot.seedCommitment);
  writer.space(SIGNATURE_BYTES);
  return writer.done();
}

export function encodeDealtPart(recipient: number, commitments: Uint8Array, sealed: Uint8Array): Uint8Array {
  return new ByteWriter(2 + commitments.length + sealed.length)
    .u16(recipient)
    .put(commitments)
    .put(sealed)
    .done();
}

/** @param part as `encodeDealtPart` made it, of the right length. */
export function decodeDealtPart(
  part: Uint8Array,
  slots: number,
): { readonly recipient: number; readonly commitments: Uint8Array; readonly sealed: Uint8Array } {
  const reader = new ByteReader(part);
  const decoded = {
    recipient: reader.u16(),
    commitments: reader.take(slots * COMMITMENT_BYTES),
    sealed: reader.take(sealedSharesBytes(slots)),
  };
  reader.end();
  return decoded;
}

export function encodeShareKeys(sender: number, slots: number, parts: readonly DealtPart[]): Uint8Array {
  const writer = begin(shareKeysBytes(slots, parts.length), 'ShareKeys', sender).u16(parts.length);
  for (const { bytes } of parts) writer.put(bytes);
  writer.space(SIGNATURE_BYTES);
  return writer.done();
}

/** A MaskedInput whose packed vector is still to be written, in place: it is megabytes. */
export function frameMaskedInput(
  sender: number,
  slot: number,
  dimension: number,
  modulusBits: number,
): { readonly message: Uint8Array; readonly room: Uint8Array } {
  const writer = begin(maskedInputBytes(dimension, modulusBits), 'MaskedInput', sender);
  writer.u16(slot).u16(modulusBits).u32(dimension);
  const room = writer.space(packedBytes(dimension, modulusBits));
  writer.space(SIGNATURE_BYTES);
  return { message: writer.done(), room };
}

export function encodeConsistencyCheck(sender: number, slot: number, survivors: Uint8Array): Uint8Array {
  const writer = begin(CONSISTENCY_CHECK_BYTES, 'ConsistencyCheck', sender);
  writer.u8(slot).put(survivors).space(SIGNATURE_BYTES);
  return writer.done();
}

export function encodeUnmasking(sender: number, slot: number, answers: readonly ShareAnswer[]): Uint8Array {
  const writer = begin(unmaskingBytes(answers.length), 'Unmasking', sender).u8(slot).u16(answers.length);
  for (const { member, kind, opening } of answers)
    writer.u16(member).u8(SHARE_KINDS.indexOf(kind)).put(opening);
  writer.space(SIGNATURE_BYTES);
  return writer.done();
}

/** The kind and sender of a message, before anything else is believed. */
export function peek(bytes: Uint8Array): { kind: MessageKind; sender: number } {
  const reader = new ByteReader(bytes);
  reader.expectU8(WIRE_VERSION, 'wire version');
  const code = reader.u8();
  const kind = (Object.keys(MESSAGE_KINDS) as MessageKind[]).find((name) => MESSAGE_KINDS[name] === code);
  if (kind === undefined) throw new MalformedMessage(`message kind ${code} is unknown`);
  return { kind, sender: reader.u16() };
}

function open(bytes: Uint8Array, kind: MessageKind): { reader: ByteReader; sender: number } {
  const reader = new ByteReader(bytes);
  reader.expectU8(WIRE_VERSION, 'wire version');
  reader.expectU8(MESSAGE_KINDS[kind], 'message kind');
  return { reader, sender: reader.u16() };
}

function close(reader: ByteReader): Signed {
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  return { body: reader.bytes.subarray(0, reader.bytes.length - SIGNATURE_BYTES), signature };
}

/** @param slots of the block: another number is malformed. */
export function decodeAdvertiseKeys(bytes: Uint8Array, slots: number): AdvertiseKeys {
  const { reader, sender } = open(bytes, 'AdvertiseKeys');
  reader.expectU8(slots, 'number of slots');
  // Copies, not views: a parsed key is cached by its array, and the caller may reuse the message's buffer.
  const encryptionKey = reader.take(KEY_BYTES).slice();
  const advertised: AdvertisedSlot[] = [];
  for (let i = 0; i < slots; i++)
    advertised.push({
      maskKey: reader.take(KEY_BYTES).slice(),
      seedCommitment: reader.take(KEY_BYTES).slice(),
    });
  return { sender, encryptionKey, slots: advertised, ...close(reader) };
}

export function decodeShareKeys(bytes: Uint8Array, slots: number): ShareKeys {
  const { reader, sender } = open(bytes, 'ShareKeys');
  const parts: DealtPart[] = [];
  const size = dealtPartBytes(slots);
  for (let left = reader.u16(); left > 0; left--) {
    const part = reader.take(size);
    parts.push({ recipient: part[0]! | (part[1]! << 8), bytes: part });
  }
  assertAscending(parts.map(({ recipient }) => recipient));
  return { sender, parts, ...close(reader) };
}

/** Only the header is looked at here: `packed` is a view, read once, when it is folded into the sum. */
export function decodeMaskedInput(bytes: Uint8Array, dimension: number, modulusBits: number): MaskedInput {
  const { reader, sender } = open(bytes, 'MaskedInput');
  const slot = reader.u16();
  const found = { modulusBits: reader.u16(), dimension: reader.u32() };
  if (found.dimension !== dimension || found.modulusBits !== modulusBits)
    throw new MalformedMessage(
      `${found.dimension} elements of ${found.modulusBits} bits, expected ${dimension} of ${modulusBits}`,
    );
  const packed = reader.take(packedBytes(dimension, modulusBits));
  return { sender, slot, ...found, packed, ...close(reader) };
}

export function decodeConsistencyCheck(bytes: Uint8Array): ConsistencyCheck {
  const { reader, sender } = open(bytes, 'ConsistencyCheck');
  const slot = reader.u8();
  const survivors = reader.take(DIGEST_BYTES);
  return { sender, slot, survivors, ...close(reader) };
}

export function decodeUnmasking(bytes: Uint8Array): Unmasking {
  const { reader, sender } = open(bytes, 'Unmasking');
  const slot = reader.u8();
  const answers: ShareAnswer[] = [];
  for (let left = reader.u16(); left > 0; left--) {
    const member = reader.u16();
    const kind = SHARE_KINDS[reader.u8()];
    if (kind === undefined) throw new MalformedMessage('share kind is unknown');
    const opening = reader.take(OPENING_BYTES);
    if (kind === 'none' && opening.some((byte) => byte !== 0))
      throw new MalformedMessage('an absent share must be zeros');
    answers.push({ member, kind, opening });
  }
  assertAscending(answers.map(({ member }) => member));
  return { sender, slot, answers, ...close(reader) };
}

/** Throws MalformedMessage. */
export function assertAscending(indices: readonly number[]): void {
  for (let i = 1; i < indices.length; i++)
    if (indices[i - 1]! >= indices[i]!) throw new MalformedMessage('roster indices must ascend, each once');
}
