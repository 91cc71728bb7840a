import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CliError, EXIT } from '../exits.js';

/**
 * A round allocates some megabytes of short-lived vectors in each process. With V8's small default nursery they are promoted and
 * marked again and again: measured with nine processes on two cores, a larger one takes a quarter of the processor time away.
 */
const V8_FLAGS = ['--min-semi-space-size=32', '--max-semi-space-size=64'];

/** A line that `chorale --json` printed. */
export type Line = Readonly<Record<string, unknown>> & { readonly event?: string };

export interface LongRunning {
  readonly name: string;
  readonly pid: number;
  /** The first line with this event; rejects if the process ends before. */
  line(event: string): Promise<Line>;
  onLine(listener: (line: Line) => void): void;
  /** SIGKILL: it gets no chance to say goodbye. */
  kill(): void;
  readonly ended: Promise<number | null>;
}

export interface Processes {
  /** A command that runs to its end; gives its JSON lines. Throws CliError with its own message if it fails. */
  run(name: string, args: readonly string[]): Promise<readonly Line[]>;
  start(name: string, args: readonly string[]): LongRunning;
  /** Ends everything that was started: SIGTERM, after three seconds SIGKILL. */
  endAll(): Promise<void>;
}

/** The demo's processes: the same `chorale` commands that a deployment uses. They end with us, even if we are killed. */
export function createProcesses(logDir: string): Processes {
  mkdirSync(logDir, { recursive: true });
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  const living = new Set<{ readonly child: ChildProcess; readonly ended: Promise<number | null> }>();

  function launch(name: string, args: readonly string[]) {
    const child = spawn(process.execPath, [...V8_FLAGS, main, '--json', ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, CHORALE_ENDS_WITH_STDIN: '1' },
    });
    const log = createWriteStream(join(logDir, `${name}.log`), { flags: 'a' });
    child.stderr.pipe(log);
    // A killed child's pipe breaks; that is no news.
    child.stdin.on('error', () => {});
    const listeners = new Set<(line: Line) => void>();
    createInterface({ input: child.stdout }).on('line', (text) => {
      log.write(`${text}\n`);
      const line = parseLine(text);
      if (line !== undefined) for (const listener of [...listeners]) listener(line);
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('close', (code) => resolve(code));
      child.on('error', reject);
    });
    const entry = { child, ended };
    living.add(entry);
    void ended.finally(() => living.delete(entry)).catch(() => {});
    return { child, listeners, ended };
  }

  return {
    async run(name, args) {
      const { listeners, ended } = launch(name, args);
      const lines: Line[] = [];
      listeners.add((line) => lines.push(line));
      const code = await ended;
      if (code !== 0) {
        const failure = lines.find((line) => line.event === 'error');
        throw new CliError(
          `"chorale ${args.slice(0, 2).join(' ')}" failed: ${failure?.message ?? `exit code ${code}`} (${join(logDir, `${name}.log`)})`,
          code ?? EXIT.bug,
          String(failure?.code ?? 'Bug'),
        );
      }
      return lines;
    },

    start(name, args) {
      const { child, listeners, ended } = launch(name, args);
      return {
        name,
        pid: child.pid ?? -1,
        ended,
        line(event) {
          const found = new Promise<Line>((resolve, reject) => {
            const listener = (line: Line) => {
              if (line.event === 'error')
                reject(new CliError(`${name}: ${line.message}`, EXIT.refused, String(line.code)));
              else if (line.event !== event) return;
              else resolve(line);
              listeners.delete(listener);
            };
            listeners.add(listener);
            const log = join(logDir, `${name}.log`);
            void ended.then((code) =>
              reject(new CliError(`${name} ended (exit code ${code}); see ${log}.`, EXIT.bug)),
            );
          });
          // Whoever waits sees the rejection; until somebody does, it is not a crash.
          found.catch(() => {});
          return found;
        },
        onLine: (listener) => void listeners.add(listener),
        kill: () => void child.kill('SIGKILL'),
      };
    },

    async endAll() {
      const all = [...living];
      for (const { child } of all) child.kill('SIGTERM');
      const overdue = setTimeout(() => {
        for (const { child } of living) child.kill('SIGKILL');
      }, 3000);
      await Promise.allSettled(all.map(({ ended }) => ended));
      clearTimeout(overdue);
    },
  };
}

/** Two at a time: this machine may have two cores only. */
export async function inPairs<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += 2)
    results.push(...(await Promise.all(items.slice(i, i + 2).map(work))));
  return results;
}

function parseLine(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}
