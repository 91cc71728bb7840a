import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { synthesizerKinds, synthesizerOf } from '../../src/synthesis/index.js';
import { readCsv } from '../../src/synthesis/table/csv.js';
import type { RecordSource } from '../../src/synthesis/table/records.js';
import { parseTableSchema } from '../../src/synthesis/table/schema.js';
import { databases } from '../store/databases.js';
import { rngOf, smallContext, smallRecords } from '../synthesis/fixtures.js';
import { type Choir, openChoir, SCHEMA } from './harness.js';

/*
 * Hazard P11. A sampler that rejects takes a time that depends on what it draws; while records are at hand, that time could tell of
 * them. So all of the noise is drawn before the first record is touched, and what is asked of the generator, how often and in
 * which order, is the same whatever the records are. Tested by the order of calls: a stopwatch would only test the machine.
 */

/** What a participant did for one sum: lengths that it asked of its generator, and where it touched its records. */
type Trace = readonly (number | 'records')[];

/** All randomness comes before the records. */
const noiseFirst = (trace: Trace): boolean =>
  trace.length > 1 && trace.indexOf('records') === trace.length - 1;

// A fresh database on the server takes a tenth of PGlite's time.
const fresh = databases[1]!.use();

let choir: Choir | undefined;
afterEach(async () => {
  await choir?.close();
  choir = undefined;
});

/** The traces of the first member's sums in a run of three, with these rows as its records. */
async function tracesWith(rows: readonly string[]): Promise<Trace[]> {
  choir = await openChoir(await fresh.open(), { seed: 'noise first' });
  const member = choir.members[0]!;
  const csv = Readable.from([`a,b,c\n${rows.join('\n')}\n`]);
  const records = await readCsv(csv, parseTableSchema(SCHEMA));
  const traces: Trace[] = [];
  let start = 0;
  let touched: number | undefined;
  // The session keeps its source and looks through it at the rows above; the first touch is noted.
  Object.assign(member.records, {
    sample(...asked: Parameters<RecordSource['sample']>) {
      touched ??= member.drawn.length;
      return records.sample(...asked);
    },
  });
  member.conduct = () => {
    start = member.drawn.length;
    touched = undefined;
    return 'answer';
  };
  member.alter = (task, message) => {
    if (task.kind === 'masked-input') {
      const lengths = member.drawn.slice(start).map(({ length }) => length);
      const before = (touched ?? Number.POSITIVE_INFINITY) - start;
      traces.push([...lengths.slice(0, before), 'records', ...lengths.slice(before)]);
    }
    return message;
  };
  await choir.finished(await choir.start());
  await records.close();
  await choir.close();
  choir = undefined;
  return traces;
}

describe('hazard P11: the time that noise takes tells nothing of records', () => {
  it('draws all randomness of a sum before its records are touched, the same whatever they are', async () => {
    const one = await tracesWith(['x,x,x']);
    const many = await tracesWith(Array.from({ length: 3000 }, (_, i) => `${'xyz'[i % 3]},y,z`));
    expect(one).toHaveLength(3);
    for (const trace of [...one, ...many]) expect(trace).toSatisfy(noiseFirst);
    expect(many).toEqual(one);
    // The noise, at least four bytes a coordinate, and one seed for the records.
    for (const trace of one) {
      const lengths = trace.slice(0, -1) as number[];
      expect(lengths.at(-1)).toBe(32);
      expect(lengths.slice(0, -1).reduce((total, length) => total + length, 0)).toBeGreaterThan(4 * 45);
    }
  });

  it('control: a participant that samples records first, or draws as it goes, is found out', () => {
    expect(noiseFirst([256, 32, 'records'])).toBe(true);
    expect(noiseFirst(['records', 32, 256])).toBe(false);
    expect(noiseFirst([32, 'records', 256])).toBe(false);
    expect(noiseFirst([256, 32])).toBe(false);
  });

  it.each(synthesizerKinds)('%s takes one seed for a sum before it touches a record', async (kind) => {
    const synthesizer = synthesizerOf(kind);
    const options = synthesizer.parseOptions({});
    const state = await synthesizer.initialState(smallContext(), options, new Uint8Array(32));
    const { query, models } = synthesizer.nextQuery(state)!;
    const traceOf = async (count: number): Promise<Trace> => {
      const trace: (number | 'records')[] = [];
      const rng = rngOf(count);
      const records = await smallRecords(count);
      const watched: RecordSource = {
        ...records,
        sample(...asked) {
          trace.push('records');
          return records.sample(...asked);
        },
      };
      await synthesizer.contribute(query, models, watched, (length) => {
        trace.push(length);
        return rng(length);
      });
      return trace;
    };
    expect(await traceOf(1)).toEqual([32, 'records']);
    expect(await traceOf(2000)).toEqual([32, 'records']);
  });
});
