/** A domain, clique, measurement, structural zero or evidence is not one; `argument` names which, the message says what to do. */
export class InvalidModelInput extends Error {
  readonly code = 'INVALID_MODEL_INPUT';
  override readonly name = 'InvalidModelInput';
  constructor(
    readonly argument: string,
    message: string,
  ) {
    super(`${argument}: ${message}`);
  }
}

/** The tables that an operation would have to hold exceed the limit that it was given. Nothing was allocated. */
export class ModelTooLarge extends Error {
  readonly code = 'MODEL_TOO_LARGE';
  override readonly name = 'ModelTooLarge';
  constructor(
    /** Cells needed, eight bytes each. */
    readonly cells: number,
    readonly limit: number,
    what: string,
  ) {
    super(`${what} needs ${cells} cells, the limit is ${limit}: measure fewer or coarser sets of attributes`);
  }
}

/** What was given has probability 0: a structural zero, or values that contradict each other. Names rows, never values. */
export class ImpossibleEvidence extends Error {
  readonly code = 'IMPOSSIBLE_EVIDENCE';
  override readonly name = 'ImpossibleEvidence';
  constructor(
    /** The row of the page at fault, from 0; undefined when the evidence is for all rows. */
    readonly row: number | undefined,
  ) {
    super(
      `${row === undefined ? 'the evidence' : `row ${row}: the given values`} cannot occur in the model: ` +
        'correct the values or lift the structural zeros that forbid them',
    );
  }
}
