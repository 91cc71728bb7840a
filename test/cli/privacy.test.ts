import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const MAIN = resolve('dist/src/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'chorale-privacy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function privacyWith(input: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'privacy', ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    input,
  });
  return { status, stdout, stderr };
}

const privacy = (...args: string[]) => privacyWith('', ...args);

/** The one JSON line of a command that succeeds. */
function json(...args: string[]) {
  const { status, stdout, stderr } = privacy(...args, '--json');
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

function eventsFile(name: string, content: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const gaussian = (noiseMultiplier: number) => ({ version: 1, kind: 'gaussian', noiseMultiplier });
const sampled = (samplingRate: number, event: unknown) => ({
  version: 1,
  kind: 'poisson-sampled',
  samplingRate,
  event,
});
const repeated = (count: number, event: unknown) => ({ version: 1, kind: 'self-composed', count, event });

const TRAINING = ['--noise-multiplier', '1', '--sampling-rate', '0.01', '--steps', '1000'];

/** golden/accounting-pld.json: poisson-gaussian-1 and composition-1; δ at ε: delta-2; calibration.json: noise-multiplier-1, max-steps-2. */
const GOLDEN = {
  epsilon: 1.82823666652,
  composed: 2.76223291876,
  delta: 0.00261242057863,
  noise: 0.813584467,
};

describe('chorale privacy', () => {
  test('epsilon --json is the line of the documentation, and holds the truth', () => {
    const answer = json('epsilon', ...TRAINING, '--delta', '1e-5');
    const { epsilon, rdp } = answer;
    expect(answer).toEqual({
      epsilon: { lower: expect.any(Number), upper: expect.any(Number) },
      rdp: expect.any(Number),
    });
    expect(epsilon.lower).toBeLessThanOrEqual(GOLDEN.epsilon);
    expect(epsilon.upper).toBeGreaterThanOrEqual(GOLDEN.epsilon);
    expect(epsilon.upper - epsilon.lower).toBeLessThanOrEqual(1e-3);
    expect(rdp).toBeGreaterThan(epsilon.upper);
    expect(rdp).toBeLessThan(1.3 * GOLDEN.epsilon);
  });

  test('epsilon for a person: the upper end rounded up, the lower down', () => {
    const { status, stdout } = privacy('epsilon', ...TRAINING, '--delta', '1e-5');
    expect(status).toBe(0);
    const [, upper, lower] = /^ε ≤ ([\d.]+), and no less than ([\d.]+), at δ = 0\.00001/.exec(stdout) ?? [];
    expect(Number(upper)).toBeGreaterThanOrEqual(GOLDEN.epsilon);
    expect(Number(lower)).toBeLessThanOrEqual(GOLDEN.epsilon);
    expect(stdout).toContain('By Rényi divergences alone: ε ≤ ');
  });

  test('an events file is what the options say, as an event, as an array, from standard input', () => {
    const event = repeated(1000, sampled(0.01, gaussian(1)));
    const byOptions = json('epsilon', ...TRAINING, '--delta', '1e-5');
    expect(json('epsilon', '--events', eventsFile('one.json', event), '--delta', '1e-5')).toEqual(byOptions);
    const piped = privacyWith(JSON.stringify(event), 'epsilon', '--events', '-', '--delta', '1e-5', '--json');
    expect(JSON.parse(piped.stdout)).toEqual(byOptions);
    const several = eventsFile('several.json', [
      repeated(500, sampled(0.01, gaussian(1))),
      repeated(1000, sampled(0.02, gaussian(1.5))),
      repeated(2000, sampled(0.005, gaussian(2))),
    ]);
    const { epsilon } = json('epsilon', '--events', several, '--delta', '1e-6');
    expect(epsilon.lower).toBeLessThanOrEqual(GOLDEN.composed);
    expect(epsilon.upper).toBeGreaterThanOrEqual(GOLDEN.composed);
    expect(epsilon.upper - epsilon.lower).toBeLessThanOrEqual(1e-3);
  });

  test('delta at ε holds the truth', () => {
    const { delta } = json('delta', ...TRAINING, '--epsilon', '1');
    expect(delta.lower).toBeLessThanOrEqual(GOLDEN.delta);
    expect(delta.upper).toBeGreaterThanOrEqual(GOLDEN.delta);
    expect(delta.upper).toBeLessThan(1.01 * GOLDEN.delta);
  });

  test('replace-one costs more than add-remove, zero-out the same', () => {
    const epsilon = (relation: string): number =>
      json('epsilon', '--noise-multiplier', '2', '--delta', '1e-5', '--relation', relation).epsilon.upper;
    // Without sampling, replacing is twice the sensitivity: half the noise multiplier.
    const halved = json('epsilon', '--noise-multiplier', '1', '--delta', '1e-5').epsilon.upper;
    expect(epsilon('replace-one')).toBeCloseTo(halved, 9);
    expect(epsilon('zero-out')).toBe(epsilon('add-remove'));
    expect(epsilon('replace-one')).toBeGreaterThan(epsilon('add-remove'));
  });

  test('noise and steps are sound: what they give costs at most ε, and hardly less', () => {
    const target = ['--epsilon', '3', '--delta', '1e-5'];
    const sampling = ['--sampling-rate', '0.01'];
    const { noiseMultiplier } = json('noise', ...target, ...sampling, '--steps', '1000');
    expect(noiseMultiplier).toBeGreaterThanOrEqual(GOLDEN.noise);
    expect(noiseMultiplier).toBeLessThan(GOLDEN.noise * 1.0005);
    const spent = json(
      'epsilon',
      '--noise-multiplier',
      String(noiseMultiplier),
      ...sampling,
      '--steps',
      '1000',
      '--delta',
      '1e-5',
    );
    expect(spent.epsilon.upper).toBeLessThanOrEqual(3);
    const { steps } = json(
      'steps',
      '--epsilon',
      '2',
      '--delta',
      '1e-5',
      '--noise-multiplier',
      '1',
      ...sampling,
    );
    expect(steps).toBeLessThanOrEqual(1202);
    expect(steps).toBeGreaterThanOrEqual(1200);
  });

  test('curve prints CSV for a person and a JSON object a line for a machine, δ falling', () => {
    const csv = privacy('curve', ...TRAINING, '--points', '12')
      .stdout.trimEnd()
      .split('\n');
    expect(csv[0]).toBe('epsilon,deltaLower,deltaUpper');
    const rows = csv.slice(1).map((line) => line.split(',').map(Number) as [number, number, number]);
    expect(rows).toHaveLength(12);
    for (const [, lower, upper] of rows) expect(lower).toBeLessThanOrEqual(upper);
    for (const [i, [epsilon, , upper]] of rows.slice(1).entries()) {
      expect(epsilon).toBeGreaterThan(rows[i]![0]);
      expect(upper).toBeLessThanOrEqual(rows[i]![2]);
    }
    const lines = privacy('curve', ...TRAINING, '--points', '12', '--json')
      .stdout.trimEnd()
      .split('\n');
    expect(lines.map((line) => Object.values(JSON.parse(line)))).toEqual(rows);
  });

  test('without any privacy ε is the text Infinity in JSON, which no comparison takes for small', () => {
    const file = eventsFile('none.json', { version: 1, kind: 'non-private' });
    const { epsilon, rdp } = json('epsilon', '--events', file, '--delta', '1e-5');
    expect([epsilon.upper, rdp]).toEqual(['Infinity', 'Infinity']);
    expect(epsilon.upper <= 3).toBe(false);
    expect(privacy('epsilon', '--events', file, '--delta', '1e-5').stdout).toContain('ε = ∞');
    expect(privacy('explain', '--events', file, '--delta', '1e-5').stdout).toContain(
      'No differential privacy is claimed',
    );
  });
});

describe('chorale privacy explain', () => {
  const distributed = {
    version: 1,
    kind: 'distributed-discrete-gaussian',
    contributors: 8,
    colluders: 1,
    shareVariance: { numerator: '6400', denominator: '7' },
    sensitivity: 16,
    dimension: 1000,
  };

  test('says unit, relation, noise, sampling, composition, ε at δ, against whom, assumptions and what is left open', () => {
    const file = eventsFile('run.json', repeated(450, sampled(0.02, distributed)));
    const { status, stdout } = privacy('explain', '--events', file, '--delta', '1e-6');
    expect(status).toBe(0);
    expect(stdout.split('\n').filter((line) => /^\S/.test(line))).toEqual([
      'Guarantee',
      'Unit and neighbouring relation',
      'Mechanisms and noise',
      'Sampling',
      'Composition',
      'Against whom',
      'Assumptions',
      'What is not protected',
      'How it was computed',
    ]);
    expect(stdout).toMatch(/ε ≤ [\d.]+ at δ = 0\.000001\. The lower end of the same computation is [\d.]+:/);
    expect(stdout).toContain('Unit: one record.');
    expect(stdout).toContain('add or remove');
    expect(stdout).toContain(
      '450 times: on a Poisson sample, each record with probability 0.02: a sum of 8 contributions',
    );
    expect(stdout).toContain('Shuffled data sets and batches of a fixed size are not that');
    expect(stdout).toContain('together with up to 1 contributor who knows its own noise');
    expect(stdout).toContain('but the 1 that may collude adds its share of the noise');
    expect(stdout).toContain('clips what one record contributes');
    expect(stdout).toContain('cryptographic generator');
    expect(stdout).toContain('What is true of a whole population');
  });

  test('other events and relations are told otherwise', () => {
    const central = privacy(
      'explain',
      '--noise-multiplier',
      '4',
      '--delta',
      '1e-6',
      '--relation',
      'replace-one',
      '--unit',
      'participant',
    ).stdout;
    expect(central).toContain('Unit: one participant');
    expect(central).toContain('replace one');
    expect(central).toContain('How many participants there are.');
    expect(central).toContain('No amplification by sampling is claimed');
    expect(central).toContain('Not against whoever holds the records');
    expect(central).not.toContain('Poisson:');
    expect(central).not.toContain('secure aggregation');
  });

  test('--json has the text, the figures and the event that they are about', () => {
    const said = json('explain', ...TRAINING, '--delta', '1e-5');
    expect(said.event).toEqual(repeated(1000, sampled(0.01, gaussian(1))));
    expect(said.epsilon).toEqual(json('epsilon', ...TRAINING, '--delta', '1e-5').epsilon);
    expect(`${said.statement}\n`).toBe(privacy('explain', ...TRAINING, '--delta', '1e-5').stdout);
  });
});

describe('chorale privacy, asked wrongly', () => {
  const refused = (code: number, ...args: string[]): string => {
    const { status, stdout, stderr } = privacy(...args);
    expect([status, stdout]).toEqual([code, '']);
    // What is wrong is one line; beside options there is the hint at --help.
    const [line = '', ...more] = stderr.trimEnd().split('\n');
    expect(more.filter((rest) => !rest.startsWith('(add --help'))).toEqual([]);
    return line;
  };

  test.each([
    ['δ of 1', ['epsilon', '--noise-multiplier', '1', '--delta', '1'], /--delta.*above 0 and below 1/],
    ['δ that is no number', ['epsilon', '--noise-multiplier', '1', '--delta', ''], /--delta/],
    ['no δ', ['epsilon', '--noise-multiplier', '1'], /--delta/],
    ['no noise', ['epsilon', '--noise-multiplier', '0', '--delta', '1e-5'], /--noise-multiplier.*above 0/],
    ['hexadecimal noise', ['epsilon', '--noise-multiplier', '0x1', '--delta', '1e-5'], /--noise-multiplier/],
    ['endless noise', ['epsilon', '--noise-multiplier', '1e999', '--delta', '1e-5'], /--noise-multiplier/],
    [
      'a rate above 1',
      ['epsilon', '--noise-multiplier', '1', '--sampling-rate', '1.5', '--delta', '1e-5'],
      /at most 1/,
    ],
    [
      'half a step',
      ['epsilon', '--noise-multiplier', '1', '--steps', '0.5', '--delta', '1e-5'],
      /whole number/,
    ],
    [
      'too many steps',
      ['epsilon', '--noise-multiplier', '1', '--steps', '10000001', '--delta', '1e-5'],
      /10000000/,
    ],
    ['a negative ε', ['delta', '--noise-multiplier', '1', '--epsilon', '-1'], /--epsilon/],
    [
      'no such relation',
      ['epsilon', '--noise-multiplier', '1', '--delta', '1e-5', '--relation', 'x'],
      /Allowed choices/,
    ],
    ['too many points', ['curve', '--noise-multiplier', '1', '--points', '1001'], /from 2 to 1000/],
    ['neither noise nor events', ['epsilon', '--delta', '1e-5'], /Say what was done/],
    [
      'noise and events',
      ['epsilon', '--noise-multiplier', '1', '--events', 'x', '--delta', '1e-5'],
      /cannot be used/,
    ],
  ])('%s: exit code 2, in one line', (_, args, message) => {
    expect(refused(2, ...args)).toMatch(message);
  });

  test('events that are not there, no JSON, no events or too many: exit code 3, with the reason', () => {
    const ask = (file: string): string => refused(3, 'epsilon', '--events', file, '--delta', '1e-5');
    expect(ask(join(folder, 'nowhere.json'))).toMatch(/cannot be read/);
    expect(ask(eventsFile('not.json', '{'))).toMatch(/is not JSON/);
    // Hazard P25: an accountant would charge ∞; a person is told instead.
    expect(ask(eventsFile('unknown.json', { version: 1, kind: 'homeopathic' }))).toMatch(
      /not a privacy event/,
    );
    expect(ask(eventsFile('future.json', { ...gaussian(1), version: 2 }))).toMatch(/not a privacy event/);
    expect(ask(eventsFile('more.json', { ...gaussian(1), epsilon: 0 }))).toMatch(/not a privacy event/);
    const distinct = Array.from({ length: 65 }, (_, i) => gaussian(i + 1));
    expect(ask(eventsFile('distinct.json', distinct))).toMatch(/65 distinct mechanisms.* 64 at most/);
    expect(ask(eventsFile('steps.json', repeated(5, repeated(4_000_000, gaussian(1e6)))))).toMatch(
      /20,000,000 steps.* 10,000,000 at most/,
    );
    expect(ask(eventsFile('large.json', ' '.repeat(4 * 2 ** 20 + 1)))).toMatch(/larger than 4 MiB/);
  });

  test('with --json the refusal is JSON', () => {
    const { status, stdout, stderr } = privacy('epsilon', '--delta', '1e-5', '--json');
    expect([status, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout)).toMatchObject({ event: 'error', code: 'InvalidInput' });
  });

  test('a unit that the events cannot have is a wrong question', () => {
    const local = { version: 1, kind: 'local-dp-sgd', noiseMultiplier: 1, samplingRate: 0.1, steps: 10 };
    const file = eventsFile('local.json', local);
    expect(refused(2, 'explain', '--events', file, '--delta', '1e-5', '--unit', 'participant')).toMatch(
      /samples and clips single records/,
    );
  });

  test('a target that nothing meets is no wrong question: exit code 3', () => {
    // Ten million sums at the largest noise, 2^30, have δ above 10^-6 at ε = 0.
    const noise = ['noise', '--epsilon', '1e-12', '--delta', '1e-30', '--steps', '10000000'];
    expect(refused(3, ...noise)).toMatch(/no noise keeps 10000000 steps/);
    const steps = ['steps', '--epsilon', '0.001', '--delta', '1e-9', '--noise-multiplier', '0.5'];
    expect(refused(3, ...steps)).toMatch(/Not even one step/);
    const file = eventsFile('nothing.json', [{ version: 1, kind: 'non-private' }]);
    expect(refused(3, 'curve', '--events', file)).toMatch(/There is no curve/);
  });

  test('the bounds are stated where the examples are', () => {
    const { status, stdout } = privacy('--help');
    expect(status).toBe(0);
    for (const command of ['epsilon', 'delta', 'noise', 'steps', 'curve', 'explain'])
      expect(stdout).toContain(`\n  ${command} `);
    expect(stdout).toContain('10,000,000 steps');
    expect(stdout).toContain('64 distinct mechanisms');
  });
});
