import { FederationError } from '../federation/errors.js';

/**
 * Inserts say ON CONFLICT DO NOTHING, and a missing row says that the key was taken: a unique violation would abort
 * the whole PostgreSQL transaction, and the caller could no longer answer the conflict within it.
 */
export function inserted<T>(rows: readonly T[], what: string): T {
  const [row] = rows;
  if (row === undefined) throw new FederationError('Conflict', `${what} is there already`);
  return row;
}

/** The row that was changed. */
export function updated<T>(rows: readonly T[], what: string): T {
  const [row] = rows;
  if (row === undefined) throw new FederationError('NotFound', `there is no ${what}`);
  return row;
}
