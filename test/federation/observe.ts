import { vi } from 'vitest';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import { ganSynthesizer } from '../../src/synthesis/gan/gan.js';
import type { NoisySum } from '../../src/synthesis/synthesizer.js';
import type { Choir } from './harness.js';

export interface OpenedSum {
  readonly query: SumQuery;
  readonly sum: NoisySum;
}

/** Watches what the coordinator hands to the synthesizer, which is all that it ever learns from records. */
export function watchOpenedSums(): OpenedSum[] {
  const opened: OpenedSum[] = [];
  const { absorb } = ganSynthesizer;
  vi.spyOn(ganSynthesizer, 'absorb').mockImplementation((state, query, sum) => {
    opened.push({ query, sum });
    return absorb(state, query, sum);
  });
  return opened;
}

/** The opened sum as centred ring integers. */
export const ringIntegers = ({ query, sum }: OpenedSum): number[] =>
  Array.from(sum.values, (value) => value / query.encoding.grid);

/** Σ of the vectors modulo the ring, centred. */
export function ringSum({ dimension, encoding }: SumQuery, vectors: readonly Uint32Array[]): number[] {
  const modulus = 2 ** encoding.modulusBits;
  return Array.from({ length: dimension }, (_, i) => {
    const residue = vectors.reduce((sum, vector) => sum + vector[i]!, 0) % modulus;
    return residue >= modulus / 2 ? residue - modulus : residue;
  });
}

/** What the coordinator has written down about a run. */
export async function booksOf({ opened }: Choir, runId: string) {
  return opened.store.transaction(async (tx) => ({
    run: (await tx.run(runId))!,
    rounds: await tx.rounds(runId),
    ledger: await tx.ledger(runId),
    budget: (await tx.lockBudget())!,
  }));
}

/** Units at the first order of everything committed. */
export function committedUnits(
  ledger: readonly { readonly committedUnits: readonly bigint[] | null }[],
): bigint {
  return ledger.reduce((sum, entry) => sum + (entry.committedUnits?.[0] ?? 0n), 0n);
}

/** Step of the round that a task belongs to; undefined for set-up tasks. Filled as masked-input tasks are seen. */
export function stepsBySlot() {
  const steps = new Map<string, number>();
  return (task: Parameters<Choir['members'][number]['conduct']>[0]): number | undefined => {
    if (!('slot' in task)) return undefined;
    const key = `${task.blockId}/${task.slot}`;
    if (task.kind === 'masked-input') steps.set(key, task.step);
    return steps.get(key);
  };
}
