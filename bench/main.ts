import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchDemo } from './demo.js';
import { benchLearning } from './learning.js';
import { benchMasks } from './masks.js';
import { benchNoise } from './noise.js';
import { benchPrivacy } from './privacy.js';
import { benchQuality } from './quality.js';
import { benchSecagg, benchSecaggQuick } from './secagg.js';

/**
 * `npm run bench -- [--quick] [--only secagg,secagg-quick,masks,noise,privacy,learning,demo]`: JSON lines on standard output, first the machine,
 * then one record a measurement. Numbers are this machine's, at this moment: close other programs first.
 */
const BENCHES: ReadonlyMap<string, () => AsyncIterable<object>> = new Map([
  ['secagg', benchSecagg],
  ['secagg-quick', benchSecaggQuick],
  ['masks', benchMasks],
  ['noise', benchNoise],
  ['privacy', benchPrivacy],
  ['learning', benchLearning],
  ['demo', benchDemo],
  ['quality', benchQuality],
]);

/** The sizes are what is measured, so `--quick` leaves out the benches that start nine processes or take minutes. */
const QUICK: readonly string[] = ['secagg-quick', 'noise', 'learning'];

const ALL: readonly string[] = ['secagg', 'masks', 'noise', 'privacy', 'learning', 'demo'];

function usage(message: string): never {
  console.error(`bench: ${message}\nnpm run bench -- [--quick] [--only ${[...BENCHES.keys()].join(',')}]`);
  process.exit(2);
}

function selected(): readonly string[] {
  const { values } = (() => {
    try {
      return parseArgs({ options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } } });
    } catch (error) {
      return usage((error as Error).message);
    }
  })();
  if (values.only === undefined) return values.quick ? QUICK : ALL;
  const names = values.only.split(',');
  const unknown = names.filter((name) => !BENCHES.has(name));
  if (unknown.length > 0) usage(`there is no bench "${unknown.join(', ')}"`);
  return names;
}

function print(line: object): void {
  console.log(JSON.stringify(line));
}

const names = selected();
const processors = cpus();
print({
  bench: 'machine',
  cpu: processors[0]?.model ?? 'unknown',
  cores: processors.length,
  memoryGiB: Number((totalmem() / 2 ** 30).toFixed(1)),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
});
for (const name of names) {
  try {
    for await (const record of BENCHES.get(name)!()) print(record);
  } catch (error) {
    print({ bench: name, failed: (error as Error).message });
    process.exitCode = 1;
  }
}
