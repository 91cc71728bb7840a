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
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
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

describe('the lock of a folder', () => {
  it('keeps a second process away while the first one lives, and is taken over once it is dead', async () => {
    init();
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      writeFileSync(join(dir, 'lock'), `${other.pid}`);
      expect(() => lockHome(dir)).toThrow(
        failing('AlreadyRunning', new RegExp(`Process ${other.pid} already`)),
      );
      expect(readFileSync(join(dir, 'lock'), 'utf8')).toBe(`${other.pid}`);
    } finally {
      const gone = new Promise((resolve) => other.once('exit', resolve));
      other.kill('SIGKILL');
      await gone;
    }
    const release = lockHome(dir);
    expect(readFileSync(join(dir, 'lock'), 'utf8')).toBe(`${process.pid}`);
    release();
    expect(existsSync(join(dir, 'lock'))).toBe(false);
    // No draft is left behind.
    expect(readdirSync(dir).sort()).toEqual(['enrolment.json', 'identity.key']);
  });

  it.each(['', 'nonsense', '-1', '0'])('a lock that names no process ("%s") is taken over', (text) => {
    init();
    writeFileSync(join(dir, 'lock'), text);
    lockHome(dir)();
  });

  it('a process that ended is not mistaken for a living one', () => {
    init();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(join(dir, 'lock'), `${pid}`);
    lockHome(dir)();
  });
});
