import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { z } from 'zod';
import type { Primitives } from '../../src/crypto/primitives.js';
import type { Rng } from '../../src/crypto/rng.js';
import { ParticipantError } from './errors.js';
import { lockFile } from './processLock.js';

/**
 * A participant's folder (mode 0700):
 *   identity.key   its Ed25519 seed in hex, mode 0600
 *   enrolment.json where and as whom it enrols
 *   charter.json   the charter that it signed, and the digest that it pinned
 *   spending.jsonl its own spending record
 *   hold-out.key   32 bytes in hex, mode 0600: which records are held out, once a charter holds any out
 *   lock           the process that runs on it
 */
export interface Identity {
  readonly seed: Uint8Array;
  /** Lower-case hex. */
  readonly publicKey: string;
}

const enrolmentShape = z.strictObject({
  coordinator: z.url({ protocol: /^https?$/ }),
  federation: z.string().min(1),
  name: z.string().min(1),
  declaredRecords: z.int().min(1),
});
export type EnrolmentSettings = z.infer<typeof enrolmentShape>;

const pinShape = z.strictObject({
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** RFC 8785 text. */
  body: z.string(),
  signature: z.string().regex(/^[0-9a-f]{128}$/),
});
export type PinnedCharter = z.infer<typeof pinShape>;

export const SPENDING_FILE = 'spending.jsonl';

/** Makes the folder and a fresh identity. Refuses to replace a key. */
export function initHome(
  dir: string,
  settings: EnrolmentSettings,
  rng: Rng,
  primitives: Primitives,
): Identity {
  const parsed = enrolmentShape.safeParse(settings);
  if (!parsed.success)
    throw new ParticipantError(
      'NotInitialised',
      `These settings are not valid: ${z.prettifyError(parsed.error)}.`,
    );
  const path = join(dir, 'identity.key');
  if (existsSync(path))
    throw new ParticipantError(
      'KeyFile',
      `${path} exists already: an identity is made once. Choose another folder.`,
    );
  if (existsSync(dir) && readdirSync(dir).length > 0)
    throw new ParticipantError('KeyFile', `${dir} holds other files: choose a new folder for the identity.`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const seed = rng(32);
  writeFileSync(path, `${bytesToHex(seed)}\n`, { mode: 0o600, flag: 'wx' });
  replaceFile(join(dir, 'enrolment.json'), JSON.stringify(parsed.data, null, 2));
  return { seed, publicKey: bytesToHex(primitives.ed25519PublicKey(seed)) };
}

/** Throws KeyFile if the key is missing, malformed, or readable by anyone else. */
export function readIdentity(dir: string, primitives: Primitives): Identity {
  const path = join(dir, 'identity.key');
  if (!existsSync(path))
    throw new ParticipantError(
      'NotInitialised',
      `There is no ${path}: run "chorale participant init" first.`,
    );
  const seed = readSecret(path, 'an identity key', 'Restore it from a backup.');
  return { seed, publicKey: bytesToHex(primitives.ed25519PublicKey(seed)) };
}

/**
 * The secret that decides which of this participant's records are held out. Made before the first sum is answered, whatever the charter
 * says of a hold-out, and then kept: another one would evaluate on records that were trained on. Throws KeyFile where it is
 * gone, malformed, or readable by anyone else.
 */
export function holdOutKey(dir: string, rng: Rng): Uint8Array {
  const path = join(dir, 'hold-out.key');
  if (!existsSync(path)) {
    const spending = join(dir, SPENDING_FILE);
    if (existsSync(spending) && statSync(spending).size > 0)
      throw new ParticipantError(
        'KeyFile',
        `${path} is gone, and sums were answered with it: another key would hold out other records, some of which were trained on. ` +
          'Restore it from a backup. Only if this participant never held records out, make one: ' +
          `(umask 077; openssl rand -hex 32 > ${path}).`,
      );
    writeFileSync(path, `${bytesToHex(rng(32))}\n`, { mode: 0o600, flag: 'wx' });
  }
  return readSecret(
    path,
    'a hold-out key',
    'Restore it from a backup: another one would hold out other records, some of which were trained on.',
  );
}

/** 32 bytes in hex that only their owner can read. */
function readSecret(path: string, what: string, remedy: string): Uint8Array {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0)
    throw new ParticipantError(
      'KeyFile',
      `${path} can be read by others (mode 0${mode.toString(8)}): run "chmod 600 ${path}", and consider the key known to them.`,
    );
  const text = readFileSync(path, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new ParticipantError('KeyFile', `${path} is not ${what} (32 bytes in hex). ${remedy}`);
  return hexToBytes(text);
}

export function readEnrolment(dir: string): EnrolmentSettings {
  return readJson(join(dir, 'enrolment.json'), enrolmentShape, 'run "chorale participant init" first');
}

export function pinCharter(dir: string, pin: PinnedCharter): void {
  replaceFile(join(dir, 'charter.json'), JSON.stringify(pin, null, 2));
}

export function readPinnedCharter(dir: string): PinnedCharter | undefined {
  const path = join(dir, 'charter.json');
  return existsSync(path)
    ? readJson(path, pinShape, 'sign the charter again with "chorale charter sign"')
    : undefined;
}

/** One process a folder: two would each think they had the whole budget. Survives kill -9: a dead owner's lock is taken over. */
export function lockHome(dir: string): () => void {
  const path = join(dir, 'lock');
  const locked = lockFile(path);
  if (typeof locked === 'function') return locked;
  const { pid, host } = locked;
  const remedy =
    host === hostname() ? 'stop it first' : `stop it first; if it is gone for good, delete ${path}`;
  const where = host === hostname() ? '' : ` on ${host}`;
  throw new ParticipantError(
    'AlreadyRunning',
    `Process ${pid}${where} already runs a participant on ${dir}: ${remedy}.`,
  );
}

function readJson<T>(path: string, shape: z.ZodType<T>, remedy: string): T {
  if (!existsSync(path)) throw new ParticipantError('NotInitialised', `There is no ${path}: ${remedy}.`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ParticipantError('NotInitialised', `${path} is not JSON: ${remedy}.`, { cause });
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success)
    throw new ParticipantError(
      'NotInitialised',
      `${path} is not valid: ${z.prettifyError(parsed.error)}; ${remedy}.`,
    );
  return parsed.data;
}

/** Written beside and renamed over: a crash leaves the old file or the new one. */
function replaceFile(path: string, text: string): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${text}\n`, { mode: 0o600 });
  renameSync(draft, path);
}
