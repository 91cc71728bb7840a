import { AsyncLocalStorage } from 'node:async_hooks';
import type { Bus, MessageRecord, Store, Transaction } from '../federation/ports.js';
import { openEmbedded, openServed } from './database.js';
import { enrolmentTables } from './enrolmentTables.js';
import type { PrismaClient } from './generated/client.js';
import { ledgerTables } from './ledgerTables.js';
import { MessageLog } from './messageLog.js';
import { shippedMigrations } from './migrate.js';
import { retrying } from './retry.js';
import { runTables } from './runTables.js';

export { StoreError, type StoreFailureCode } from './errors.js';
export { openFileBlobs } from './fileBlobs.js';
export { PrismaClient } from './generated/client.js';

/** Where the database is: PGlite in a folder of this coordinator's own, or a PostgreSQL server. */
export type StoreLocation = { readonly directory: string } | { readonly databaseUrl: string };

export interface OpenedStore {
  readonly store: Store;
  /** For the API's queries; what changes goes through `store`. */
  readonly prisma: PrismaClient;
  readonly bus: Bus;
  /** Finishes what is being written, then lets go of database and folder. */
  close(): Promise<void>;
}

/**
 * Opens the database and brings it to this version's schema.
 *
 * Throws StoreError 'DirectoryLocked', 'DatabaseNewer', 'MigrationChanged' or 'MigrationUnfinished', and the driver's
 * own error where a server cannot be reached.
 */
export async function openStore(location: StoreLocation): Promise<OpenedStore> {
  const migrations = shippedMigrations();
  const database =
    'directory' in location
      ? await openEmbedded(location.directory, migrations)
      : await openServed(location.databaseUrl, migrations);
  const { prisma, bus } = database;
  const messageLog = new MessageLog(prisma);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= messageLog.drained().then(() => database.close()));
  return { store: prismaStore(prisma, messageLog, close), prisma, bus, close };
}

/** PGlite has one connection, so a transaction may have to wait for its turn behind all others. */
const TRANSACTION_LIMITS = { maxWait: 30_000, timeout: 30_000 } as const;

function prismaStore(prisma: PrismaClient, messageLog: MessageLog, close: () => Promise<void>): Store {
  const current = new AsyncLocalStorage<{ open: boolean }>();

  /** On PGlite's one connection it would wait for the transaction that waits for it: say so at once, on any engine. */
  function refuseInsideTransaction(what: string): void {
    if (current.getStore()?.open)
      throw new Error(`${what} inside a transaction would wait for itself: end it first`);
  }

  return {
    async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
      refuseInsideTransaction('a transaction');
      return retrying(() =>
        prisma.$transaction(async (client) => {
          const scope = { open: true };
          const tx = { ...enrolmentTables(client), ...runTables(client), ...ledgerTables(client) };
          try {
            return await current.run(scope, () => work(tx));
          } finally {
            scope.open = false;
          }
        }, TRANSACTION_LIMITS),
      );
    },
    async appendMessage(message: MessageRecord) {
      refuseInsideTransaction('appending a message');
      return messageLog.append(message);
    },
    close,
  };
}
