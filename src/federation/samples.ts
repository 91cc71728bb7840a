import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { synthesizerOf } from '../synthesis/index.js';
import { readCharter, synthesisContext } from './charter.js';
import { FederationError } from './errors.js';
import type { Blobs, Store } from './ports.js';
import type { Samples } from './service.js';

/** Post-processing of a release: free of charge, as often as anybody asks. */
export function createSamples(store: Store, blobs: Blobs): Samples {
  return {
    async rows(runId, { seed, offset, count }) {
      if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(count) || count < 0)
        throw new FederationError('InvalidInput', 'offset and count must be whole numbers of at least 0.');
      const { run, charter } = await store.transaction(async (tx) => {
        const found = await tx.run(runId);
        if (found === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
        return { run: found, charter: (await tx.charter(found.charterDigest))! };
      });
      if (run.releaseDigest === null)
        throw new FederationError(
          'ReleaseNotReady',
          `Run ${runId} is ${run.status}: it has published nothing to sample from${run.status === 'running' ? ' yet' : ''}.`,
        );
      const release = await blobs.get(run.releaseDigest);
      if (release === undefined) throw new Error(`the release blob of run ${runId} is missing`);
      const synthesizer = synthesizerOf(run.synthesizer);
      return synthesizer.sample(
        synthesisContext(readCharter(charter.body)),
        synthesizer.parseOptions(run.options),
        release,
        // Any text is a seed; the row's randomness is derived from all of it.
        { seed: sha256(utf8ToBytes(`chorale/1 sample\0${seed}`)), offset, count },
      );
    },
  };
}
