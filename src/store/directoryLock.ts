import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StoreError } from './errors.js';

/**
 * One coordinator a data folder: PGlite has no lock of its own, and two writers destroy the database. Node has no
 * flock, so the lock is a file that names its holder; a holder that was killed is recognised as dead by its pid,
 * and, since pids come back (in a container it is always 1), by its start time where the system tells it.
 */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** Boot id and start time in clock ticks (Linux); empty elsewhere. */
  readonly started: string;
}

const held = new Set<string>();

/**
 * Locks `directory` for this process; returns the release. Creates the folder, readable by its owner only.
 * Throws StoreError 'DirectoryLocked' while another process, or this one, holds it.
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'coordinator.lock');
  const mine: Holder = { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? '' };
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    // link() makes name and content appear at once, and fails where the name is taken.
    for (let attempt = 0; !linked(draft, path); attempt++) {
      const found = read(path);
      if (found !== undefined && (attempt === 5 || isAlive(found.holder, path, mine.host))) {
        throw refusal(directory, path, found.holder, mine.host);
      }
      if (found !== undefined) removeStale(path, found.text);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  held.add(path);
  return () => {
    if (held.delete(path)) rmSync(path, { force: true });
  };
}

function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(path: string): { readonly text: string; readonly holder: Holder | undefined } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return { text, holder: JSON.parse(text) as Holder };
  } catch {
    // Only a power cut leaves half a lock: its writer is gone.
    return { text, holder: undefined };
  }
}

/** Takes the stale lock away, unless another process has put its own there since it was judged. */
function removeStale(path: string, judged: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== judged) linked(aside, path);
  rmSync(aside);
}

function isAlive(holder: Holder | undefined, path: string, host: string): boolean {
  if (holder === undefined) return false;
  // The pids of another host, or of another container on a shared volume, cannot be looked up from here.
  if (holder.host !== host) return true;
  const started = startOf(holder.pid);
  if (started !== undefined && holder.started !== '') return started === holder.started;
  if (holder.pid === process.pid) return held.has(path);
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * What tells this use of a pid from the next: boot id and start time (proc(5), fields 3 and 22 of stat). A zombie has
 * neither: it was killed, holds no file, and may wait for ever to be reaped in a container without an init. Undefined
 * where the system has no /proc, or no such process.
 */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the command's name, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function refusal(directory: string, path: string, holder: Holder | undefined, host: string): StoreError {
  const pid = holder?.pid ?? 0;
  const who = holder?.host === host ? `process ${pid}` : `process ${pid} on ${holder?.host}`;
  const remedy =
    holder?.host === host
      ? 'stop it first, or give this coordinator another data folder'
      : `stop it first; if it is gone for good, delete ${path}`;
  return new StoreError('DirectoryLocked', `the data folder ${directory} is in use by ${who}: ${remedy}`, {
    pid,
  });
}
