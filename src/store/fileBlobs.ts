import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Blobs } from '../federation/ports.js';
import { StoreError } from './errors.js';

/**
 * Blobs as files under `directory`, named by the SHA-256 of their bytes: ab/cd/abcd….
 *
 * A file appears whole, by a rename, so a crash leaves at most a `.part` file. It survives the kill of the process,
 * not the power cut of the machine: what is read back is checked against its name, and a torn file counts as
 * corrupt. Folders are 0700, files 0600.
 */
export async function openFileBlobs(directory: string): Promise<Blobs> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const pathOf = (digest: string): string => {
    // Digests come from the wire: nothing but a digest may become part of a path.
    if (!/^[0-9a-f]{64}$/.test(digest)) {
      throw new StoreError(
        'BlobNameInvalid',
        'a blob is named by the 64 lower-case hex digits of its SHA-256',
      );
    }
    return join(directory, digest.slice(0, 2), digest.slice(2, 4), digest);
  };

  return {
    async put(bytes) {
      const digest = sha256(bytes);
      const path = pathOf(digest);
      // The length alone tells a torn file here; get() checks the bytes.
      if ((await sizeOf(path)) === bytes.length) return digest;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const part = `${path}.${randomUUID()}.part`;
      try {
        const file = await open(part, 'wx', 0o600);
        try {
          await file.writeFile(bytes);
        } finally {
          await file.close();
        }
        await rename(part, path);
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
      return digest;
    },

    async get(digest) {
      const path = pathOf(digest);
      const bytes = await unlessMissing(readFile(path));
      if (bytes !== undefined && sha256(bytes) !== digest) {
        throw new StoreError(
          'BlobCorrupt',
          `the bytes in ${path} do not have the digest that names them: restore the file, or delete it and let it be sent again`,
          { digest },
        );
      }
      // A plain array: a Buffer's slice() is a view of its pool, and callers expect a copy.
      return bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },

    async delete(digest) {
      await rm(pathOf(digest), { force: true });
    },
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await unlessMissing(stat(path)))?.size;
}

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
