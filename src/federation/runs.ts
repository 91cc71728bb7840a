import { bytesToHex } from '@noble/hashes/utils.js';
import type { Json } from '../crypto/canonical.js';
import { canonicalJson } from '../crypto/canonical.js';
import type { Rng } from '../crypto/rng.js';
import type { CommittedCost } from '../privacy/filter.js';
import { QUALITY, synthesizerOf } from '../synthesis/index.js';
import { type Charter, readCharter, synthesisContext } from './charter.js';
import { FederationError, refusingInput } from './errors.js';
import { assertCanBeCharged } from './ledger.js';
import { planDigest, totalSteps } from './plan.js';
import type { Bus, CharterRecord, RunRecord, Store, Transaction } from './ports.js';
import type { Runs } from './service.js';

export interface RunPorts {
  readonly store: Store;
  readonly bus: Bus;
  readonly rng: Rng;
  /** Starts driving a run that was approved. */
  readonly start: (runId: string) => void;
  /** Stops driving a run that was cancelled; resolves when its driver is gone and what it had open is settled. */
  readonly stop: (runId: string) => Promise<void>;
}

const FINISHED: readonly RunRecord['status'][] = ['completed', 'stopped', 'aborted'];

export function isFinished(run: RunRecord): boolean {
  return FINISHED.includes(run.status);
}

export function createRuns({ store, bus, rng, start, stop }: RunPorts): Runs {
  return {
    propose({ synthesizer: kind, options, proposedBy }) {
      return store.transaction(async (tx) => {
        const charter = (await tx.charters()).find((c) => c.status === 'active');
        if (charter === undefined)
          throw new FederationError(
            'CharterNotActive',
            'No charter is active: every member must sign it before a run.',
          );
        const { parsed, plan, inputs } = refusingInput(() => {
          const synthesizer = synthesizerOf(kind);
          const checked = synthesizer.parseOptions(options);
          return {
            parsed: checked,
            inputs: synthesizer.inputs?.(checked) ?? [],
            plan: synthesizer.plan(synthesisContext(readCharter(charter.body)), checked),
          };
        });
        await assertCanBeCharged(tx, plan);
        for (const input of inputs) await assertReleased(tx, input, charter);
        return tx.insertRun({
          id: bytesToHex(rng(6)),
          charterDigest: charter.digest,
          synthesizer: kind,
          // With the defaults filled in, so that another version's defaults can't change a run.
          options: parsed as Json,
          seed: bytesToHex(rng(32)),
          plan: plan as unknown as Json,
          planDigest: planDigest(plan),
          status: 'proposed',
          proposedBy,
          approvedBy: null,
          step: 0,
          totalSteps: totalSteps(plan),
          stateDigest: null,
          releaseDigest: null,
          reason: null,
          progress: {},
        });
      });
    },

    async approve(runId, approvedBy) {
      const run = await store.transaction(async (tx) => {
        const proposed = await tx.run(runId);
        if (proposed === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
        if (proposed.proposedBy === approvedBy)
          throw new FederationError(
            'Conflict',
            'A run is approved by a second person, not by the one who proposed it.',
          );
        if (proposed.status !== 'proposed') {
          if (proposed.approvedBy === approvedBy) return proposed;
          throw new FederationError('Conflict', `Run ${runId} is ${proposed.status} already.`);
        }
        const [other] = await tx.runs('running');
        // A participant holds the keys of one block: two runs at once would take each other's members.
        if (other !== undefined)
          throw new FederationError(
            'Conflict',
            `Run ${other.id} is still running: approve this one when it is over.`,
          );
        // Another run may have fixed the order since it was proposed.
        await assertCanBeCharged(tx, proposed.plan as unknown as readonly CommittedCost[]);
        return tx.updateRun(runId, { status: 'running', approvedBy });
      });
      bus.publish(`run:${runId}`);
      if (!isFinished(run)) start(runId);
      return run;
    },

    async cancel(runId, by) {
      await stop(runId);
      const run = await store.transaction(async (tx) => {
        const standing = await tx.run(runId);
        if (standing === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
        if (isFinished(standing)) return standing;
        return tx.updateRun(runId, { status: 'aborted', reason: `cancelled by ${by}` });
      });
      bus.publish(`run:${runId}`);
      return run;
    },

    run: (runId) => store.transaction((tx) => tx.run(runId)),

    async *watch(runId, signal) {
      let wake = () => {};
      let dirty = true;
      const notify = () => {
        dirty = true;
        wake();
      };
      const unsubscribe = bus.subscribe(`run:${runId}`, notify);
      signal.addEventListener('abort', notify, { once: true });
      try {
        let last = '';
        while (!signal.aborted) {
          if (!dirty) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            continue;
          }
          dirty = false;
          const run = await store.transaction((tx) => tx.run(runId));
          if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
          const mark = `${run.status}/${run.step}`;
          if (mark !== last) yield run;
          last = mark;
          if (isFinished(run)) return;
        }
      } finally {
        unsubscribe();
        signal.removeEventListener('abort', notify);
      }
    },
  };
}

/** A run can build on what was released of the same table: under the same schema, with the same records held out. */
async function assertReleased(tx: Transaction, runId: string, active: CharterRecord): Promise<void> {
  const run = await tx.run(runId);
  if (run === null) throw new FederationError('NotFound', `There is no run ${runId}.`);
  if (run.synthesizer === QUALITY)
    throw new FederationError(
      'InvalidInput',
      `Run ${runId} is a measurement itself: name the run that it measured.`,
    );
  if (run.releaseDigest === null)
    throw new FederationError(
      'ReleaseNotReady',
      `Run ${runId} is ${run.status}: it has released nothing to build on.`,
    );
  const [own, now] = [readCharter((await tx.charter(run.charterDigest))!.body), readCharter(active.body)];
  if (canonicalJson(own.schema) !== canonicalJson(now.schema))
    throw new FederationError(
      'InvalidInput',
      `Run ${runId} is under a charter with another schema than the active one.`,
    );
  assertSameParts(runId, own, now);
}

/** What counts as held out must not have been trained on, nor what counts as trained on have been left out of it. */
function assertSameParts(runId: string, own: Charter, now: Charter): void {
  if (own.holdOut !== now.holdOut)
    throw new FederationError(
      'InvalidInput',
      `Run ${runId} was trained with ${own.holdOut ?? 0} of the records held out, the active charter names ${now.holdOut ?? 0}: ` +
        'what it would be measured on is not what it was kept from. Measure it before the charter changes, or run it again.',
    );
  const keys = new Set(own.members.map(({ publicKey }) => publicKey));
  const newcomers = now.members.filter(({ publicKey }) => !keys.has(publicKey));
  if (newcomers.length > 0)
    throw new FederationError(
      'InvalidInput',
      `Run ${runId} was made without ${newcomers.map(({ name }) => name).join(', ')}, whose records would be measured as its own: run it again.`,
    );
}
