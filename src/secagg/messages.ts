import { packedBytes } from './packing.js';
import { SCALAR_BYTES } from './shamir.js';
import { MESSAGE_KINDS, type MessageKind, SIGNATURE_BYTES, type Signed } from './signing.js';
import { ByteReader, ByteWriter, MalformedMessage } from './wire.js';

/**
 * The wire form of the five messages: version, kind, sender (roster index), body, Ed25519 signature. Each has one
 * encoding, its size follows from public numbers alone (S26), and a decoder reads to the last byte or throws
 * MalformedMessage. Encoders leave the last 64 bytes for the signature.
 */
const WIRE_VERSION = 1;
const HEADER_BYTES = 1 + 1 + 2;
const KEY_BYTES = 32;
const GCM_BYTES = 12 + 16;
const ANSWER_BYTES = 2 + 1 + SCALAR_BYTES;

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

export interface SealedFor {
  readonly recipient: number;
  readonly sealed: Uint8Array;
}

export interface ShareKeys extends Signed {
  readonly sender: number;
  readonly shares: readonly SealedFor[];
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
  /** U₂, ascending. */
  readonly survivors: readonly number[];
}

export type ShareKind = 'none' | 'seed' | 'mask';
/** 'none': the share never arrived; it blames nobody. */
const SHARE_KINDS: readonly ShareKind[] = ['none', 'seed', 'mask'];

export interface ShareAnswer {
  readonly member: number;
  readonly kind: ShareKind;
  /** 32 bytes; zeros for 'none', so that the size says nothing. */
  readonly share: Uint8Array;
}

export interface Unmasking extends Signed {
  readonly sender: number;
  readonly slot: number;
  readonly answers: readonly ShareAnswer[];
}

export const advertBytes = (slots: number): number =>
  HEADER_BYTES + 1 + KEY_BYTES + slots * 2 * KEY_BYTES + SIGNATURE_BYTES;

/** What is sealed for one recipient: nonce, two shares a slot, tag. */
export const sealedSharesBytes = (slots: number): number => GCM_BYTES + slots * 2 * SCALAR_BYTES;

export const shareKeysBytes = (slots: number, recipients: number): number =>
  HEADER_BYTES + 2 + recipients * (2 + sealedSharesBytes(slots)) + SIGNATURE_BYTES;

/** 12 bytes, so that the words behind them are aligned and are folded without a copy. */
const MASKED_HEADER_BYTES = HEADER_BYTES + 2 + 2 + 4;

/** The exact size of a MaskedInput: an upload of another length is refused before it is read. */
export const maskedInputBytes = (dimension: number, modulusBits: number): number =>
  MASKED_HEADER_BYTES + packedBytes(dimension, modulusBits) + SIGNATURE_BYTES;

export const consistencyCheckBytes = (survivors: number): number =>
  HEADER_BYTES + 1 + 2 + 2 * survivors + SIGNATURE_BYTES;

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

export function encodeShareKeys(sender: number, slots: number, shares: readonly SealedFor[]): Uint8Array {
  const writer = begin(shareKeysBytes(slots, shares.length), 'ShareKeys', sender).u16(shares.length);
  for (const { recipient, sealed } of shares) writer.u16(recipient).put(sealed);
  writer.space(SIGNATURE_BYTES);
  return writer.done();
}

export function encodeMaskedInput(
  sender: number,
  slot: number,
  dimension: number,
  modulusBits: number,
  packed: Uint8Array,
): Uint8Array {
  const writer = begin(maskedInputBytes(dimension, modulusBits), 'MaskedInput', sender);
  writer.u16(slot).u16(modulusBits).u32(dimension).put(packed).space(SIGNATURE_BYTES);
  return writer.done();
}

export function encodeConsistencyCheck(
  sender: number,
  slot: number,
  survivors: readonly number[],
): Uint8Array {
  const writer = begin(consistencyCheckBytes(survivors.length), 'ConsistencyCheck', sender);
  writer.u8(slot).u16(survivors.length);
  for (const survivor of survivors) writer.u16(survivor);
  writer.space(SIGNATURE_BYTES);
  return writer.done();
}

export function encodeUnmasking(sender: number, slot: number, answers: readonly ShareAnswer[]): Uint8Array {
  const writer = begin(unmaskingBytes(answers.length), 'Unmasking', sender).u8(slot).u16(answers.length);
  for (const { member, kind, share } of answers) writer.u16(member).u8(SHARE_KINDS.indexOf(kind)).put(share);
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
  const shares: SealedFor[] = [];
  const size = sealedSharesBytes(slots);
  for (let left = reader.u16(); left > 0; left--)
    shares.push({ recipient: reader.u16(), sealed: reader.take(size) });
  assertAscending(shares.map(({ recipient }) => recipient));
  return { sender, shares, ...close(reader) };
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
  const survivors: number[] = [];
  for (let left = reader.u16(); left > 0; left--) survivors.push(reader.u16());
  assertAscending(survivors);
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
    const share = reader.take(SCALAR_BYTES).slice();
    if (kind === 'none' && share.some((byte) => byte !== 0))
      throw new MalformedMessage('an absent share must be zeros');
    answers.push({ member, kind, share });
  }
  assertAscending(answers.map(({ member }) => member));
  return { sender, slot, answers, ...close(reader) };
}

function assertAscending(indices: readonly number[]): void {
  for (let i = 1; i < indices.length; i++)
    if (indices[i - 1]! >= indices[i]!) throw new MalformedMessage('roster indices must ascend, each once');
}
