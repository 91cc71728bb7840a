import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { registerAudit } from '../../src/cli/commands/audit.js';
import { EXIT, explain } from '../../src/cli/exits.js';
import { drawRecords, sourceOf } from '../../src/evaluation/audit/inventedRecords.js';
import { type AuditRequest, auditTraining, requirePassed } from '../../src/evaluation/audit/oneRun.js';
import { vectorCanaries } from '../../src/evaluation/audit/vectorCanaries.js';
import { parseCharter } from '../../src/federation/charter.js';
import { sampleDiscreteGaussian } from '../../src/privacy/noise/discreteGaussian.js';
import { quantize } from '../../src/privacy/quantization.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { type AnySynthesizer, synthesizerOf } from '../../src/synthesis/index.js';
import type { SynthesisContext } from '../../src/synthesis/synthesizer.js';
import { cellsOf, tableEncoding } from '../../src/synthesis/table/encoding.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { sumQuery } from '../privacy/support.js';
import { mixedSchema, rngOf, smallSchema } from '../synthesis/fixtures.js';

const gan = synthesizerOf('gan');
const OPTIONS = { criticHidden: [8], generatorHidden: [8], latent: 4, generatorBatch: 32 };
const noShare = ({ dimension }: SumQuery): Int32Array => new Int32Array(dimension);

const schemaOf = (columns: number, categories: number) => ({
  fields: Array.from({ length: columns }, (_, i) => ({
    name: `column ${i}`,
    type: 'string',
    constraints: { required: true, enum: Array.from({ length: categories }, (_, j) => `v${j}`) },
  })),
});

const contextOf = (columns: number, categories: number): SynthesisContext => ({
  schema: parseTableSchema(schemaOf(columns, categories)),
  members: Array.from({ length: 4 }, (_, i) => ({ id: `member-${i}`, declaredRecords: 300 })),
  cohort: { minSurvivors: 3, maxColluders: 1 },
});

/** A run of the GAN for which the accountant says ε ≈ 2, audited with 128 vectors. */
function request(seed: number, change: Partial<AuditRequest> = {}): AuditRequest {
  return {
    synthesizer: gan,
    context: contextOf(8, 8),
    options: gan.parseOptions({ ...OPTIONS, steps: 20, samplingRate: 0.5, noiseMultiplier: 5 }),
    records: undefined,
    kind: 'vector',
    canaries: 128,
    delta: 1e-6,
    confidence: 0.95,
    rng: rngOf(seed, 'audit'),
    seed: new Uint8Array(32).fill(seed),
    ...change,
  };
}

/*
 * A right run fails with probability 5 % at most, by the theorem; the seeds are fixed. In fact far less often: to show ε at its
 * accounted value an attack would have to be as good as the accountant's worst case, and no δ may be left over.
 */
describe('the audit of a real training', () => {
  it('stays below the accounted ε where the noise is right, and says how far it could have seen', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const audit = await auditTraining(request(seed));
      expect(audit).toMatchObject({ version: 1, kind: 'vector', steps: 20, canaries: 128, passed: true });
      expect(audit.epsilonEmpirical).toBeLessThan(audit.epsilonAccounted);
      expect(audit.epsilonAccounted).toBeLessThan(audit.epsilonDetectable);
      expect(() => requirePassed(audit)).not.toThrow();
    }
  });

  it('fails the release of a run whose noise was turned off', async () => {
    const audit = await auditTraining(request(1, { drawShare: noShare }));
    expect(audit.epsilonEmpirical).toBeGreaterThan(audit.epsilonAccounted);
    expect(audit.passed).toBe(false);
    expect(() => requirePassed(audit)).toThrow(
      expect.objectContaining({ name: 'EvaluationError', code: 'AuditFailed' }),
    );
  });

  it('finds noise that is ten times too small', async () => {
    const audit = await auditTraining(
      request(1, {
        options: gan.parseOptions({ ...OPTIONS, steps: 20, samplingRate: 1, noiseMultiplier: 8 }),
        drawShare: ({ encoding, dimension }, rng) =>
          sampleDiscreteGaussian(encoding.shareVariance, dimension, rng).map((x) => Math.trunc(x / 10)),
      }),
    );
    expect(audit.passed).toBe(false);
  });

  it('is not misled by other records: what they add is known to the auditor', async () => {
    const { schema } = contextOf(8, 8);
    const records = await sourceOf(schema, drawRecords(schema, 400, rngOf(9)));
    const right = await auditTraining(request(1, { records }));
    expect(right.passed).toBe(true);
    const silent = await auditTraining(request(1, { records, drawShare: noShare }));
    expect(silent.passed).toBe(false);
  });

  it('sends invented records the whole way, clipping included, and finds them in sums without noise', async () => {
    const change = {
      kind: 'record',
      context: contextOf(8, 64),
      canaries: 48,
      options: gan.parseOptions({ ...OPTIONS, steps: 10, samplingRate: 1, noiseMultiplier: 12 }),
    } as const;
    const right = await auditTraining(request(3, change));
    expect(right).toMatchObject({ kind: 'record', passed: true });
    const silent = await auditTraining(request(3, { ...change, drawShare: noShare }));
    expect(silent.passed).toBe(false);
    expect(silent.rightGuesses).toBeGreaterThan(0.95 * silent.guesses);
  });

  it('refuses to pass what it could not have caught', async () => {
    await expect(auditTraining(request(1, { canaries: 8 }))).rejects.toThrow(
      expect.objectContaining({ code: 'AuditTooSmall', message: expect.stringMatching(/take \d+ canaries/) }),
    );
    const costly = gan.parseOptions({ ...OPTIONS, steps: 20, noiseMultiplier: 0.1 });
    await expect(auditTraining(request(1, { options: costly }))).rejects.toThrow(/no number of canaries/);
    await expect(auditTraining(request(1, { canaries: 4096 }))).rejects.toThrow(/no room for 4096/);
  });
});

describe('vectors as canaries', () => {
  /** One step that asks everybody, of somebody who holds no records, with every canary in. */
  const sumOfCanaries = async (change: Parameters<typeof sumQuery>[0]) => {
    const query = sumQuery({ dimension: 16, ...change });
    const silent: AnySynthesizer = { ...gan, contribute: async () => new Float64Array(16) };
    const own = await sourceOf(contextOf(2, 2).schema, []);
    const game = vectorCanaries(silent, own, 4, (length) => new Uint8Array(length).fill(0xff));
    const sum = await game.contribute({ query, models: new Map() }, rngOf(1));
    return { query, sum, canaries: [...sum].filter((value) => value !== 0) };
  };

  it('are as long as the sensitivity, rounded down to the grid, so that exact rounding takes them', async () => {
    for (const [l2Sensitivity, maxCoordinate, length] of [
      [1.25, 5, 1.25],
      [Math.SQRT2, 8, 1.25],
      [0.25, 8, 0.25],
    ] as const) {
      const encoding = { grid: 0.25, rounding: 'exact', maxCoordinate } as const;
      const { query, sum, canaries } = await sumOfCanaries({ l2Sensitivity, encoding });
      expect(canaries).toEqual(new Array(4).fill(length));
      // And whole: nothing is clamped away.
      expect(quantize(query, sum).filter((steps) => steps !== 0)).toEqual(new Int32Array(4).fill(4 * length));
      // Control: the sensitivity as it stands would be refused where it is off the grid.
      const raw = sum.map((value) => (value === 0 ? 0 : l2Sensitivity));
      if (l2Sensitivity !== length) expect(() => quantize(query, raw)).toThrow(/grid/);
    }
  });

  it.each([
    ['a clamp below the sensitivity', { l2Sensitivity: 1.5, encoding: { grid: 0.25, maxCoordinate: 5 } }],
    ['a sensitivity below a grid step', { l2Sensitivity: 0.2, encoding: { grid: 0.25, maxCoordinate: 5 } }],
  ])(
    'are refused for %s: they would be gone, and the audit would pass whatever it met',
    async (_, change) => {
      await expect(sumOfCanaries(change)).rejects.toThrow(
        expect.objectContaining({
          name: 'EvaluationError',
          code: 'AuditInvalid',
          message: expect.stringMatching(/1 to 5: .*records as canaries/),
        }),
      );
    },
  );
});

describe('invented records', () => {
  it('are different, valid by the schema, and drawn from it alone', () => {
    const schema = mixedSchema();
    const rows = drawRecords(schema, 500, rngOf(1));
    expect(new Set(rows.map((row) => row.join())).size).toBe(500);
    const encoding = tableEncoding(schema);
    for (const row of rows) {
      const cells = cellsOf(encoding, { count: 1, rows: row });
      cells.forEach((cell, f) => {
        expect(cell).toBeLessThan(encoding.blocks[f]!.cells);
      });
    }
    expect(drawRecords(schema, 500, rngOf(1))).toEqual(rows);
  });

  it('are refused where the schema has too few', () => {
    expect(() => drawRecords(smallSchema(), 14, rngOf(1))).toThrow(
      expect.objectContaining({ code: 'AuditTooSmall' }),
    );
  });
});

describe('chorale audit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chorale-audit-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => {
    vi.restoreAllMocks();
  });
  const charter = join(folder, 'charter.json');
  writeFileSync(
    charter,
    JSON.stringify(
      parseCharter({
        chorale: 1,
        federation: 'audit',
        version: 1,
        previous: null,
        members: Array.from({ length: 4 }, (_, i) => ({
          id: `member-${i}`,
          name: `Member ${i}`,
          publicKey: String(i).repeat(64),
          declaredRecords: 300,
        })),
        schema: schemaOf(8, 8),
        privacy: { unit: 'record', relation: 'add-remove', epsilon: 3, delta: 1e-6, orders: [8] },
        cohort: { minSurvivors: 3, maxColluders: 1 },
      }),
    ),
  );

  async function audit(...more: string[]) {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
    const program = new Command('chorale').option('--json').exitOverride();
    registerAudit(program);
    const options = JSON.stringify({ ...OPTIONS, steps: 20, samplingRate: 0.5, noiseMultiplier: 5 });
    const ran = program.parseAsync(
      ['audit', '--charter', charter, '--options', options, '--canaries', '128', '--seed', 'fixed', ...more],
      { from: 'user' },
    );
    const failure = await ran.then(
      () => undefined,
      (error: unknown) => explain(error),
    );
    return { lines, failure };
  }

  it('prints both numbers and the verdict', async () => {
    const { lines, failure } = await audit();
    expect(failure).toBeUndefined();
    expect(lines.join('\n')).toMatch(/ε empirical {2}≥ \d\.\d{4} {3}with 95 % confidence/);
    expect(lines.join('\n')).toMatch(/ε accounted {2}≤ 1\.6[5-7]\d{2}/);
    expect(lines.join('\n')).toContain('Passed');
  });

  it('with --json prints the same as a line of JSON, the same for the same seed', async () => {
    const [first, second] = [await audit('--json'), await audit('--json')];
    expect(second).toEqual(first);
    expect(first.failure).toBeUndefined();
    expect(JSON.parse(first.lines.at(-1)!)).toMatchObject({
      event: 'audit',
      passed: true,
      canaries: 128,
      confidence: 0.95,
      epsilonEmpirical: expect.any(Number),
      epsilonAccounted: expect.any(Number),
    });
  });

  it('exits with a typed error where the noise is off, after it has printed the numbers', async () => {
    const { lines, failure } = await audit('--json', '--control', 'no-noise');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ event: 'audit', passed: false });
    expect(failure).toMatchObject({ exitCode: EXIT.refused, code: 'AuditFailed' });
    expect(EXIT.refused).not.toBe(0);
  });

  it('refuses records that are not of the charter’s schema', async () => {
    const csv = join(folder, 'other.csv');
    writeFileSync(csv, 'a,b\n1,2\n');
    const { failure } = await audit('--records', csv);
    expect(failure).toMatchObject({ exitCode: EXIT.refused });
  });
});
