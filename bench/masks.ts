import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { createMaskThreads } from '../src/crypto/maskThreads.js';
import { type Agreement, inlineMaskWork, type MaskStream } from '../src/crypto/maskWork.js';
import { nodePrimitives } from '../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../src/crypto/primitives.js';
import { plainRingPiece, type RingPiece, wasmRingPiece } from '../src/crypto/ringPiece.js';
import { addPacked, packBits, packedBytes } from '../src/secagg/packing.js';

const WORDS = 64 * KEYSTREAM_PIECE_WORDS;
const MASKS = 16;
const RUNS = 15;

/**
 * Wall time a mask of a million words: the calling thread, worker threads, and the floors, all measured in turn in each
 * run, since a machine that others use is only fair to what runs in the same moment. `plain loop` is what a thread
 * does without WebAssembly's SIMD. Then the agreements, and the folding and packing of vectors, `plainPack` likewise
 * without WebAssembly.
 */
export async function* benchMasks(): AsyncIterable<object> {
  const masks = Array.from(
    { length: MASKS },
    (_, i): MaskStream => ({ key: randomBytes(32), sign: i % 2 ? 1 : -1 }),
  );
  const target = new Uint32Array(WORDS);
  const shared = new Uint32Array(new SharedArrayBuffer(4 * WORDS));
  const inline = inlineMaskWork(nodePrimitives);
  const two = createMaskThreads({ threads: 2 });
  const all = createMaskThreads();
  const plain = plainRingPiece();
  const simd = wasmRingPiece() ?? plain;
  yield* compare('mask', { words: WORDS, masks: MASKS, unit: 'ms a mask' }, MASKS, {
    inline: () => inline.addMasks(target, masks),
    twoThreads: () => two.addMasks(target, masks),
    twoThreadsShared: () => two.addMasks(shared, masks),
    [`${availableParallelism()} threads, shared`]: () => all.addMasks(shared, masks),
    loopBefore: () => addMasksBefore(target, masks),
    plainLoop: () => addWith(plain, target, masks),
    aesAlone: () => streams(masks, (stream) => stream.fill(plain.incoming)),
    addAlone: () => adds(simd),
    plainAddAlone: () => adds(plain),
  });
  const few = masks.slice(0, 2);
  const small = new Uint32Array(1000);
  yield* compare('mask, small', { words: small.length, masks: 2, unit: 'ms' }, 1, {
    inline: () => inline.addMasks(small, few),
    twoThreads: () => two.addMasks(small, few),
  });
  const privateKeys = Array.from({ length: 8 }, () => new Uint8Array(randomBytes(32)));
  const publicKeys = Array.from({ length: 64 }, () => nodePrimitives.x25519PublicKey(randomBytes(32)));
  const salt = randomBytes(32);
  const jobs = privateKeys.flatMap((privateKey, i) =>
    publicKeys.map((publicKey, j): Agreement => ({ privateKey, publicKey, salt, info: Uint8Array.of(i, j) })),
  );
  yield* compare('agreement', { jobs: jobs.length, unit: 'ms an agreement' }, jobs.length, {
    inline: () => inline.agree(jobs),
    twoThreads: () => two.agree(jobs),
  });
  for (const modulusBits of [32, 24, 20]) {
    const packed = packBits(target, modulusBits);
    const sum = new Uint32Array(WORDS);
    const room = new Uint8Array(packed.length);
    yield* compare(
      'fold',
      { words: WORDS, modulusBits, bytes: packedBytes(WORDS, modulusBits), unit: 'ms a vector' },
      1,
      {
        addPacked: () => addPacked(sum, packed, modulusBits),
        packBits: () => packBits(target, modulusBits, room),
        plainPack: () => packWith(plain, target, modulusBits, room),
      },
    );
  }
  await Promise.all([two.close(), all.close()]);
}

/** Medians over RUNS, the ways taken in turn. */
async function* compare(
  bench: string,
  what: object,
  units: number,
  ways: Readonly<Record<string, () => unknown>>,
): AsyncIterable<object> {
  const times = new Map(Object.keys(ways).map((way) => [way, [] as number[]]));
  for (let run = -2; run < RUNS; run++)
    for (const [way, act] of Object.entries(ways)) {
      const start = process.hrtime.bigint();
      await act();
      if (run >= 0) times.get(way)!.push(Number(process.hrtime.bigint() - start) / 1e6 / units);
    }
  const medians = [...times].map(([way, values]) => [way, round4(values.sort((a, b) => a - b)[RUNS >> 1]!)]);
  yield { bench, ...what, runs: RUNS, ...Object.fromEntries(medians) };
}

type Stream = ReturnType<typeof nodePrimitives.keystream>;

/** The streams of the masks alone, in the order in which masks are added. */
function streams(masks: readonly MaskStream[], each: (stream: Stream, words: number) => void): void {
  const open = masks.map(({ key }) => nodePrimitives.keystream(key));
  for (let from = 0; from < WORDS; from += KEYSTREAM_PIECE_WORDS)
    for (const stream of open) each(stream, KEYSTREAM_PIECE_WORDS);
}

/** The additions alone, of what lies in the piece. */
function adds(piece: RingPiece): void {
  for (let i = 0; i < (MASKS * WORDS) / KEYSTREAM_PIECE_WORDS; i++) piece.add(KEYSTREAM_PIECE_WORDS);
}

function addWith(piece: RingPiece, target: Uint32Array, masks: readonly MaskStream[]): void {
  const open = masks.map(({ key }) => nodePrimitives.keystream(key));
  for (let from = 0; from < WORDS; from += KEYSTREAM_PIECE_WORDS) {
    const part = target.subarray(from, from + KEYSTREAM_PIECE_WORDS);
    piece.sum.set(part);
    for (const stream of open) {
      stream.fill(piece.incoming);
      piece.add(KEYSTREAM_PIECE_WORDS);
    }
    part.set(piece.sum);
  }
}

function packWith(piece: RingPiece, elements: Uint32Array, modulusBits: number, into: Uint8Array): void {
  for (let from = 0; from < WORDS; from += KEYSTREAM_PIECE_WORDS) {
    piece.sum.set(elements.subarray(from, from + KEYSTREAM_PIECE_WORDS));
    piece.pack(KEYSTREAM_PIECE_WORDS, modulusBits);
    const packed = packedBytes(KEYSTREAM_PIECE_WORDS, modulusBits);
    into.set(piece.incoming.subarray(0, packed), (from * modulusBits) / 8);
  }
}

/** The straightforward loop over the cipher's own buffers, for comparison. */
function addMasksBefore(target: Uint32Array, masks: readonly MaskStream[]): void {
  let at = 0;
  streams(masks, (stream, words) => {
    const from = Math.floor(at++ / masks.length) * KEYSTREAM_PIECE_WORDS;
    const piece = new Int32Array(target.buffer, 4 * from, words);
    const next = stream.next(words);
    const mask = new Int32Array(next.buffer, next.byteOffset, words);
    for (let i = 0; i < words; i++) piece[i] = (piece[i]! + mask[i]!) | 0;
  });
}

const round4 = (value: number): number => Math.round(value * 10_000) / 10_000;
