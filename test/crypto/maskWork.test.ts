import type { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { createMaskThreads } from '../../src/crypto/maskThreads.js';
import { type Agreement, addMasks, inlineMaskWork, type MaskStream } from '../../src/crypto/maskWork.js';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../../src/crypto/primitives.js';
import { plainRingPiece, type RingPiece, wasmRingPiece } from '../../src/crypto/ringPiece.js';
import { seededRng } from '../../src/crypto/rng.js';
import { seedOf } from '../secagg/choir.js';

const PIECE = KEYSTREAM_PIECE_WORDS;
/** Masks × words above which threads really are used, whatever the vector's length. */
const THREADED = 2 ** 21;
/** Masks × words above which the calling thread has no part in it. */
const LEFT_TO_THREADS = 2 ** 26;

const vectorOf = (length: number): Uint32Array => Uint32Array.from({ length }, (_, i) => i * 2_654_435_761);
const masksOf = (count: number): MaskStream[] =>
  Array.from({ length: count }, (_, i) => ({ key: seedOf(`mask ${i}`), sign: i % 3 === 0 ? -1 : 1 }));
const same = (a: Uint32Array, b: Uint32Array): boolean =>
  a.length === b.length && a.every((word, i) => word === b[i]);
const code = (expected: string) => expect.objectContaining({ code: expected });

/** The definition, without pieces: one read of each whole stream by the portable implementation. */
function expectedSum(length: number, masks: readonly MaskStream[]): Uint32Array {
  const sum = vectorOf(length);
  for (const { key, sign } of masks) {
    const words = noblePrimitives.keystream(key).next(length);
    for (let i = 0; i < length; i++) sum[i] = sum[i]! + sign * words[i]!;
  }
  return sum;
}

function jobsOf(count: number): Agreement[] {
  const privateKeys = ['a', 'b', 'c'].map(seedOf);
  const publicKeys = ['d', 'e', 'f', 'g'].map((name) => nodePrimitives.x25519PublicKey(seedOf(name)));
  const salt = seedOf('transcript');
  return Array.from({ length: count }, (_, i) => ({
    privateKey: privateKeys[i % 3]!,
    publicKey: publicKeys[i % 4]!,
    salt,
    info: Uint8Array.of(i, i >> 8),
  }));
}

describe('a piece of ring elements', () => {
  it('WebAssembly is there, and adds, subtracts and unpacks exactly as the plain loops do', () => {
    const rng = seededRng(seedOf('pieces'));
    const wasm = wasmRingPiece();
    expect(wasm).toBeDefined();
    const run = (piece: RingPiece, act: (piece: RingPiece) => void, bytes: Uint8Array, words: number) => {
      piece.sum.set(vectorOf(PIECE));
      piece.incoming.set(bytes);
      act(piece);
      return piece.sum.slice(0, words);
    };
    for (const words of [0, 1, 3, 4, 7, 8, 9, PIECE - 1, PIECE]) {
      const bytes = rng(4 * PIECE);
      const acts: ((piece: RingPiece) => void)[] = [(p) => p.add(words), (p) => p.subtract(words)];
      for (let bits = 1; bits <= 32; bits++) acts.push((p) => p.addPacked(words, bits));
      for (const [i, act] of acts.entries()) {
        const plain = run(plainRingPiece(), act, bytes, words);
        expect(same(run(wasm!, act, bytes, words), plain), `act ${i}, ${words} words`).toBe(true);
        expect(same(plain, vectorOf(words))).toBe(words === 0);
      }
    }
  });

  it('WebAssembly packs exactly as the plain loop does, whatever lay in the piece, and zeros pad the last byte', () => {
    const rng = seededRng(seedOf('packed pieces'));
    const [plain, wasm] = [plainRingPiece(), wasmRingPiece()!];
    const lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 31, 32, 33, PIECE - 7, PIECE - 2, PIECE - 1, PIECE];
    const before = rng(4 * PIECE);
    const elements = new Uint32Array(rng(4 * PIECE).buffer);
    for (const words of lengths)
      for (let bits = 1; bits <= 32; bits++) {
        const bytes = Math.ceil((words * bits) / 8);
        const [expected, packed] = [plain, wasm].map((piece) => {
          piece.sum.set(elements);
          piece.incoming.set(before);
          piece.pack(words, bits);
          expect(same(piece.sum.subarray(0, words), elements.subarray(0, words))).toBe(true);
          return Buffer.from(piece.incoming.slice(0, bytes));
        });
        expect(expected!.equals(packed!), `${words} words of ${bits} bits`).toBe(true);
        // And the way back, for each by the other.
        const used = (words * bits) % 8;
        if (used > 0) expect(packed!.at(-1)! >>> used).toBe(0);
        const low = elements.subarray(0, words).map((x) => x & (2 ** bits - 1));
        for (const piece of [plain, wasm]) {
          piece.incoming.fill(0).set(packed!);
          piece.sum.fill(0);
          piece.addPacked(words, bits);
          expect(same(piece.sum.subarray(0, words), low), `${words} words of ${bits} bits`).toBe(true);
        }
      }
  });
});

describe.each([nodePrimitives, noblePrimitives])('masks on the calling thread, $name', (primitives) => {
  it('are the sum of the whole streams at every length around a piece', async () => {
    for (const length of [0, 1, 3, 4, 5, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7]) {
      const target = vectorOf(length);
      await inlineMaskWork(primitives).addMasks(target, masksOf(4));
      expect(same(target, expectedSum(length, masksOf(4))), String(length)).toBe(true);
    }
  });

  it('are entered in the middle: two parts are the whole; not inside a block', () => {
    const whole = expectedSum(PIECE + 9, masksOf(3));
    for (const at of [4, 8, PIECE - 4, PIECE, PIECE + 8]) {
      const target = vectorOf(whole.length);
      addMasks(primitives, target.subarray(0, at), masksOf(3));
      addMasks(primitives, target.subarray(at), masksOf(3), at);
      expect(same(target, whole), String(at)).toBe(true);
      // Positive control: the same part of the stream twice is another vector.
      const broken = vectorOf(whole.length);
      addMasks(primitives, broken.subarray(0, at), masksOf(3));
      addMasks(primitives, broken.subarray(at), masksOf(3), 0);
      expect(same(broken, whole), String(at)).toBe(false);
    }
    expect(() => addMasks(primitives, new Uint32Array(4), [], 2)).toThrow(RangeError);
  });

  it('are as many as one likes, and a key has 32 bytes', async () => {
    const target = vectorOf(5);
    addMasks(primitives, target, masksOf(600));
    expect(same(target, expectedSum(5, masksOf(600)))).toBe(true);
    const short: MaskStream = { key: new Uint8Array(31), sign: 1 };
    await expect(inlineMaskWork(primitives).addMasks(target, [short])).rejects.toThrow(code('InvalidKey'));
  });
});

describe('the keystream', () => {
  it.each([nodePrimitives, noblePrimitives])(
    '$name: fill gives the words of next, from any block',
    (primitives) => {
      const whole = noblePrimitives.keystream(seedOf('key')).next(64).slice();
      const bytes = new Uint8Array(whole.buffer);
      for (const block of [0, 1, 7]) {
        const stream = primitives.keystream(seedOf('key'), block);
        const [first, last] = [new Uint8Array(32), new Uint8Array(5)];
        stream.fill(first);
        stream.fill(last);
        expect([...first, ...last]).toEqual([...bytes.subarray(16 * block, 16 * block + 37)]);
        expect(() => stream.fill(last)).toThrow(RangeError);
      }
    },
  );
});

describe('mask threads', () => {
  const crews = [1, 2, 3, 4, 5].map((threads) => createMaskThreads({ threads }));
  afterAll(() => Promise.all(crews.map((crew) => crew.close())));

  it('give the calling thread’s sum, byte for byte, at lengths around their borders', async () => {
    for (const [i, crew] of crews.entries())
      for (const length of [4096, 4 * 4096 + 1, PIECE + 3, 2 * PIECE, 5 * PIECE - 1]) {
        const masks = masksOf(Math.ceil(THREADED / length));
        const expected = vectorOf(length);
        addMasks(nodePrimitives, expected, masks);
        const target = vectorOf(length);
        await crew.addMasks(target, masks);
        expect(same(target, expected), `${i + 1} threads, ${length} words`).toBe(true);
      }
  });

  it('and noble’s', async () => {
    const masks = masksOf(27);
    const length = 5 * PIECE + 1;
    expect(length * masks.length).toBeGreaterThanOrEqual(THREADED);
    const target = vectorOf(length);
    await crews[2]!.addMasks(target, masks);
    expect(same(target, expectedSum(length, masks))).toBe(true);
  });

  it('work in place on shared memory, also at an offset, and touch nothing beside it', async () => {
    const length = 2 * PIECE + 5;
    const masks = masksOf(Math.ceil(THREADED / length));
    const whole = new Uint32Array(new SharedArrayBuffer(4 * (length + 3))).fill(7);
    const target = whole.subarray(2, 2 + length);
    target.set(vectorOf(length));
    await crews[1]!.addMasks(target, masks);
    const expected = vectorOf(length);
    addMasks(nodePrimitives, expected, masks);
    expect(same(target, expected)).toBe(true);
    expect([whole[0], whole[1], whole[length + 2]]).toEqual([7, 7, 7]);
  });

  it('do small jobs at once, without a thread', async () => {
    const started: Worker[] = [];
    const note = (worker: Worker): void => void started.push(worker);
    process.on('worker', note);
    const crew = createMaskThreads({ threads: 2 });
    const target = vectorOf(1001);
    await crew.addMasks(target, masksOf(3));
    expect(same(target, expectedSum(1001, masksOf(3)))).toBe(true);
    expect(await crew.agree([])).toEqual([]);
    expect(started).toEqual([]);
    await crew.close();
    process.off('worker', note);
  });

  it('agree on the same keys, in order, few or many', async () => {
    const jobs = jobsOf(301);
    const expected = await inlineMaskWork(nodePrimitives).agree(jobs);
    expect(new Set(expected.map((key) => Buffer.from(key).toString('hex'))).size).toBe(301);
    expect(await inlineMaskWork(noblePrimitives).agree(jobs.slice(0, 13))).toEqual(expected.slice(0, 13));
    for (const crew of crews)
      for (const count of [1, 64, 65, 301])
        expect(await crew.agree(jobs.slice(0, count))).toEqual(expected.slice(0, count));
  });

  it('hazard S16: report a low-order point and a short key as the calling thread does, and go on', async () => {
    const jobs = jobsOf(100);
    const bad = (publicKey: Uint8Array): Agreement[] => jobs.with(77, { ...jobs[77]!, publicKey });
    await expect(crews[1]!.agree(bad(new Uint8Array(32)))).rejects.toThrow(code('LowOrderPoint'));
    await expect(crews[1]!.agree(bad(new Uint8Array(31)))).rejects.toThrow(code('InvalidKey'));
    const short: MaskStream = { key: new Uint8Array(31), sign: 1 };
    await expect(crews[1]!.addMasks(new Uint32Array(THREADED), [short])).rejects.toThrow(code('InvalidKey'));
    expect(await crews[1]!.agree(jobs)).toHaveLength(100);
  });

  it('do two jobs at once, and the event loop turns meanwhile', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const vectors = [vectorOf(20 * PIECE), vectorOf(20 * PIECE)];
    const jobs = [masksOf(220), masksOf(221)];
    expect(20 * PIECE * 220).toBeGreaterThanOrEqual(LEFT_TO_THREADS);
    const [, , keys] = await Promise.all([
      crews[1]!.addMasks(vectors[0]!, jobs[0]!),
      crews[1]!.addMasks(vectors[1]!, jobs[1]!),
      crews[1]!.agree(jobsOf(80)),
    ]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    for (const [i, masks] of jobs.entries()) {
      const expected = vectorOf(20 * PIECE);
      addMasks(nodePrimitives, expected, masks);
      expect(same(vectors[i]!, expected)).toBe(true);
    }
    expect(keys).toEqual(await inlineMaskWork(nodePrimitives).agree(jobsOf(80)));
  });

  it('a killed thread rejects its job, leaves the vector alone, and is replaced', async () => {
    const started: Worker[] = [];
    const note = (worker: Worker): void => void started.push(worker);
    process.on('worker', note);
    const crew = createMaskThreads({ threads: 2 });
    const target = vectorOf(20 * PIECE);
    const killed = crew.addMasks(target, masksOf(300));
    const refused = expect(killed).rejects.toThrow(/mask thread ended .*Ask again/);
    // The event comes on the next tick.
    await new Promise(setImmediate);
    expect(started).toHaveLength(2);
    await started[0]!.terminate();
    await refused;
    expect(same(target, vectorOf(20 * PIECE))).toBe(true);
    await crew.addMasks(target, masksOf(220));
    const expected = vectorOf(20 * PIECE);
    addMasks(nodePrimitives, expected, masksOf(220));
    expect(same(target, expected)).toBe(true);
    expect(started).toHaveLength(3);
    await crew.close();
    process.off('worker', note);
  });

  it('closing rejects what is under way, what waits and what comes later', async () => {
    const crew = createMaskThreads({ threads: 1 });
    const jobs = [crew.addMasks(vectorOf(20 * PIECE), masksOf(300)), crew.agree(jobsOf(90))];
    const refused = Promise.all(jobs.map((job) => expect(job).rejects.toThrow(/were closed/)));
    await crew.close();
    await refused;
    await expect(crew.addMasks(vectorOf(1), [])).rejects.toThrow(/were closed/);
    await expect(crew.agree([])).rejects.toThrow(/were closed/);
    await crew.close();
  });

  it('refuse a number of threads that is none', () => {
    for (const threads of [0, -1, 1.5, Number.NaN])
      expect(() => createMaskThreads({ threads })).toThrow(RangeError);
  });
});
