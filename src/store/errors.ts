/** Why a store could not be opened or trusted. Unlike FederationError these are the operator's business, not a caller's. */
export type StoreFailureCode =
  /** The database holds a migration (or a PostgreSQL version) that this chorale does not know. */
  | 'DatabaseNewer'
  /** A migration that was applied has another text now. */
  | 'MigrationChanged'
  /** A migration was begun by another tool and did not finish. */
  | 'MigrationUnfinished'
  /** Another coordinator has the data folder open. */
  | 'DirectoryLocked'
  /** A blob's bytes do not have the digest that names them. */
  | 'BlobCorrupt'
  /** Not the name of a blob. */
  | 'BlobNameInvalid';

/** Says what was wrong and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    readonly code: StoreFailureCode,
    message: string,
    readonly details: Readonly<Record<string, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
