import { hexToBytes } from '@noble/hashes/utils.js';
import { InvalidOptions } from '../synthesis/index.js';
import { sampleRows } from '../synthesis/sampling.js';
import type { ReleasedRun, Synthesizer } from '../synthesis/synthesizer.js';
import { readCharter, synthesisContext } from './charter.js';
import type { DriverPorts } from './driver.js';
import type { RunRecord } from './ports.js';

/** Where the store says that a run stands: its first state, or that after its last sum. */
export async function loadState<Options, State>(
  ports: Pick<DriverPorts, 'store' | 'blobs'>,
  run: RunRecord,
  synthesizer: Synthesizer<Options, State>,
  options: Options,
  context: ReturnType<typeof synthesisContext>,
): Promise<State> {
  if (run.stateDigest === null) {
    const wanted = synthesizer.inputs?.(options) ?? [];
    const inputs = await Promise.all(wanted.map((input) => releasedRun(ports, input)));
    return synthesizer.initialState(context, options, hexToBytes(run.seed), inputs);
  }
  const bytes = await ports.blobs.get(run.stateDigest);
  if (bytes === undefined) throw new Error(`the state blob of run ${run.id} at step ${run.step} is missing`);
  return synthesizer.decodeState(context, options, bytes);
}

/** What another run released; it was there when this one was proposed, and a release is never taken back. */
async function releasedRun(
  { store, blobs }: Pick<DriverPorts, 'store' | 'blobs'>,
  runId: string,
): Promise<ReleasedRun> {
  const { run, charter } = await store.transaction(async (tx) => {
    const found = (await tx.run(runId))!;
    return { run: found, charter: readCharter((await tx.charter(found.charterDigest))!.body) };
  });
  const digest = run.releaseDigest as string;
  const release = await blobs.get(digest);
  if (release === undefined) throw new Error(`the release blob of run ${runId} is missing`);
  const { synthesizer: kind, options } = run;
  const context = synthesisContext(charter);
  return { runId, digest, kind, rows: (request) => sampleRows({ context, kind, options, release }, request) };
}

/** Stopped before its first release a run publishes nothing. */
export function releaseOf<State>(
  synthesizer: Synthesizer<unknown, State>,
  state: State,
): Uint8Array | undefined {
  try {
    return synthesizer.release(state);
  } catch (error) {
    if (error instanceof InvalidOptions && error.option === 'release') return undefined;
    throw error;
  }
}
