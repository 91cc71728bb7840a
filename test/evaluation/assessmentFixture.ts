import { type Assessment, type AssessmentRequest, assess } from '../../src/evaluation/assess.js';
import { seededRng, uniforms } from '../../src/synthesis/randomness.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';

/** People with an income that depends on their age, hours and school, and with a group that is rare. */
export const SCHEMA_JSON = {
  fields: [
    { name: 'age', type: 'integer', constraints: { required: true, minimum: 18, maximum: 90 } },
    {
      name: 'school',
      title: 'School',
      type: 'string',
      constraints: { required: true, enum: ['none', 'primary', 'secondary', 'tertiary'] },
    },
    { name: 'hours', type: 'number', constraints: { minimum: 0, maximum: 80 } },
    {
      name: 'group',
      type: 'string',
      constraints: { required: true, enum: ['north', 'south', 'island'] },
      'chorale:protected': true,
    },
    { name: 'distance', type: 'number', constraints: { required: true, minimum: 0, maximum: 1000 } },
    {
      name: 'income',
      type: 'string',
      constraints: { required: true, enum: ['low', 'high'] },
      'chorale:label': true,
    },
  ],
};
export const SCHEMA = parseTableSchema(SCHEMA_JSON);

const SCHOOLS = ['none', 'primary', 'secondary', 'tertiary'];

/** `count` independent people of the same origin; equal label, equal people. */
export function people(count: number, label: string): Row[] {
  const draws = uniforms(seededRng(new Uint8Array(8), `people ${label}`), count * 8);
  return Array.from({ length: count }, (_, i) => {
    const [a, s, h, g, d, y, m] = draws.subarray(8 * i, 8 * i + 8) as unknown as number[];
    const age = 18 + Math.floor(73 * a! * a!);
    const school = Math.min(3, Math.floor(4 * s! ** (age > 50 ? 1.6 : 0.7)));
    const hours = m! < 0.1 ? null : h! < 0.4 ? 40 : Math.round(800 * h!) / 10;
    const odds = -4 + 1.2 * school + 0.05 * (age - 30) + 0.05 * ((hours ?? 20) - 30);
    return {
      age,
      school: SCHOOLS[school]!,
      hours,
      group: g! < 0.6 ? 'north' : g! < 0.94 ? 'south' : 'island',
      distance: Math.round(d! ** 3 * 1e6) / 1000,
      income: y! < 1 / (1 + Math.exp(-odds)) ? 'high' : 'low',
    };
  });
}

export const TRAIN = people(3000, 'train');
export const HOLD_OUT = people(2000, 'hold-out');
/** The best generator there is: people nobody has met. */
export const FRESH = people(3000, 'fresh');

export function assessed(
  synthetic: readonly Row[],
  change: Partial<AssessmentRequest> = {},
): Promise<Assessment> {
  return assess({
    schema: SCHEMA,
    train: TRAIN,
    real: HOLD_OUT,
    synthetic,
    seed: new TextEncoder().encode('test'),
    ...change,
  });
}

export function verdictOn(assessment: Assessment, topic: string): string {
  const found = assessment.verdicts.find((verdict) => verdict.topic === topic);
  if (found === undefined) throw new Error(`no verdict on ${topic}`);
  return found.level;
}

/** The rows with one column in another order: its distribution stays, its relations go. */
export function shuffledColumn(rows: readonly Row[], column: string): Row[] {
  const draws = uniforms(seededRng(new Uint8Array(8), `shuffled ${column}`), rows.length);
  const order = [...rows.keys()].sort((a, b) => draws[a]! - draws[b]!);
  return rows.map((row, i) => ({ ...row, [column]: rows[order[i]!]![column]! }));
}
