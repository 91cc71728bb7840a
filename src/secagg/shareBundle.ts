import { PROTOCOL_VERSION } from './block.js';
import { assertAscending, dealtPartBytes } from './messages.js';
import type { DealtRoot } from './transcript.js';
import { ByteReader, ByteWriter, MalformedMessage } from './wire.js';

const ROOT_BYTES = 32;
/** Levels of a Merkle tree over up to 2^16 recipients. */
const MAX_PATH = 16;

/** One dealer's part as the coordinator relays it, with the way to the dealer's root. */
export interface RelayedPart {
  readonly dealer: number;
  readonly part: Uint8Array;
  /** RFC 9162, 2.1.3: the sibling hashes, lowest first. */
  readonly path: readonly Uint8Array[];
}

/** What the coordinator relays to a member when ShareKeys is over; nothing in it needs the coordinator's word. */
export interface ShareBundle {
  readonly recipient: number;
  /** Of U₁, ascending. */
  readonly roots: readonly DealtRoot[];
  /** By dealer, ascending. */
  readonly parts: readonly RelayedPart[];
}

/** The relay is not a member's message and has no kind byte of its own, only the version; it is not signed. */
export function encodeShareBundle({ recipient, roots, parts }: ShareBundle): Uint8Array {
  const size = parts.reduce((sum, { part, path }) => sum + 2 + part.length + 1 + 32 * path.length, 0);
  const writer = new ByteWriter(1 + 2 + 2 + roots.length * 34 + 2 + size)
    .u8(PROTOCOL_VERSION)
    .u16(recipient)
    .u16(roots.length);
  for (const { member, root } of roots) writer.u16(member).put(root);
  writer.u16(parts.length);
  for (const { dealer, part, path } of parts) {
    writer.u16(dealer).put(part).u8(path.length);
    for (const hash of path) writer.put(hash);
  }
  return writer.done();
}

export function decodeShareBundle(bytes: Uint8Array, slots: number): ShareBundle {
  const reader = new ByteReader(bytes);
  reader.expectU8(PROTOCOL_VERSION, 'wire version');
  const recipient = reader.u16();
  const roots: DealtRoot[] = [];
  for (let left = reader.u16(); left > 0; left--)
    roots.push({ member: reader.u16(), root: reader.take(ROOT_BYTES) });
  const parts: RelayedPart[] = [];
  const size = dealtPartBytes(slots);
  for (let left = reader.u16(); left > 0; left--) {
    const dealer = reader.u16();
    const part = reader.take(size);
    const path: Uint8Array[] = [];
    const levels = reader.u8();
    if (levels > MAX_PATH) throw new MalformedMessage(`a path of ${levels} levels, at most ${MAX_PATH}`);
    while (path.length < levels) path.push(reader.take(ROOT_BYTES));
    parts.push({ dealer, part, path });
  }
  reader.end();
  assertAscending(roots.map(({ member }) => member));
  assertAscending(parts.map(({ dealer }) => dealer));
  return { recipient, roots, parts };
}
