import { describeConstraint, type MovedCounts, type TableSchema } from '../../synthesis/index.js';

/** For a trial or an evaluation with a schema that a real federation's charter would refuse. */
export function unconfirmedWarning(fields: readonly string[]): string {
  const names = fields.map((name) => `"${name}"`).join(', ');
  return (
    `Warning: bounds or categories of ${names} were read from data (chorale:unconfirmed). They may tell of single records; ` +
    'no ε covers them, and a charter will refuse them until public knowledge stands there.'
  );
}

/**
 * How much of a file was moved to fit its schema, a line each, for whoever holds the file: the counts are as private as the
 * records. No lines where nothing was.
 */
export function movedNotices({ clamped, repaired }: MovedCounts, schema: TableSchema): readonly string[] {
  const values = [...clamped].map(
    ([column, count]) => `${counted(count, 'value')} of "${column}" outside the bounds, moved onto them`,
  );
  const records = [...repaired].map(([index, count]) => {
    const constraint = schema.constraints[index];
    const words = constraint === undefined ? '' : ` (${describeConstraint(constraint)})`;
    return `${counted(count, 'record')} against constraint #${index + 1}${words}, moved onto the nearest that keeps it`;
  });
  return [...values, ...records];
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
