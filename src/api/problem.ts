import type { ServerResponse } from 'node:http';
import { type FailureCode, FederationError } from '../federation/errors.js';

/** A refusal outside GraphQL: an RFC 9457 problem with a stable code. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Readonly<Record<string, string | number>> = {},
  ) {
    super(message);
  }
}

const STATUS: Readonly<Record<FailureCode, number>> = {
  InvalidInput: 400,
  NotEnrolled: 403,
  NotApproved: 403,
  KeyRevoked: 403,
  CharterNotActive: 409,
  CharterMismatch: 409,
  NotFound: 404,
  Conflict: 409,
  IdempotencyConflict: 409,
  PhaseClosed: 409,
  MessageRejected: 422,
  BudgetExceeded: 409,
  QuorumNotReached: 409,
  ReleaseNotReady: 409,
  ReleaseGated: 409,
};

/** The problem that an error is, or undefined for a bug. */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof FederationError)
    return new Problem(STATUS[error.code], error.code, error.message, error.details);
  return undefined;
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, code, message, details } = problem;
  const body = JSON.stringify({
    type: 'about:blank',
    title: code,
    status,
    code,
    detail: message,
    ...details,
  });
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}
