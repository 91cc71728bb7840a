import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Json } from '../secagg/vectorForm.js';

const vectors = fileURLToPath(new URL('../vectors/secagg/', import.meta.url));
const script = fileURLToPath(new URL('./replay.py', import.meta.url));
const judge = fileURLToPath(new URL('./judge.py', import.meta.url));
const interpreter = process.env.CHORALE_PYTHON ?? 'python3';
const python = (...args: string[]) =>
  // -B: no compiled files in the source tree.
  spawnSync(interpreter, ['-B', ...args], { encoding: 'utf8', timeout: 120_000 });

const works = python('-c', 'import sys, cryptography; assert sys.version_info >= (3, 10)').status === 0;
if (!works)
  console.warn(
    `test/interop: skipped, ${interpreter} is no Python 3.10 with the package cryptography (pip install cryptography)`,
  );

type Path = readonly (string | number)[];

/** Every place in a value that holds a text, a number or nothing. */
function leaves(value: Json, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner as Json, [...at, key]));
}

/** One digit more or less at `path`, nothing else. */
function altered(value: Json, [key, ...rest]: Path): Json {
  if (key === undefined) {
    if (typeof value === 'number') return value + 1;
    if (typeof value === 'string') return value.slice(0, -1) + (value.endsWith('0') ? '1' : '0');
    return value === null ? 0 : !value;
  }
  const inside = value as { readonly [key: string]: Json };
  const inner = altered(inside[key]!, rest);
  if (Array.isArray(value)) return value.with(Number(key), inner) as Json[];
  return { ...inside, [key]: inner };
}

describe.skipIf(!works)('an independent reading of the protocol, in Python', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'chorale-interop-'));
  afterAll(() => rmSync(scratch, { recursive: true }));

  it('makes every vector again, byte for byte', () => {
    const { status, stdout, stderr } = python(script, vectors);
    const files = readdirSync(vectors).length;
    expect(stdout + stderr).toMatch(new RegExp(`^${files} passed, 0 failed$`, 'm'));
    expect(status).toBe(0);
  }, 120_000);

  it('positive control: fails wherever one digit of a vector’s outputs is altered', () => {
    let count = 0;
    for (const name of ['blame-wrong-opening', 'abort-too-few-checks', 'lost-at-every-message', 'plans']) {
      const vector = JSON.parse(readFileSync(join(vectors, `${name}.json`), 'utf8')) as Json;
      const places = leaves(vector).filter(
        ([field, ...rest]) => field === 'outputs' || (field === 'plans' && rest[1] === '3'),
      );
      // A prime step: from every kind of field, without a thousand runs.
      for (let i = 0; i < places.length; i += name === 'blame-wrong-opening' ? 31 : 11)
        writeFileSync(join(scratch, `${count++}.json`), JSON.stringify(altered(vector, places[i]!)));
    }
    expect(count).toBeGreaterThan(40);
    const { status, stdout } = python(script, scratch);
    expect(stdout).toContain(`\n0 passed, ${count} failed\n`);
    expect(status).toBe(1);
  }, 120_000);

  it('positive control: fails on altered inputs: a seed, randomness, a vector, a context, a member’s lie', () => {
    const vector = JSON.parse(readFileSync(join(vectors, 'blame-wrong-opening.json'), 'utf8')) as Json;
    const places: Path[] = [
      ['inputs', 'members', 0, 'identitySeed'],
      ['inputs', 'members', 1, 'randomness'],
      ['inputs', 'members', 1, 'randomnessLength'],
      ['inputs', 'rounds', 0, 'vectors', 'member-000', 1],
      ['inputs', 'rounds', 0, 'context', 'attempt'],
      ['inputs', 'rounds', 0, 'context', 'queryDigest'],
      ['inputs', 'config', 'block'],
      ['inputs', 'config', 'maxColluders'],
      ['inputs', 'deviations', 0, 'dealer'],
    ];
    for (const [i, place] of places.entries()) {
      const file = join(scratch, `input-${i}.json`);
      writeFileSync(file, JSON.stringify(altered(vector, place)));
      const { status, stdout } = python(script, file);
      expect(stdout, place.join('.')).toMatch(/^0 passed, 1 failed$/m);
      expect(status).toBe(1);
    }
  }, 120_000);

  it('judges evidence as the vectors do: all they give, and all that their judgements make of it', () => {
    const { status, stdout, stderr } = python(judge);
    // 8 of the rounds' outcomes, 14 altered of a wrong opening, 2 of a wrong dealing.
    expect(stdout + stderr).toBe('27 verdicts passed, 0 failed\n');
    expect(status).toBe(0);
  }, 120_000);

  it('positive control: the judge fails on every altered verdict, and on altered evidence', () => {
    const files: string[] = [];
    for (const name of ['blame-wrong-opening', 'blame-wrong-dealing']) {
      const vector = JSON.parse(readFileSync(join(vectors, `${name}.json`), 'utf8')) as Json;
      const accusation = (place: Path) => place[0] === 'outputs' && place.includes('evidence');
      const verdicts = leaves(vector).filter(
        (place) => place.includes('verdict') && (place[0] === 'judgements' || accusation(place)),
      );
      // What the signatures bind: not `block` of the context, which the configuration repeats, nor the dealer of a part.
      const bound = [
        'adverts',
        'roots',
        'dealerSignature',
        'answer',
        'path',
        'publicKey',
        'queryDigest',
        'attempt',
      ];
      const evidence = leaves(vector).filter(
        (place) => accusation(place) && place.some((key) => bound.includes(String(key))),
      );
      for (const place of [...verdicts, ...evidence.filter((_, i) => i % 7 === 0)]) {
        const file = join(scratch, `verdict-${files.length}.json`);
        // One verdict in each file: with altered evidence that of the outcome.
        const only = {
          ...(altered(vector, place) as object),
          ...(place[0] === 'outputs' && { judgements: [] }),
        };
        writeFileSync(file, JSON.stringify(only));
        files.push(file);
      }
    }
    const { status, stdout, stderr } = python(judge, ...files);
    const failed = new Set(stdout.match(/^FAILED verdict-\d+/gm));
    expect(stderr).toBe('');
    expect(failed.size).toBe(files.length);
    expect(files.length).toBeGreaterThan(25);
    expect(status).toBe(1);
  }, 120_000);
});
