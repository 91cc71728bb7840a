import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFileBlobs } from '../../src/store/index.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'chorale-blobs-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const song = new TextEncoder().encode('song');
const digest = createHash('sha256').update(song).digest('hex');
const path = () => join(root, digest.slice(0, 2), digest.slice(2, 4), digest);

test('a blob is named by its SHA-256, read back, put again for nothing, deleted', async () => {
  const blobs = await openFileBlobs(root);
  expect(await blobs.put(song)).toBe(digest);
  expect(await blobs.put(song)).toBe(digest);
  expect(new Uint8Array((await blobs.get(digest))!)).toEqual(song);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  expect(statSync(join(root, digest.slice(0, 2))).mode & 0o777).toBe(0o700);
  await blobs.delete(digest);
  await blobs.delete(digest);
  expect(await blobs.get(digest)).toBeUndefined();
  expect(await blobs.put(new Uint8Array())).toMatch(/^e3b0c442/);
});

test('writers of the same blob at once do not disturb each other or leave anything behind', async () => {
  const blobs = await openFileBlobs(root);
  const big = new Uint8Array(1 << 20).fill(7);
  const names = await Promise.all(Array.from({ length: 10 }, () => blobs.put(big)));
  expect(new Set(names).size).toBe(1);
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(root, name)).isFile(),
  );
  expect(files).toHaveLength(1);
});

test('hazard V14: a torn or changed file is never given out; a torn one is mended by the next put', async () => {
  const blobs = await openFileBlobs(root);
  await blobs.put(song);
  writeFileSync(path(), song.slice(0, 2));
  await expect(blobs.get(digest)).rejects.toMatchObject({ name: 'StoreError', code: 'BlobCorrupt' });
  await blobs.put(song);
  expect(await blobs.get(digest)).toHaveLength(4);
  writeFileSync(path(), 'sing');
  await expect(blobs.get(digest)).rejects.toMatchObject({ code: 'BlobCorrupt' });
});

test.each(['../../etc/passwd', digest.toUpperCase(), digest.slice(1), `${digest}0`, `${digest}\n`, ''])(
  'a name that is not a digest is refused: %j',
  async (name) => {
    const blobs = await openFileBlobs(root);
    await expect(blobs.get(name)).rejects.toMatchObject({ code: 'BlobNameInvalid' });
    await expect(blobs.delete(name)).rejects.toMatchObject({ code: 'BlobNameInvalid' });
  },
);
