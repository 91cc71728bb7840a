import { isLE } from '@noble/ciphers/utils.js';
import { hexToBytes } from '@noble/hashes/utils.js';
import { littleEndianWords } from './littleEndian.js';
import { KEYSTREAM_PIECE_WORDS } from './primitives.js';

/**
 * A piece of a vector of ring elements, modulo 2^32, held while many others are added to it. One a thread: its
 * two arrays are overwritten by whoever uses it next.
 */
export interface RingPiece {
  /** KEYSTREAM_PIECE_WORDS words. Those behind the ones last named are of no value. */
  readonly sum: Uint32Array;
  /** What is to be added, little-endian: 4 · KEYSTREAM_PIECE_WORDS bytes. */
  readonly incoming: Uint8Array;
  /** sum[i] += word i of `incoming`, i < words. */
  add(words: number): void;
  /** sum[i] −= word i of `incoming`, i < words. */
  subtract(words: number): void;
  /** sum[i] += bits [i·b, (i+1)·b) of `incoming` as a little-endian bit string, i < words, b = bits ≤ 32. */
  addPacked(words: number, bits: number): void;
}

const PIECE_BYTES = 4 * KEYSTREAM_PIECE_WORDS;
/** Not a multiple of 4 KiB from `sum`: a load 4 KiB behind a pending store waits for it (a third slower). */
const INCOMING = PIECE_BYTES + 256;

/**
 * Four additions an instruction, ten times as fast as JavaScript's loop. The module's text:
 *
 * ```wat
 * (module
 *   (memory (export "memory") 3)
 *   (func (export "add") (param $to i32) (param $from i32) (param $end i32)
 *     (loop $next
 *       (v128.store (local.get $to) (i32x4.add (v128.load (local.get $to)) (v128.load (local.get $from))))
 *       (v128.store offset=16 (local.get $to)
 *         (i32x4.add (v128.load offset=16 (local.get $to)) (v128.load offset=16 (local.get $from))))
 *       (local.set $from (i32.add (local.get $from) (i32.const 32)))
 *       (br_if $next (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 32))) (local.get $end)))))
 *   (func (export "subtract") (param $to i32) (param $from i32) (param $end i32)
 *     (loop $next
 *       (v128.store (local.get $to) (i32x4.sub (v128.load (local.get $to)) (v128.load (local.get $from))))
 *       (v128.store offset=16 (local.get $to)
 *         (i32x4.sub (v128.load offset=16 (local.get $to)) (v128.load offset=16 (local.get $from))))
 *       (local.set $from (i32.add (local.get $from) (i32.const 32)))
 *       (br_if $next (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 32))) (local.get $end)))))
 *   (func (export "addPacked") (param $to i32) (param $from i32) (param $end i32) (param $bits i32)
 *     (local $mask i64) (local $bit i32)
 *     (local.set $mask (i64.sub (i64.shl (i64.const 1) (i64.extend_i32_u (local.get $bits))) (i64.const 1)))
 *     (loop $next
 *       (i32.store (local.get $to) (i32.add (i32.load (local.get $to))
 *         (i32.wrap_i64 (i64.and (local.get $mask) (i64.shr_u
 *           (i64.load align=1 (i32.add (local.get $from) (i32.shr_u (local.get $bit) (i32.const 3))))
 *           (i64.extend_i32_u (i32.and (local.get $bit) (i32.const 7))))))))
 *       (local.set $bit (i32.add (local.get $bit) (local.get $bits)))
 *       (br_if $next (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 4))) (local.get $end))))))
 * ```
 */
const MODULE =
  '0061736d01000000010e0260037f7f7f0060047f7f7f7f000304030000010503010003072704066d656d6f727902000361646400' +
  '000873756274726163740001096164645061636b656400020ad001034200034020002000fd0004002001fd000400fdae01fd0b04' +
  '0020002000fd0004102001fd000410fdae01fd0b0410200141206a2101200041206a22002002490d000b0b4200034020002000fd' +
  '0004002001fd000400fdb101fd0b040020002000fd0004102001fd000410fdb101fd0b0410200141206a2101200041206a220020' +
  '02490d000b0b4802017e017f42012003ad8642017d21040340200020002802002004200120054103766a2900002005410771ad88' +
  '83a76a360200200520036a2105200041046a22002002490d000b0b';

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  add(to: number, from: number, end: number): void;
  subtract(to: number, from: number, end: number): void;
  addPacked(to: number, from: number, end: number, bits: number): void;
}

/** The part of WebAssembly's JavaScript interface that is used here; TypeScript has it only beside the DOM. */
interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
}

/** Undefined where there is no WebAssembly with SIMD, where a page's policy forbids it, or on a big-endian host. */
export function wasmRingPiece(): RingPiece | undefined {
  const api = (globalThis as { readonly WebAssembly?: WebAssemblyApi }).WebAssembly;
  const bytes = hexToBytes(MODULE);
  if (!isLE || api === undefined || !api.validate(bytes)) return undefined;
  let wasm: Exports;
  try {
    wasm = new api.Instance(new api.Module(bytes)).exports as Exports;
  } catch {
    // A Content-Security-Policy without 'wasm-unsafe-eval'.
    return undefined;
  }
  return {
    sum: new Uint32Array(wasm.memory.buffer, 0, KEYSTREAM_PIECE_WORDS),
    incoming: new Uint8Array(wasm.memory.buffer, INCOMING, PIECE_BYTES),
    // The loops look at their condition after a step.
    add: (words) => words > 0 && wasm.add(0, INCOMING, 4 * words),
    subtract: (words) => words > 0 && wasm.subtract(0, INCOMING, 4 * words),
    addPacked: (words, bits) => words > 0 && wasm.addPacked(0, INCOMING, 4 * words, bits),
  };
}

/** The reference, and what runs where WebAssembly does not. */
export function plainRingPiece(): RingPiece {
  const sum = new Uint32Array(KEYSTREAM_PIECE_WORDS);
  const incoming = new Uint8Array(PIECE_BYTES);
  // Signed views: the sum of two int32 stays in integer registers, modulo 2^32 all the same.
  const to = new Int32Array(sum.buffer);
  const words = (bytes: number): Uint32Array => littleEndianWords(incoming.subarray(0, bytes));
  return {
    sum,
    incoming,
    add(count) {
      const from = words(4 * count);
      for (let i = 0; i < count; i++) to[i] = (to[i]! + from[i]!) | 0;
    },
    subtract(count) {
      const from = words(4 * count);
      for (let i = 0; i < count; i++) to[i] = (to[i]! - from[i]!) | 0;
    },
    addPacked(count, bits) {
      const from = words(PIECE_BYTES);
      const mask = bits === 32 ? -1 : (1 << bits) - 1;
      for (let i = 0, at = 0, shift = 0; i < count; i++) {
        let element = from[at]! >>> shift;
        const taken = 32 - shift;
        if (taken < bits) element |= from[at + 1]! << taken;
        shift += bits;
        if (shift >= 32) {
          shift -= 32;
          at++;
        }
        to[i] = (to[i]! + (element & mask)) | 0;
      }
    },
  };
}

let own: RingPiece | undefined;

/** This thread's piece, the fastest that there is. */
export function ringPiece(): RingPiece {
  own ??= wasmRingPiece() ?? plainRingPiece();
  return own;
}

/** So that no mask and no vector outlives its use. */
export function wipe(piece: RingPiece, words: number): void {
  piece.sum.fill(0, 0, words);
  piece.incoming.fill(0, 0, 4 * words);
}
