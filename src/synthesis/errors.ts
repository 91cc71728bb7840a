/** A synthesizer's options are wrong; `option` names which one, the message says what to do. */
export class InvalidOptions extends Error {
  readonly code = 'INVALID_OPTIONS';
  override readonly name = 'InvalidOptions';
  constructor(
    readonly option: string,
    message: string,
  ) {
    super(`option ${option}: ${message}`);
  }
}

/** The Table Schema cannot be used: not valid, or a bound or category that must be public is not stated. */
export class InvalidTableSchema extends Error {
  readonly code = 'INVALID_TABLE_SCHEMA';
  override readonly name = 'InvalidTableSchema';
  constructor(
    /** The field at fault; undefined when the fault is the schema's own. */
    readonly field: string | undefined,
    message: string,
  ) {
    super(field === undefined ? `table schema: ${message}` : `table schema, field "${field}": ${message}`);
  }
}

export type InvalidRecordsReason =
  | 'empty-file'
  | 'missing-column'
  | 'duplicate-column'
  | 'extra-column'
  | 'cell-count'
  | 'malformed-csv'
  | 'missing-value'
  | 'unknown-category'
  | 'not-of-type'
  | 'out-of-bounds'
  | 'broken-constraint';

/** A participant's records do not follow the charter's schema. Names line and column, never the value: that is data. */
export class InvalidRecords extends Error {
  readonly code = 'INVALID_RECORDS';
  override readonly name = 'InvalidRecords';
  constructor(
    readonly reason: InvalidRecordsReason,
    /** 1-based line of the file on which the record ends; undefined when no line is at fault. */
    readonly line: number | undefined,
    readonly column: string | undefined,
    message: string,
  ) {
    const where = [
      line === undefined ? '' : `line ${line}`,
      column === undefined ? '' : `column "${column}"`,
    ];
    super([where.filter((part) => part !== '').join(', '), message].filter((part) => part !== '').join(': '));
  }
}

/**
 * - `malformed`: not a condition, or one that contradicts itself
 * - `outside-schema`: a column or value that the schema does not have
 * - `impossible`: the released model has no row like this
 * - `unsupported`: this kind of synthesizer cannot hold it exactly
 */
export type ConditionFault = 'malformed' | 'outside-schema' | 'impossible' | 'unsupported';

/** What rows were asked for cannot be drawn; nothing was. */
export class InvalidCondition extends Error {
  readonly code = 'INVALID_CONDITION';
  override readonly name = 'InvalidCondition';
  constructor(
    readonly fault: ConditionFault,
    /** The column at fault; undefined when it is none alone. */
    readonly column: string | undefined,
    message: string,
  ) {
    super(column === undefined ? `condition: ${message}` : `condition on "${column}": ${message}`);
  }
}

/** Bytes that should be an encoded state, a model or a release are not. */
export class MalformedBytes extends Error {
  readonly code = 'MALFORMED_BYTES';
  override readonly name = 'MalformedBytes';
}
