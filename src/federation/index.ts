import type { MaskWork } from '../crypto/maskWork.js';
import type { Primitives } from '../crypto/primitives.js';
import type { Rng } from '../crypto/rng.js';
import { createCompliance } from './compliance.js';
import { abandonRun, DEFAULT_TIMING, type DriverPorts, driveRun, type RunTiming } from './driver.js';
import { createEnrolment } from './enrolment.js';
import { createDesk } from './exchange.js';
import type { Blobs, Bus, Clock, Store } from './ports.js';
import { createQuality } from './quality.js';
import { createRuns } from './runs.js';
import { createSamples } from './samples.js';
import type { CoordinatorService } from './service.js';

export interface FederationPorts {
  readonly federation: string;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly primitives: Primitives;
  readonly masks: MaskWork;
  readonly timing?: Partial<RunTiming>;
  readonly log: (event: string, figures: Readonly<Record<string, string | number>>) => void;
  /** Told of a driver that died of a bug; its run stays as it is and goes on at the next start. */
  readonly onCrash: (runId: string, error: unknown) => void;
}

export interface Federation extends CoordinatorService {
  /** Goes on with every run that was being driven when the last process ended. */
  resume(): Promise<void>;
  close(): Promise<void>;
}

export function createFederation(ports: FederationPorts): Federation {
  const { store, blobs, bus, clock, rng, primitives, masks, log } = ports;
  const desk = createDesk({ clock, rng });
  const timing = { ...DEFAULT_TIMING, ...ports.timing };
  const drivers = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();

  const driverPorts: DriverPorts = { store, blobs, bus, clock, rng, primitives, masks, desk, timing, log };

  function start(runId: string): void {
    if (drivers.has(runId)) return;
    const stop = new AbortController();
    const done = driveRun(driverPorts, runId, stop.signal)
      .catch((error: unknown) => {
        if (!stop.signal.aborted) ports.onCrash(runId, error);
      })
      .finally(() => drivers.delete(runId));
    drivers.set(runId, { stop, done });
  }

  async function stop(runId: string): Promise<void> {
    const driver = drivers.get(runId);
    driver?.stop.abort();
    await driver?.done;
  }

  async function abandon(runId: string): Promise<void> {
    await stop(runId);
    await abandonRun(driverPorts, runId);
  }

  const compliance = createCompliance(store);
  const quality = createQuality(store, blobs, compliance);

  return {
    enrolment: createEnrolment({ federation: ports.federation, store, bus, rng, primitives }),
    runs: createRuns({ store, bus, rng, start, stop: abandon }),
    exchange: desk,
    compliance,
    quality,
    samples: createSamples(store, blobs, quality),
    async resume() {
      for (const run of await store.transaction((tx) => tx.runs('running'))) start(run.id);
    },
    async close() {
      await Promise.all([...drivers.keys()].map(stop));
    },
  };
}
