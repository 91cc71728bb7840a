import type { RoundRecord, Store } from '../../src/federation/ports.js';

export const MEMBERS = ['alto', 'bass', 'tenor'] as const;

/** A federation in the middle of a run: three members, a charter, a running run `run`, an open block `block`. */
export async function runningFederation(store: Store): Promise<void> {
  await store.transaction(async (tx) => {
    for (const id of MEMBERS) {
      await tx.insertParticipant({
        id,
        name: id,
        publicKey: `key-${id}`,
        declaredRecords: 1000,
        status: 'approved',
      });
    }
    await tx.insertCharter({ version: 1, digest: 'charter', body: '{}', status: 'active' });
    await tx.insertRun(newRun('run'));
    await tx.insertBlock({
      id: 'block',
      runId: 'run',
      phase: 'ready',
      config: { t: 2 },
      slots: 8,
      nextSlot: 0,
    });
  });
}

export function newRun(id: string) {
  return {
    id,
    charterDigest: 'charter',
    synthesizer: 'gan',
    options: { mode: 'fedsgd' },
    seed: '00'.repeat(32),
    plan: [{ kind: 'query' }],
    planDigest: 'plan',
    status: 'running',
    proposedBy: 'olga',
    approvedBy: 'paul',
    step: 0,
    totalSteps: 5,
    stateDigest: null,
    releaseDigest: null,
    reason: null,
    progress: null,
  } as const;
}

export function newRound(slot: number): Omit<RoundRecord, 'openedAt' | 'closedAt'> {
  return {
    id: `round-${slot}`,
    runId: 'run',
    step: slot,
    attempt: 0,
    blockId: 'block',
    slot,
    phase: 'masked-input',
    query: { kind: 'gradient', dimension: 3 },
    queryDigest: 'query',
    modelDigest: 'model',
    expected: [...MEMBERS],
    survivors: null,
    maskedSumDigest: null,
    abortReason: null,
    bytesReceived: {},
    timings: {},
  };
}

export function message(participantId: string, slot: number, phase: number, body: Uint8Array) {
  return { blockId: 'block', slot, phase, participantId, body };
}

export const budget = {
  epsilon: 3,
  delta: 1e-6,
  orders: [8, 32],
  spent: [0n, 0n],
  reserved: [0n, 0n],
} as const;
