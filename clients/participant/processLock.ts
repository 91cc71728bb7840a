import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * A lock file that names its holder, since Node has no flock. A killed holder is recognised by its pid and, since pids come back
 * (in a container a participant is always the same one), by its start time where the system tells it. The coordinator's
 * data folder is locked in the same way (src/store/directoryLock.ts), in a room that this one must not know.
 */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** Boot id and start time in clock ticks (Linux); empty elsewhere. */
  readonly started: string;
}

const held = new Set<string>();

/** The release; or, where another process or this one holds the lock, who it is. */
export function lockFile(path: string): (() => void) | { readonly pid: number; readonly host: string } {
  const mine: Holder = { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? '' };
  // link() makes name and content appear at once, and fails where the name is taken.
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    for (;;) {
      if (linked(draft, path)) {
        held.add(path);
        return () => {
          if (held.delete(path)) rmSync(path, { force: true });
        };
      }
      const text = read(path);
      if (text === undefined) continue;
      const holder = holderIn(text);
      if (holder !== undefined && isAlive(holder, path, mine.host)) return holder;
      removeStale(path, text);
    }
  } finally {
    rmSync(draft, { force: true });
  }
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

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined for half a lock, which only a power cut leaves: its writer is gone. */
function holderIn(text: string): Holder | undefined {
  try {
    const { host, pid, started } = JSON.parse(text) as Partial<Holder>;
    return typeof host === 'string' && Number.isInteger(pid) && typeof started === 'string'
      ? { host, pid: pid as number, started }
      : undefined;
  } catch {
    return undefined;
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

function isAlive({ host, pid, started }: Holder, path: string, here: string): boolean {
  // The pids of another host, or of another container on a shared volume, cannot be looked up from here.
  if (host !== here) return true;
  const now = startOf(pid);
  if (now !== undefined && started !== '') return now === started;
  if (pid === process.pid) return held.has(path);
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Boot id and start time (proc(5), fields 3 and 22 of stat), which tell this use of a pid from the next; a zombie holds no file. */
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
