import { conditionsOf } from '../synthesis/conditions.js';
import { type Published, sampleRows, seedOf } from '../synthesis/sampling.js';
import type { Row } from '../synthesis/synthesizer.js';
import { readCharter, synthesisContext } from './charter.js';
import { asRefusal, FederationError } from './errors.js';
import type { Blobs, CharterRecord, RunRecord, Store } from './ports.js';
import type { QualityService } from './quality.js';
import type { Samples } from './service.js';

/** Releases kept ready, so that the next page need not read them again. */
const KEPT_RELEASES = 4;

/** Post-processing of a release: free of charge, as often as anybody asks. */
export function createSamples(
  store: Store,
  blobs: Blobs,
  gates: Pick<QualityService, 'assertReleasable'>,
): Samples {
  const ready = new Map<string, Published>();

  async function published(runId: string): Promise<Published> {
    const { run, charter, digest } = await releasedRun(store, runId);
    await gates.assertReleasable(run);
    const key = `${runId} ${digest}`;
    const kept = ready.get(key);
    if (kept !== undefined) return kept;
    const own = {
      context: synthesisContext(readCharter(charter.body)),
      kind: run.synthesizer,
      options: run.options,
      release: await bytesOf(runId, digest),
    };
    const [oldest] = ready.keys();
    if (ready.size >= KEPT_RELEASES && oldest !== undefined) ready.delete(oldest);
    ready.set(key, own);
    return own;
  }

  async function bytesOf(runId: string, digest: string): Promise<Uint8Array> {
    const bytes = await blobs.get(digest);
    if (bytes === undefined) throw new Error(`the release blob of run ${runId} is missing`);
    return bytes;
  }

  return {
    async rows(runId, request) {
      const { seed, offset, count } = request;
      if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(count) || count < 0)
        throw new FederationError('InvalidInput', 'offset and count must be whole numbers of at least 0.');
      const own = await published(runId);
      try {
        const rows = sampleRows(own, { seed: seedOf(seed), offset, count, ...conditionsOf(request) });
        return await begun(rows);
      } catch (cause) {
        throw asRefusal(cause);
      }
    },
    async release(runId) {
      const { run, digest } = await releasedRun(store, runId);
      await gates.assertReleasable(run);
      return bytesOf(runId, digest);
    },
  };
}

async function releasedRun(
  store: Store,
  runId: string,
): Promise<{ readonly run: RunRecord; readonly charter: CharterRecord; readonly digest: string }> {
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
  return { run, charter, digest: run.releaseDigest };
}

/** The rows, of which the first is there: whoever refuses does so before an answer has begun. */
async function begun(rows: AsyncIterable<Row>): Promise<AsyncIterable<Row>> {
  const iterator = rows[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}
