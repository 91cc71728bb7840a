import type { Json } from '../../src/crypto/canonical.js';
import type { Task, Ticket } from '../../src/federation/service.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';

export const TASKS = `subscription {
  tasks {
    __typename
    ... on AdvertiseKeysTask { blockId runId config upload { path maxBytes } }
    ... on ShareKeysTask { blockId adverts upload { path maxBytes } }
    ... on ReceiveSharesTask { blockId bundle }
    ... on MaskedInputTask { blockId slot runId roundId step attempt query expected upload { path maxBytes } }
    ... on ConsistencyCheckTask { blockId slot survivors upload { path maxBytes } }
    ... on UnmaskingTask { blockId slot checks upload { path maxBytes } }
  }
}`;

/** A task as JSON carries it: bytes are base64. */
export type WireTask =
  | { __typename: 'AdvertiseKeysTask'; blockId: string; runId: string; config: Json; upload: Ticket }
  | { __typename: 'ShareKeysTask'; blockId: string; adverts: string[]; upload: Ticket }
  | { __typename: 'ReceiveSharesTask'; blockId: string; bundle: string }
  | {
      __typename: 'MaskedInputTask';
      blockId: string;
      slot: number;
      runId: string;
      roundId: string;
      step: number;
      attempt: number;
      query: SumQuery;
      expected: string[];
      upload: Ticket;
    }
  | { __typename: 'ConsistencyCheckTask'; blockId: string; slot: number; survivors: string[]; upload: Ticket }
  | { __typename: 'UnmaskingTask'; blockId: string; slot: number; checks: string[]; upload: Ticket };

export function readTask(wire: WireTask): Task {
  switch (wire.__typename) {
    case 'AdvertiseKeysTask':
      return { kind: 'advertise-keys', ...fields(wire) };
    case 'ShareKeysTask':
      return { kind: 'share-keys', ...fields(wire), adverts: wire.adverts.map(bytes) };
    case 'ReceiveSharesTask':
      return { kind: 'receive-shares', ...fields(wire), bundle: bytes(wire.bundle) };
    case 'MaskedInputTask':
      return { kind: 'masked-input', ...fields(wire) };
    case 'ConsistencyCheckTask':
      return { kind: 'consistency-check', ...fields(wire) };
    case 'UnmaskingTask':
      return { kind: 'unmasking', ...fields(wire), checks: wire.checks.map(bytes) };
  }
}

function fields<Wire extends WireTask>({ __typename: _, ...task }: Wire): Omit<Wire, '__typename'> {
  return task;
}

function bytes(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}
