import { readFileSync } from 'node:fs';

/** Exit codes that mean something; `chorale --help` lists them. */
export const EXIT = {
  ok: 0,
  bug: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** The input or the state of things forbids it: nothing was changed. */
  refused: 3,
  /** The coordinator could not be reached. */
  unreachable: 4,
  /** The privacy budget does not allow it. */
  overBudget: 5,
  /** Too few members, or the run was aborted. */
  aborted: 6,
  interrupted: 130,
} as const;

/** An expected failure with its exit code; the message says what was wrong and what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    message: string,
    readonly exitCode: number = EXIT.refused,
    readonly code: string = 'Refused',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Errors by which a room refuses: expected, and written for people. */
const EXPECTED = new Set([
  'ApplicationError',
  'CryptoError',
  'EngineUnavailable',
  'EvaluationError',
  'FederationError',
  'InvalidCondition',
  'InvalidOptions',
  'InvalidRecords',
  'InvalidTableSchema',
  'MalformedBytes',
  'ParticipantError',
  'PrivacyError',
  'QueryRefused',
  'SecaggRefusal',
  'StoreError',
]);

/** System errors whose own message is clear enough. */
const SYSTEM = new Set(['ENOENT', 'EACCES', 'EEXIST', 'EISDIR', 'ENOTDIR', 'ENOSPC', 'EROFS']);

/** The exit code and the one line that a person reads; a bug keeps its stack. */
export function explain(error: unknown): {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
} {
  if (error instanceof CliError) return error;
  if (error instanceof Error && 'code' in error) {
    const code = String(error.code);
    if (code === 'EADDRINUSE')
      return { exitCode: EXIT.refused, code, message: `${error.message}. Choose another port with --port.` };
    if (SYSTEM.has(code)) return { exitCode: EXIT.refused, code, message: error.message };
    if (EXPECTED.has(error.name)) {
      const exitCode =
        code === 'BudgetExceeded' || code === 'BudgetRefused'
          ? EXIT.overBudget
          : code === 'QuorumNotReached'
            ? EXIT.aborted
            : code === 'Unreachable'
              ? EXIT.unreachable
              : EXIT.refused;
      return { exitCode, code, message: error.message };
    }
  }
  return {
    exitCode: EXIT.bug,
    code: 'Bug',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

/** Reads a JSON file that a person named. */
export function readJsonFile(path: string): unknown {
  const text = readFileSync(path, 'utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError(`${path} is not JSON: ${(cause as Error).message}.`, EXIT.refused, 'InvalidInput', {
      cause,
    });
  }
}
