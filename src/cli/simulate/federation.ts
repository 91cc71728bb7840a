import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createCoordinatorClient } from '../../../clients/participant/coordinatorClient.js';
import { createServer } from '../../api/server.js';
import { systemClock } from '../../coordinator.js';
import type { Json } from '../../crypto/canonical.js';
import { createMaskThreads } from '../../crypto/maskThreads.js';
import { nodePrimitives } from '../../crypto/nodePrimitives.js';
import { systemRng } from '../../crypto/rng.js';
import { type Charter, readCharter } from '../../federation/charter.js';
import type { RunTiming } from '../../federation/driver.js';
import { createFederation, type Federation } from '../../federation/index.js';
import type { RoundRecord } from '../../federation/ports.js';
import type { Cohort } from '../../privacy/sumQuery.js';
import { openFileBlobs, openStore } from '../../store/index.js';
import { createInMemoryClient } from './client.js';
import { createParticipant, type SimulatedParticipant } from './participant.js';
import { randomnessOf } from './randomness.js';
import type { Holding } from './records.js';

const FEDERATION = 'simulation';

/** Everybody is here and shares one processor: whoever is slow is waited for. */
const TIMING: Partial<RunTiming> = { phaseDeadlineMs: 7 * 24 * 3_600_000 };

/** `memory`: direct calls; `http`: the coordinator's own server on this machine, every request signed. */
export type Transport = 'memory' | 'http';

export interface FederationSettings {
  readonly transport: Transport;
  readonly schema: Json;
  readonly holdings: readonly Holding[];
  readonly epsilon: number;
  readonly delta: number;
  /** Orders of the charter: Rényi, and 1 for Gaussian DP. */
  readonly orders: readonly number[];
  readonly cohort: Cohort;
  readonly seed: string | undefined;
}

/** A coordinator and its participants in this process: enrolled, approved, the charter signed by all and in force. */
export interface SimulatedFederation {
  readonly service: Federation;
  readonly charter: Charter;
  readonly participants: readonly SimulatedParticipant[];
  /** What participants refused and why, oldest first. */
  readonly notices: readonly string[];
  /** Aborts when a part of the simulation died of a bug; its reason is the error. */
  readonly crashed: AbortSignal;
  rounds(runId: string): Promise<readonly RoundRecord[]>;
  close(): Promise<void>;
}

/** The coordinator's real store (embedded PostgreSQL) and blobs and the participants' spending records live in a folder that goes with it. */
export async function openFederation(settings: FederationSettings): Promise<SimulatedFederation> {
  const { holdings, epsilon, delta, orders, seed } = settings;
  const folder = mkdtempSync(join(tmpdir(), 'chorale-simulation-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const opened = await openStore({ directory: join(folder, 'database') });
  const masks = createMaskThreads();
  const crash = new AbortController();
  const stop = new AbortController();
  const service = createFederation({
    federation: FEDERATION,
    store: opened.store,
    blobs: await openFileBlobs(join(folder, 'blobs')),
    bus: opened.bus,
    clock: systemClock,
    rng: randomnessOf(seed, 'coordinator'),
    primitives: nodePrimitives,
    masks,
    timing: TIMING,
    log: () => undefined,
    onCrash: (_, error) => crash.abort(error),
  });
  const server =
    settings.transport === 'http'
      ? await createServer({
          ...{ service, prisma: opened.prisma, store: opened.store, clock: systemClock },
          ...{ logger: pino({ level: 'silent' }), host: '127.0.0.1', port: 0 },
        })
      : undefined;
  const notices: string[] = [];
  const participants = holdings.map((holding, i) =>
    createParticipant({
      federation: FEDERATION,
      connect: (identity) =>
        server === undefined
          ? createInMemoryClient(service, identity.publicKey)
          : createCoordinatorClient({ url: server.url, identity, rng: systemRng(), now: systemClock.now }),
      holding,
      spendingFile: join(folder, `spending-${i}.jsonl`),
      rng: randomnessOf(seed, `participant ${i}`),
      masks,
      notice: (reason) => notices.push(`${holding.name}: ${reason}`),
    }),
  );
  let working: readonly Promise<void>[] = [];
  const close = async () => {
    stop.abort();
    await Promise.all(working);
    await service.close();
    await server?.close();
    await masks.close();
    await opened.close();
    process.off('exit', remove);
    remove();
  };

  try {
    for (const participant of participants) await participant.enrol();
    for (const { id } of await opened.store.transaction((tx) => tx.participants()))
      await service.enrolment.approve(id);
    const { body } = await service.enrolment.proposeCharter({
      schema: settings.schema,
      epsilon,
      delta,
      orders,
      ...settings.cohort,
    });
    for (const participant of participants) await participant.sign();
    working = participants.map((participant) =>
      participant.work(stop.signal).catch((error: unknown) => crash.abort(error)),
    );
    return {
      service,
      charter: readCharter(body),
      participants,
      notices,
      crashed: crash.signal,
      rounds: (runId) => opened.store.transaction((tx) => tx.rounds(runId)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
