import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '../../src/store/directoryLock.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'chorale-lock-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const lockOf = (directory: string) => join(directory, 'coordinator.lock');

test('a folder is created for its owner only, locked once, and free again after the release', () => {
  const directory = join(root, 'data');
  const release = lockDirectory(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(lockOf(directory)).mode & 0o777).toBe(0o600);
  expect(() => lockDirectory(directory)).toThrow(
    expect.objectContaining({ code: 'DirectoryLocked', details: { pid: process.pid } }),
  );
  release();
  expect(readdirSync(directory)).toEqual([]);
  lockDirectory(directory)();
});

test('a lock of a dead process is taken over', () => {
  // Beyond the largest pid of any kernel.
  writeFileSync(lockOf(root), JSON.stringify({ host: hostname(), pid: 2 ** 30, started: '' }));
  lockDirectory(root)();
});

test('a lock with this pid, but of an earlier process, is taken over: in a container every coordinator is pid 1', () => {
  const release = lockDirectory(root);
  const mine = JSON.parse(readFileSync(lockOf(root), 'utf8'));
  release();
  writeFileSync(
    lockOf(root),
    JSON.stringify({ ...mine, started: mine.started === '' ? '' : 'an earlier boot/1' }),
  );
  lockDirectory(root)();
});

test('a lock of another host is respected, and the message says which file to delete', () => {
  writeFileSync(lockOf(root), JSON.stringify({ host: 'elsewhere', pid: 1, started: '' }));
  expect(() => lockDirectory(root)).toThrow(/process 1 on elsewhere.*delete .*coordinator\.lock/);
});

test('half a lock, left by a power cut, is taken over', () => {
  writeFileSync(lockOf(root), '{"ho');
  lockDirectory(root)();
});
