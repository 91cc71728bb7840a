import type { TableSchema } from './schema.js';

/**
 * A record as bytes of fixed width, little endian: two bytes for a category's index (0xffff: missing), eight for a
 * float64 (NaN: missing). Full resolution is kept, so every synthesizer can choose its own bins over the same store.
 */
export interface RecordLayout {
  readonly bytes: number;
  /** Byte offset of each field, in schema order. */
  readonly offsets: readonly number[];
}

export const MISSING_CATEGORY = 0xffff;

export function recordLayout(schema: TableSchema): RecordLayout {
  let bytes = 0;
  const offsets = schema.fields.map((field) => {
    const offset = bytes;
    bytes += field.domain === 'categories' ? 2 : 8;
    return offset;
  });
  return { bytes, offsets };
}
