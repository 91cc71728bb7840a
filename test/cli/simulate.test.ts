import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { registerSimulate } from '../../src/cli/commands/simulate.js';
import { createTerminal } from '../../src/cli/demo/terminal.js';
import { EXIT, explain } from '../../src/cli/exits.js';
import { ordersFor } from '../../src/cli/simulate/orders.js';
import { type Simulation, type SimulationSettings, simulate } from '../../src/cli/simulate/simulate.js';
import { summarize } from '../../src/cli/simulate/summary.js';
import { calibrateNoise } from '../../src/privacy/calibration.js';
import { gaussianEvent, poissonSampledEvent } from '../../src/privacy/events.js';
import { commitToPlan, epsilonOfUnits, planUnits } from '../../src/privacy/filter.js';
import { OBSERVERS } from '../../src/privacy/views.js';
import { parseTableSchema, readCsv } from '../../src/synthesis/index.js';

const folder = mkdtempSync(join(tmpdir(), 'chorale-simulate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const SCHEMA = {
  fields: [
    { name: 'ward', type: 'string', constraints: { required: true, enum: ['north', 'south', 'east'] } },
    { name: 'smoker', type: 'boolean', constraints: { required: true } },
    {
      name: 'age',
      type: 'integer',
      constraints: { minimum: 0, maximum: 100 },
      'chorale:bins': [0, 20, 40, 60, 80, 100],
    },
  ],
  missingValues: [''],
};
writeFileSync(at('schema.json'), JSON.stringify(SCHEMA));

const HEADER = 'ward,smoker,age';
/** Declared as 100, 150, 200 and 50. */
const ROWS = { north: 120, south: 170, east: 220, 'far [west]': 20 };
for (const [name, count] of Object.entries(ROWS)) {
  const rows = Array.from({ length: count }, (_, i) => {
    const ward = ['north', 'south', 'east'][(i * i + count) % 3];
    return `${ward},${i % 3 === 0},${i % 11 === 0 ? '' : (i * 37) % 101}`;
  });
  writeFileSync(at(`${name}.csv`), [HEADER, ...rows, ''].join('\n'));
}

const MARGINALS: SimulationSettings = {
  schema: at('schema.json'),
  participants: [at('*.csv')],
  outOfBounds: 'refuse',
  synthesizer: 'marginals',
  options: { iterations: 50 },
  epsilon: 1,
  delta: 1e-6,
  maxColluders: 1,
  rows: 60,
  transport: 'memory',
  out: at('synthetic.out'),
};

const GAN: SimulationSettings = {
  ...MARGINALS,
  synthesizer: 'gan',
  options: {
    ...{ steps: 4, samplingRate: 0.5, generatorBatch: 16, latent: 2 },
    ...{ criticHidden: [4], generatorHidden: [4] },
  },
  epsilon: 3,
};

async function simulated(settings: SimulationSettings) {
  const lines: string[] = [];
  const terminal = createTerminal({ json: true, isTty: false, write: (line) => lines.push(line) });
  const simulation = await simulate(settings, terminal);
  return { simulation, lines, bytes: readFileSync(settings.out, 'utf8') };
}

const made = new Map<string, ReturnType<typeof simulated>>();
/** One that several tests hold others against: made once. */
function known(settings: SimulationSettings): ReturnType<typeof simulated> {
  const key = JSON.stringify(settings);
  const found = made.get(key) ?? simulated(settings);
  made.set(key, found);
  return found;
}

async function refusal(change: Partial<SimulationSettings>) {
  const settings = { ...MARGINALS, out: at('never.out'), ...change };
  const error = await simulated(settings).then(
    () => expect.unreachable('it was not refused'),
    (thrown: unknown) => thrown,
  );
  expect(existsSync(settings.out)).toBe(false);
  return explain(error);
}

const inWords = (simulation: Simulation) => {
  const lines: string[] = [];
  summarize(createTerminal({ json: false, isTty: false, write: (line) => lines.push(line) }), simulation);
  return lines.join('\n');
};

describe('chorale simulate', () => {
  for (const [kind, settings, sums] of [
    ['marginals', MARGINALS, 4],
    ['gan', GAN, 4],
  ] as const)
    test(`${kind}: the same seed gives the same bytes, another seed others, and ε is spent and not exceeded`, async () => {
      const first = await known({ ...settings, seed: '7' });
      const again = await simulated({ ...settings, seed: '7', out: at('again.out') });
      const other = await simulated({ ...settings, seed: '8', out: at('other.out') });
      expect(again.bytes).toBe(first.bytes);
      expect(other.bytes).not.toBe(first.bytes);
      for (const { simulation } of [first, other]) {
        expect(simulation.epsilon).toBeLessThanOrEqual(settings.epsilon);
        expect(simulation.epsilon).toBeGreaterThan(0.98 * settings.epsilon);
        expect(simulation.rounds).toBe(sums);
      }

      const rows = await readCsv(Readable.from([first.bytes]), parseTableSchema(SCHEMA));
      let count = 0;
      for await (const batch of rows.sample(1, () => expect.unreachable('all are taken')))
        count += batch.count;
      expect(count).toBe(settings.rows);
      await rows.close();
      expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
    }, 180_000);

  test('over signed HTTP, through the coordinator’s own server, the same bytes come out as by direct calls', async () => {
    const direct = await known({ ...MARGINALS, seed: '7' });
    const http = await simulated({ ...MARGINALS, seed: '7', transport: 'http', out: at('http.out') });
    expect(http.bytes).toBe(direct.bytes);
    expect(http.simulation.rounds).toBe(direct.simulation.rounds);

    expect(http.simulation.bytes.sentByEach).toBe(direct.simulation.bytes.sentByEach);
  }, 120_000);

  test('a report tests the table on rows that were kept from the generator, and says what ε allows', async () => {
    const settings = {
      ...MARGINALS,
      seed: '9',
      rows: 400,
      out: at('reported.out'),
      report: at('report.html'),
    };
    const { simulation } = await simulated(settings);
    expect(simulation.report).toBe(settings.report);
    const { rows, fidelity } = JSON.parse(readFileSync(at('report.json'), 'utf8'));
    // A fifth of 530 is held out, 106 ± 9: 5 deviations. The seed is fixed: one of those that hold out the 100 that an evaluation needs.
    expect(rows.train + rows.real).toBe(530);
    expect(Math.abs(rows.real - 106)).toBeLessThan(46);
    expect(rows.synthetic).toBe(400);
    expect(fidelity).toBeDefined();
    expect(readFileSync(settings.report, 'utf8')).toContain('</html>');
    expect(await refusal({ report: at('report.pdf') })).toMatchObject({ exitCode: EXIT.usage });
    expect(existsSync(at('report.pdf'))).toBe(false);
  }, 120_000);

  test('every view of ε is stated with its interval, the headline first, and so are bytes and seconds by phase', async () => {
    const { simulation, lines } = await simulated({ ...MARGINALS, minParticipants: 3 });
    const { views, epsilon, bytes, seconds, seed, participants, order } = simulation;
    expect(views.map(({ observer }) => observer)).toEqual(OBSERVERS);
    const [headline, alone, member, anybody, broken] = views.map((view) => view.epsilon) as [
      number,
      number,
      number,
      number,
      number,
    ];
    expect(headline).toBe(epsilon);
    expect(alone).toBeLessThan(headline);
    expect(anybody).toBe(alone);
    expect(member).toBe(headline);
    expect(broken).toBeGreaterThan(headline);
    for (const view of views) expect(view.interval.upper).toBeLessThanOrEqual(view.epsilon);
    // Noise for three was asked, and four gave some.
    expect(epsilon).toBeLessThan(0.9 * MARGINALS.epsilon);
    expect(seed).toBeNull();
    // Sums of all records: Gaussian DP.
    expect(order).toBe(1);
    expect(participants.map(({ name, declaredRecords }) => [name, declaredRecords])).toEqual([
      ['east', 200],
      ['far [west]', 50],
      ['north', 100],
      ['south', 150],
    ]);
    expect(bytes.sentByEach).toBeGreaterThan(0);
    expect(bytes.sentByAll).toBeGreaterThan(3 * bytes.sentByEach * 0.9);
    expect(Object.keys(seconds).sort()).toEqual(
      ['federation', 'noise', 'records', 'rounds', 'table', 'total', 'training', 'views'].sort(),
    );
    expect(seconds.rounds).toHaveProperty('absorb');

    const events = lines.map((line) => JSON.parse(line).event);
    expect(events.slice(0, 3)).toEqual(['records', 'charter', 'noise']);
    const said = inWords(simulation);
    for (const words of ['coordinator and 1 participant', 'coordinator alone', 'another participant'])
      expect(said).toContain(`ε against ${words}`);
    expect(said).not.toContain('--seed');
    expect(inWords({ ...simulation, seed: '7' })).toContain('whoever knows the seed can subtract the noise');
  }, 120_000);

  test('what is wrong with the files is said with file, line and column, before anything is started', async () => {
    expect(await refusal({ participants: [at('none-*.csv')] })).toMatchObject({
      exitCode: EXIT.refused,
      message: expect.stringMatching(/^No file matches .*none-\*\.csv/),
    });
    expect((await refusal({ participants: [at('{north,south}.csv')] })).message).toMatch(
      /matches 2 files; a federation has 3 to 1024/,
    );
    // A name with a pattern's signs is a name first.
    expect((await refusal({ participants: [at('far [west].csv')] })).message).toMatch(/matches 1 file;/);
    writeFileSync(at('bad.txt'), `${HEADER}\nnorth,true,20\nnorth,maybe,30\n`);
    const bad = await refusal({ participants: [at('*.csv'), at('bad.txt')] });
    expect(bad.exitCode).toBe(EXIT.refused);
    expect(bad.message).toMatch(/bad\.txt: line 3, column "smoker": /);
    expect(bad.message).not.toContain('maybe');
  });

  test('options, cohort, budget and place that cannot be are refused with the knob to turn', async () => {
    expect((await refusal({ synthesizer: 'nothing' })).message).toMatch(/there are: gan, marginals/);
    expect(await refusal({ options: { noiseMultiplier: 3 } })).toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringContaining('the noise follows from --epsilon'),
    });
    expect((await refusal({ options: { iteration: 3 } })).message).toContain('iteration');
    expect((await refusal({ minParticipants: 5 })).message).toMatch(/--min-participants must be from 3 to 4/);
    expect((await refusal({ maxColluders: 3 })).message).toMatch(/give more files or allow fewer colluders/);
    expect((await refusal({ out: join(folder, 'missing', 'x.csv') })).message).toContain('ENOENT');
    // No Rényi order reaches this ε, and sampled sums have no cost in Gaussian DP.
    const tiny = { ...GAN, out: at('never.out'), epsilon: 1e-4, delta: 1e-9 };
    expect((await refusal(tiny)).message).toMatch(/raise --epsilon or --delta/);
  }, 60_000);

  test('a noise that no ring holds is refused with what would fit', async () => {
    const { exitCode, message } = await refusal({
      ...GAN,
      out: at('never.out'),
      options: { ...GAN.options, steps: 100_000, samplingRate: 1 },
      epsilon: 0.05,
    });
    expect(exitCode).toBe(EXIT.refused);
    expect(message).toMatch(/No noise that the ring holds .* bits, more than 32: set .*raise --epsilon/);
  }, 60_000);

  test('the command line is checked, and its help says what the seed and the declared counts are', async () => {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    registerSimulate(program);
    const [simulation] = program.commands as [Command];
    simulation.exitOverride();
    let help = '';
    simulation.configureOutput({ writeOut: (text) => (help += text), writeErr: () => undefined });
    simulation.outputHelp();
    expect(help).toMatch(/rounded to the nearest 50 \(at least 50\)/);
    expect(help).toMatch(/experiments and is not to be published/);
    const asked = ['simulate', '--schema', 's', '--participants', 'p', '--out', 'o', '--epsilon'];
    for (const wrong of [
      [...asked, '0', '--delta', '1e-6'],
      [...asked, '1', '--delta', '0.5'],
      [...asked, '1', '--delta', '1e-6', '--min-participants', '2'],
      [...asked, '1', '--delta', '1e-6', '--options', '[]'],
    ])
      await expect(program.parseAsync(wrong, { from: 'user' })).rejects.toThrow(/wanted|JSON object/);
  });
});

describe('the orders of a simulation’s charter', () => {
  test('are at most sixteen, and a committed plan costs hardly more than at the best order of all', () => {
    const all = Array.from({ length: 255 }, (_, i) => i + 1);
    for (const [epsilon, delta, samplingRate, count] of [
      [1, 1e-9, 1, 4],
      [0.2, 1e-6, 1, 4],
      [8, 1e-5, 1, 4],
      [3, 1e-6, 0.05, 450],
      [1, 1e-5, 0.01, 2000],
    ] as const) {
      const { noiseMultiplier } = calibrateNoise({ epsilon, delta, samplingRate, steps: count });
      const release = gaussianEvent(noiseMultiplier);
      const event = samplingRate === 1 ? release : poissonSampledEvent(samplingRate, release);
      const orders = ordersFor(epsilon, delta);
      expect(orders.length).toBeLessThanOrEqual(16);
      const costAt = (candidates: readonly number[]) => {
        const limit = commitToPlan({ epsilon, delta, orders: candidates }, [{ event, count }]);
        return epsilonOfUnits(limit, planUnits([{ event, count }], limit.orders));
      };
      expect(costAt(orders)).toBeLessThan(1.01 * costAt(all));
      // Sampled sums have no cost in Gaussian DP.
      expect(commitToPlan({ epsilon, delta, orders }, [{ event, count }]).orders[0] === 1).toBe(
        samplingRate === 1,
      );
    }
  });
});
