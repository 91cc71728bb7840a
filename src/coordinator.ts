import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { createServer } from './api/server.js';
import { createMaskThreads } from './crypto/maskThreads.js';
import { nodePrimitives } from './crypto/nodePrimitives.js';
import { systemRng } from './crypto/rng.js';
import type { RunTiming } from './federation/driver.js';
import { FederationError } from './federation/errors.js';
import { createFederation } from './federation/index.js';
import type { Clock, Role } from './federation/ports.js';
import { openFileBlobs } from './store/fileBlobs.js';
import { openStore } from './store/index.js';
import { startEngine } from './synthesis/engine.js';

/** The composition root: the only place that knows every room. */
export interface CoordinatorSettings {
  /** Folder (mode 0700) of the embedded database, the blobs and the first tokens. */
  readonly dataDir: string;
  /** A PostgreSQL server instead of the embedded database. */
  readonly databaseUrl?: string;
  /** Needed on the first start; later it must agree with the folder. */
  readonly federation?: string;
  readonly host: string;
  readonly port: number;
  readonly timing?: Partial<RunTiming>;
  readonly logger: Logger;
}

export interface RunningCoordinator {
  readonly url: string;
  readonly federation: string;
  readonly engine: string;
  /** Files that hold the first operator's and approver's tokens, mode 0600. */
  readonly tokenFiles: readonly string[];
  close(): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
    }
  },
};

const FIRST_ROLES: readonly Role[] = ['operator', 'approver'];

export async function startCoordinator(settings: CoordinatorSettings): Promise<RunningCoordinator> {
  const { dataDir, logger } = settings;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const federation = settleFederation(dataDir, settings.federation);
  const database =
    settings.databaseUrl === undefined
      ? { directory: join(dataDir, 'database') }
      : { databaseUrl: settings.databaseUrl };
  const opened = await openStore(database);
  const masks = createMaskThreads();
  try {
    const engine = await startEngine();
    const service = createFederation({
      federation,
      store: opened.store,
      blobs: await openFileBlobs(join(dataDir, 'blobs')),
      bus: opened.bus,
      clock: systemClock,
      rng: systemRng(),
      primitives: nodePrimitives,
      masks,
      ...(settings.timing === undefined ? {} : { timing: settings.timing }),
      log: (event, figures) => logger.info(figures, event),
      onCrash: (runId, error) =>
        logger.error({ run: runId, error }, 'a run’s driver died; restart the coordinator to go on'),
    });
    const tokenFiles: string[] = [];
    for (const role of FIRST_ROLES) {
      const path = join(dataDir, `${role}.token`);
      if (!existsSync(path)) {
        const { token } = await service.enrolment.createToken(`first ${role}`, role);
        writeFileSync(path, `${token}\n`, { mode: 0o600 });
      }
      tokenFiles.push(path);
    }
    const server = await createServer({
      service,
      prisma: opened.prisma,
      store: opened.store,
      clock: systemClock,
      logger,
      host: settings.host,
      port: settings.port,
    });
    await service.resume();
    return {
      url: server.url,
      federation,
      engine: engine.description,
      tokenFiles,
      async close() {
        await service.close();
        await server.close();
        await masks.close();
        await opened.close();
      },
    };
  } catch (error) {
    await masks.close();
    await opened.close();
    throw error;
  }
}

const FORMAT = 1;
const folderShape = z.object({ format: z.int(), federation: z.string().min(1).max(64) });

/** The folder remembers whose it is, and by which format it was written. */
function settleFederation(dataDir: string, wanted: string | undefined): string {
  const path = join(dataDir, 'federation.json');
  if (!existsSync(path)) {
    if (wanted === undefined)
      throw new FederationError('InvalidInput', `${dataDir} is new: name the federation with --federation.`);
    writeFileSync(path, `${JSON.stringify({ format: FORMAT, federation: wanted })}\n`, { mode: 0o600 });
    return wanted;
  }
  const found = folderShape.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!found.success)
    throw new FederationError('InvalidInput', `${path} is damaged: restore it from a backup.`);
  if (found.data.format > FORMAT)
    throw new FederationError(
      'Conflict',
      `${dataDir} was written by a newer version of chorale (format ${found.data.format}; this one knows ${FORMAT}): upgrade chorale. Nothing was changed.`,
    );
  if (wanted !== undefined && wanted !== found.data.federation)
    throw new FederationError(
      'Conflict',
      `${dataDir} belongs to the federation "${found.data.federation}", not "${wanted}".`,
    );
  return found.data.federation;
}
