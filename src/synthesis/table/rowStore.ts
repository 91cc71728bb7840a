import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Up to this many bytes of rows stay in memory; a longer table goes to an anonymous spill file. */
export const MEMORY_LIMIT_BYTES = 64 * 1024 * 1024;

const CHUNK_BYTES = 1024 * 1024;

/** An append-only store of rows of one width. */
export interface RowStore {
  readonly count: number;
  /** Copies the row. Call `seal` after the last one. */
  append(row: Uint8Array): void | Promise<void>;
  seal(): Promise<void>;
  /** The bytes of rows start … start + count − 1. */
  read(start: number, count: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Rows in memory below `memoryLimitBytes`, above it in a file that has no name: it is unlinked as soon as it is open, so
 * the system frees it with the process, however that ends, and nobody else can open it.
 */
export function createRowStore(
  rowBytes: number,
  memoryLimitBytes = MEMORY_LIMIT_BYTES,
  folder: string = tmpdir(),
): RowStore {
  const rowsPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
  const chunkBytes = rowsPerChunk * rowBytes;
  let chunks: Uint8Array[] = [];
  let current = new Uint8Array(chunkBytes);
  let used = 0;
  let count = 0;
  let file: FileHandle | undefined;
  let written = 0;

  const flush = async (): Promise<void> => {
    if (used === 0) return;
    chunks.push(current.slice(0, used));
    used = 0;
    if (file === undefined && chunks.length * chunkBytes > memoryLimitBytes)
      file = await openAnonymous(folder);
    if (file === undefined) return;
    for (const chunk of chunks) written = await writeFully(file, chunk, written);
    chunks = [];
  };

  return {
    get count() {
      return count;
    },
    append(row) {
      current.set(row, used);
      used += rowBytes;
      count += 1;
      return used === chunkBytes ? flush() : undefined;
    },
    async seal() {
      await flush();
      current = new Uint8Array(0);
    },
    async read(start, length) {
      const out = new Uint8Array(length * rowBytes);
      if (file !== undefined) {
        await readFully(file, out, start * rowBytes);
        return out;
      }
      for (let row = start; row < start + length; ) {
        const chunk = chunks[Math.floor(row / rowsPerChunk)] as Uint8Array;
        const first = row % rowsPerChunk;
        const rows = Math.min(rowsPerChunk - first, start + length - row);
        out.set(chunk.subarray(first * rowBytes, (first + rows) * rowBytes), (row - start) * rowBytes);
        row += rows;
      }
      return out;
    },
    async close() {
      chunks = [];
      await file?.close();
      file = undefined;
    },
  };
}

async function openAnonymous(folder: string): Promise<FileHandle> {
  const path = join(folder, `chorale-${randomUUID()}.rows`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  return position + bytes.length;
}

async function readFully(file: FileHandle, out: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < out.length; ) {
    const { bytesRead } = await file.read(out, done, out.length - done, position + done);
    if (bytesRead === 0) throw new Error('the spill file is shorter than what was written to it');
    done += bytesRead;
  }
}
