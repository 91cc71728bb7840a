import { describe, expect, it } from 'vitest';
import { InvalidOptions } from '../../../src/synthesis/errors.js';
import { synthesizerKinds, synthesizerOf } from '../../../src/synthesis/index.js';
import { CHECKS } from './checks.js';
import { KINDS } from './kinds.js';
import type { Subject } from './run.js';

describe('the suite that every synthesizer passes', () => {
  it.each(synthesizerKinds)('has an entry for %s', (kind) => {
    expect(KINDS[kind], `add "${kind}" to test/synthesis/suite/kinds.ts`).toBeDefined();
  });

  const runs = Object.entries(KINDS).flatMap(([kind, { context, runs }]) =>
    runs.map((options, run) => ({ kind, run, options, context })),
  );
  describe.each(runs)('$kind, run $run', ({ kind, options, context }) => {
    const synthesizer = synthesizerOf(kind);
    const subject: Subject = { synthesizer, options: synthesizer.parseOptions(options), context };
    it.each(Object.entries(CHECKS))('%s', (_, check) => check(subject));
  });

  it.each(synthesizerKinds)(
    '%s has defaults for all of its options, and names one that it does not know',
    (kind) => {
      const { parseOptions } = synthesizerOf(kind);
      expect(parseOptions(undefined)).toEqual(parseOptions({}));
      expect(() => parseOptions({ surprise: 1 })).toThrow(InvalidOptions);
      expect(() => parseOptions({ surprise: 1 })).toThrow(/surprise/);
    },
  );
});
