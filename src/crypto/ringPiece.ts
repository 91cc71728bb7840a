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
  /** What is to be added, or what was packed, little-endian: 4 · KEYSTREAM_PIECE_WORDS bytes. */
  readonly incoming: Uint8Array;
  /** sum[i] += word i of `incoming`, i < words. */
  add(words: number): void;
  /** sum[i] −= word i of `incoming`, i < words. */
  subtract(words: number): void;
  /** sum[i] += bits [i·b, (i+1)·b) of `incoming` as a little-endian bit string, i < words, b = bits ≤ 32. */
  addPacked(words: number, bits: number): void;
  /**
   * Bits [i·b, (i+1)·b) of `incoming` as a little-endian bit string = the low b bits of sum[i], i < words, b = bits
   * ≤ 32; the last byte is padded with zeros. The bytes behind it are of no value.
   */
  pack(words: number, bits: number): void;
}

const PIECE_BYTES = 4 * KEYSTREAM_PIECE_WORDS;
/** Not a multiple of 4 KiB from `sum`: a load 4 KiB behind a pending store waits for it (a third slower). */
const INCOMING = PIECE_BYTES + 256;

/**
 * Four additions an instruction, ten times as fast as JavaScript's loop; two elements a step when packing. The
 * module's text:
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
 *       (br_if $next (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 4))) (local.get $end)))))
 *   (func (export "pack") (param $to i32) (param $from i32) (param $end i32) (param $bits i32)
 *     (local $width i64) (local $low i64) (local $high i64) (local $pair i64) (local $word i64) (local $filled i64)
 *     (local.set $width (i64.extend_i32_u (local.get $bits)))
 *     (local.set $low (i64.sub (i64.shl (i64.const 1) (local.get $width)) (i64.const 1)))
 *     (local.set $high (i64.shl (local.get $low) (local.get $width)))
 *     (loop $next
 *       (local.set $pair (i64.load (local.get $from)))
 *       (local.set $pair (i64.or
 *         (i64.and (local.get $pair) (local.get $low))
 *         (i64.and (i64.shr_u (local.get $pair) (i64.sub (i64.const 32) (local.get $width))) (local.get $high))))
 *       (local.set $word (i64.or (local.get $word) (i64.shl (local.get $pair) (local.get $filled))))
 *       (local.set $filled (i64.add (local.get $filled) (i64.shl (local.get $width) (i64.const 1))))
 *       (if (i64.ge_u (local.get $filled) (i64.const 64)) (then
 *         (i64.store (local.get $to) (local.get $word))
 *         (local.set $to (i32.add (local.get $to) (i32.const 8)))
 *         (local.set $filled (i64.sub (local.get $filled) (i64.const 64)))
 *         ;; By 2b − filled in two steps: that is 64 where b = 32, and a shift by 64 would be one by 0.
 *         (local.set $word (i64.shr_u (i64.shr_u (local.get $pair) (i64.const 1))
 *           (i64.sub (i64.sub (i64.shl (local.get $width) (i64.const 1)) (i64.const 1)) (local.get $filled))))))
 *       (br_if $next (i32.lt_u (local.tee $from (i32.add (local.get $from) (i32.const 8))) (local.get $end))))
 *     (i64.store (local.get $to) (local.get $word))))
 * ```
 */
const MODULE =
  '0061736d01000000010e0260037f7f7f0060047f7f7f7f00030504000001010503010003072e05066d656d6f7279020003616464' +
  '00000873756274726163740001096164645061636b65640002047061636b00030ae202044200034020002000fd0004002001fd00' +
  '0400fdae01fd0b040020002000fd0004102001fd000410fdae01fd0b0410200141206a2101200041206a22002002490d000b0b42' +
  '00034020002000fd0004002001fd000400fdb101fd0b040020002000fd0004102001fd000410fdb101fd0b0410200141206a2101' +
  '200041206a22002002490d000b0b4802017e017f42012003ad8642017d21040340200020002802002004200120054103766a2900' +
  '002005410771ad8883a76a360200200520036a2105200041046a22002002490d000b0b900101067e2003ad210442012004864201' +
  '7d21052005200486210603402001290300210720072005832007422020047d882006838421072008200720098684210820092004' +
  '4201867c2109200942c0005a044020002008370300200041086a2100200942c0007d21092007420188200442018642017d20097d' +
  '8821080b200141086a22012002490d000b200020083703000b';

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  add(to: number, from: number, end: number): void;
  subtract(to: number, from: number, end: number): void;
  addPacked(to: number, from: number, end: number, bits: number): void;
  pack(to: number, from: number, end: number, bits: number): void;
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
  const sum = new Uint32Array(wasm.memory.buffer, 0, KEYSTREAM_PIECE_WORDS);
  return {
    sum,
    incoming: new Uint8Array(wasm.memory.buffer, INCOMING, PIECE_BYTES),
    // The loops look at their condition after a step.
    add: (words) => words > 0 && wasm.add(0, INCOMING, 4 * words),
    subtract: (words) => words > 0 && wasm.subtract(0, INCOMING, 4 * words),
    addPacked: (words, bits) => words > 0 && wasm.addPacked(0, INCOMING, 4 * words, bits),
    pack(words, bits) {
      if (words === 0) return;
      // The step takes two; a partner that is 0 leaves the padding 0. The last store ends with zeros behind the last
      // element, at worst 8 bytes behind `incoming`, where the memory has room.
      if (words % 2 === 1) sum[words] = 0;
      wasm.pack(INCOMING, 0, 4 * words, bits);
    },
  };
}

/** The reference, and what runs where WebAssembly does not. */
export function plainRingPiece(): RingPiece {
  const sum = new Uint32Array(KEYSTREAM_PIECE_WORDS);
  const incoming = new Uint8Array(PIECE_BYTES);
  // Signed views: the sum of two int32 stays in integer registers, modulo 2^32 all the same.
  const to = new Int32Array(sum.buffer);
  const packed = new DataView(incoming.buffer);
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
    pack(count, bits) {
      const mask = bits === 32 ? -1 : (1 << bits) - 1;
      let pending = 0;
      let filled = 0;
      let at = 0;
      for (let i = 0; i < count; i++) {
        const element = to[i]! & mask;
        pending |= element << filled;
        filled += bits;
        if (filled >= 32) {
          packed.setInt32(at, pending, true);
          at += 4;
          filled -= 32;
          // A shift by 32 would be a shift by 0: nothing of the element is left over when the word was just full.
          pending = filled === 0 ? 0 : element >>> (bits - filled);
        }
      }
      if (filled > 0) packed.setInt32(at, pending, true);
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
