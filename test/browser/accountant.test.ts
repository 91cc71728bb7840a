import { gzipSync } from 'node:zlib';
import * as accountant from 'chorale/privacy';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleForBrowser } from './bundle.js';
import { chromiumPlatform, withChromium } from './chromium.js';

/** Calls as a page writes them, with every accountant in them and each sort of argument. */
const calls = [
  `rdp(selfComposedEvent(poissonSampledEvent(0.01, gaussianEvent(1)), 1000))[0]`,
  `epsilonBounds(selfComposedEvent(poissonSampledEvent(0.01, gaussianEvent(1)), 1000), { delta: 1e-5 })`,
  `epsilonInterval(composedEvent([gaussianEvent(4), parseEvent({ version: 1, kind: 'laplace', noiseMultiplier: 2 })]), { delta: 1e-6 })`,
  `deltaInterval(selfComposedEvent(gaussianEvent(8), 16), { epsilon: 2, relation: 'replace-one' })`,
  `noiseFor({ epsilon: 1, delta: 1e-5, samplingRate: 0.05, steps: 100 })`,
  `explain(distributedDiscreteGaussianEvent({ contributors: 8, colluders: 1, dimension: 10, sensitivity: 20, shareVariance: { numerator: '400', denominator: '1' } }), { delta: 1e-6 })`,
];

/**
 * Equal but for the last digits: Math.sin and Math.cos, of which Fourier transforms are made, may differ in the last bit from
 * one version of V8 to the next. Each answer is a bound nevertheless.
 */
function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (typeof expected === 'number') {
    expect(Math.abs((actual as number) - expected), what).toBeLessThanOrEqual(1e-8 * Math.abs(expected));
  } else if (typeof expected === 'object' && expected !== null) {
    const entries = Object.entries(expected);
    expect(Object.keys(actual as object)).toEqual(entries.map(([key]) => key));
    for (const [key, value] of entries)
      expectSame((actual as Record<string, unknown>)[key], value, `${what}: ${key}`);
  } else expect(actual, what).toBe(expected);
}

describe('the accountant runs without Node', () => {
  let bundle: Bundle;
  beforeAll(async () => {
    bundle = await bundleForBrowser('dist/src/privacy/index.js');
  });

  it('its bundle imports nothing, and has no code but its own and that of zod', async ({ annotate }) => {
    expect(bundle.imports).toEqual([]);
    const foreign = bundle.modules.filter(
      (id) => !/^(dist\/src\/privacy|node_modules\/zod)\/|rolldown/.test(id),
    );
    expect(foreign).toEqual([]);
    const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;
    await annotate(
      `the accountant's bundle: ${kib(bundle.code.length)} minified, ${kib(gzipSync(bundle.code).length)} with gzip`,
    );
  });

  it.skipIf(!chromiumPlatform)('in Chromium, its answers are those of Node', async ({ annotate }) => {
    await withChromium(bundle.code, async (page) => {
      await annotate(`Chromium ${page.version}`);
      expect(await page.evaluate('[typeof process, typeof require, typeof Buffer]')).toEqual(
        Array(3).fill('undefined'),
      );
      for (const call of calls) {
        const onPage = await page.evaluate(`(() => { with (chorale) return ${call}; })()`);
        const inNode = new Function('chorale', `with (chorale) return ${call};`)(accountant);
        expectSame(onPage, inNode, call);
      }
      expect(page.requests).toEqual([]);
    });
  });
});
