import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  holdOutKey,
  initHome,
  lockHome,
  pinCharter,
  readEnrolment,
  readIdentity,
  readPinnedCharter,
} from '../../clients/participant/home.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { systemRng } from '../../src/crypto/rng.js';

const SETTINGS = {
  coordinator: 'http://127.0.0.1:4000',
  federation: 'choir',
  name: 'Alto',
  declaredRecords: 100,
};
const PIN = { digest: 'a'.repeat(64), body: '{}', signature: 'b'.repeat(128) };

let dir: string;
let key: string;
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'chorale-home-')), 'home');
  key = join(dir, 'identity.key');
});
afterEach(() => rmSync(join(dir, '..'), { recursive: true, force: true }));

const init = () => initHome(dir, SETTINGS, systemRng(), nodePrimitives);
const identity = () => readIdentity(dir, nodePrimitives);
const failing = (code: string, message?: RegExp) =>
  expect.objectContaining({
    name: 'ParticipantError',
    code,
    ...(message === undefined ? {} : { message: expect.stringMatching(message) }),
  });

describe('a participant’s folder', () => {
  it('gets a hold-out key when one is first needed, keeps it, and refuses one that is damaged or known to others', () => {
    init();
    const path = join(dir, 'hold-out.key');
    expect(existsSync(path)).toBe(false);
    const made = holdOutKey(dir, systemRng());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(holdOutKey(dir, systemRng())).toEqual(made);
    chmodSync(path, 0o644);
    expect(() => holdOutKey(dir, systemRng())).toThrow(failing('KeyFile', /can be read by others/));
    chmodSync(path, 0o600);
    writeFileSync(path, 'not a key');
    expect(() => holdOutKey(dir, systemRng())).toThrow(failing('KeyFile', /some of which were trained on/));
  });

  it('makes no second hold-out key once sums were answered: it would hold out what was trained on', () => {
    init();
    const spending = join(dir, 'spending.jsonl');
    writeFileSync(spending, '');
    holdOutKey(dir, systemRng());
    writeFileSync(spending, '{}\n');
    expect(() => holdOutKey(dir, systemRng())).not.toThrow();
    rmSync(join(dir, 'hold-out.key'));
    expect(() => holdOutKey(dir, systemRng())).toThrow(failing('KeyFile', /is gone.*backup/));
    expect(existsSync(join(dir, 'hold-out.key'))).toBe(false);
  });

  it('holds a fresh key that only its owner can read', () => {
    const made = init();
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(identity()).toEqual(made);
    expect(made.publicKey).toMatch(/^[0-9a-f]{64}$/);
    expect(readEnrolment(dir)).toEqual(SETTINGS);
    expect(readPinnedCharter(dir)).toBeUndefined();
  });

  it('never replaces a key', () => {
    init();
    const before = readFileSync(key);
    expect(init).toThrow(failing('KeyFile', /made once/));
    expect(readFileSync(key)).toEqual(before);
  });

  it.each([0o644, 0o640, 0o604, 0o666, 0o601])('a key of mode %o is refused, with what to do', (mode) => {
    init();
    chmodSync(key, mode);
    expect(identity).toThrow(failing('KeyFile', new RegExp(`mode 0${mode.toString(8)}.*chmod 600`)));
    chmodSync(key, 0o600);
    expect(identity().publicKey).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(['', 'not a key', 'A'.repeat(64), 'a'.repeat(63), 'a'.repeat(66)])(
    'a malformed key is refused: "%s"',
    (text) => {
      init();
      writeFileSync(key, text);
      const refused = failing('KeyFile', /32 bytes in hex/);
      expect(identity).toThrow(refused);
      // Hazard S28: the refusal does not quote the file.
      if (text.length > 0) expect(() => identity()).not.toThrow(text);
    },
  );

  it('says what to do where there is none', () => {
    expect(identity).toThrow(failing('NotInitialised', /participant init/));
    expect(() => readEnrolment(dir)).toThrow(failing('NotInitialised', /participant init/));
  });

  it('refuses settings and pins that are not valid', () => {
    expect(() =>
      initHome(dir, { ...SETTINGS, coordinator: 'file:///etc' }, systemRng(), nodePrimitives),
    ).toThrow();
    expect(() => initHome(dir, { ...SETTINGS, declaredRecords: 0 }, systemRng(), nodePrimitives)).toThrow();
    expect(existsSync(key)).toBe(false);
    init();
    pinCharter(dir, PIN);
    expect(readPinnedCharter(dir)).toEqual(PIN);
    writeFileSync(join(dir, 'charter.json'), JSON.stringify({ ...PIN, digest: 'short' }));
    expect(() => readPinnedCharter(dir)).toThrow(failing('NotInitialised', /sign the charter again/));
    writeFileSync(join(dir, 'enrolment.json'), '{');
    expect(() => readEnrolment(dir)).toThrow(failing('NotInitialised', /not JSON/));
  });
});

/** What happens between a process's look at the lock and its next step. */
let afterLook: (() => void) | undefined;
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    readFileSync(...args: Parameters<typeof real.readFileSync>) {
      const text = real.readFileSync(...args);
      const then = afterLook;
      if (then !== undefined && String(args[0]).endsWith('/lock')) {
        afterLook = undefined;
        then();
      }
      return text;
    },
  };
});

describe('the lock of a folder', () => {
  const lock = () => join(dir, 'lock');
  const heldBy = (pid: number | undefined, host = hostname(), started = '') =>
    JSON.stringify({ host, pid, started });
  const living = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const killed = async (child: ReturnType<typeof living>) => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const dead = () => heldBy(spawnSync(process.execPath, ['-e', '']).pid);

  it('keeps a second process away while the first one lives, and is taken over once it is dead', async () => {
    init();
    const other = living();
    const text = heldBy(other.pid);
    try {
      writeFileSync(lock(), text);
      expect(() => lockHome(dir)).toThrow(
        failing('AlreadyRunning', new RegExp(`Process ${other.pid} already`)),
      );
      expect(readFileSync(lock(), 'utf8')).toBe(text);
    } finally {
      await killed(other);
    }
    const release = lockHome(dir);
    expect(JSON.parse(readFileSync(lock(), 'utf8'))).toMatchObject({ pid: process.pid });
    // Nor does this process get it twice.
    expect(() => lockHome(dir)).toThrow(failing('AlreadyRunning'));
    release();
    expect(existsSync(lock())).toBe(false);
    // No draft is left behind.
    expect(readdirSync(dir).sort()).toEqual(['enrolment.json', 'identity.key']);
  });

  it('of two starts after a crash one has it: who saw the dead owner late leaves the other’s lock where it is', async () => {
    init();
    const first = living();
    try {
      writeFileSync(lock(), dead());
      afterLook = () => {
        rmSync(lock());
        writeFileSync(lock(), heldBy(first.pid));
      };
      expect(() => lockHome(dir)).toThrow(failing('AlreadyRunning', new RegExp(`Process ${first.pid} `)));
      expect(JSON.parse(readFileSync(lock(), 'utf8'))).toMatchObject({ pid: first.pid });
    } finally {
      await killed(first);
    }
    lockHome(dir)();
    expect(readdirSync(dir).sort()).toEqual(['enrolment.json', 'identity.key']);
  });

  it.each(['', 'nonsense', '-1', '{"ho', 'null'])(
    'a lock that names no process ("%s") is taken over',
    (text) => {
      init();
      writeFileSync(lock(), text);
      lockHome(dir)();
    },
  );

  it('a process that ended is not mistaken for a living one, nor an earlier one with this pid', () => {
    init();
    writeFileSync(lock(), dead());
    lockHome(dir)();
    writeFileSync(lock(), heldBy(process.pid, hostname(), 'an earlier boot/1'));
    lockHome(dir)();
  });

  it('a lock of another host is respected, and the message says which file to delete', () => {
    init();
    writeFileSync(lock(), heldBy(1, 'elsewhere'));
    expect(() => lockHome(dir)).toThrow(failing('AlreadyRunning', /Process 1 on elsewhere .*delete .*lock/));
  });
});
