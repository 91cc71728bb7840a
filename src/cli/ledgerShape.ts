import { z } from 'zod';
import { CliError } from './exits.js';

/** `ledger.json`: all that somebody needs to recompute what was spent, without trusting whoever wrote it. */
const units = z.array(z.string().regex(/^(0|[1-9][0-9]{0,59})$/));

const charterShape = z.object({
  digest: z.string(),
  body: z.string(),
  signatures: z.array(z.object({ participantId: z.string(), signature: z.string() })),
});

const entryShape = z.object({
  sequence: z.int(),
  roundId: z.string(),
  runId: z.string(),
  status: z.enum(['RESERVED', 'COMMITTED', 'VOIDED']),
  reservedEvent: z.json(),
  reservedUnits: units,
  committedEvent: z.nullable(z.json()),
  committedUnits: units,
  epsilonAfter: z.nullable(z.number()),
  reason: z.nullable(z.string()),
  createdAt: z.string(),
  settledAt: z.nullable(z.string()),
});

const roundShape = z.object({
  roundId: z.string(),
  runId: z.string(),
  step: z.int(),
  attempt: z.int(),
  phase: z.string(),
  expected: z.array(z.string()),
  contributors: z.nullable(z.array(z.string())),
  dropped: z.nullable(z.array(z.string())),
  abortReason: z.nullable(z.string()),
  bytesReceived: z.record(z.string(), z.number()),
  timings: z.record(z.string(), z.number()),
  openedAt: z.string(),
  closedAt: z.nullable(z.string()),
});

/** What a run's plan follows from: synthesizer, options and the charter. The plan itself is recomputed, and held against its hash. */
const runShape = z.object({
  runId: z.string(),
  charterDigest: z.string(),
  synthesizer: z.string(),
  options: z.json(),
  planDigest: z.string(),
});

const ledgerFileShape = z.object({
  format: z.literal('chorale-ledger-2'),
  /** The one in force. */
  charter: charterShape,
  /** Those before it under which a run asked something. */
  earlierCharters: z.array(charterShape),
  budget: z.object({
    epsilonLimit: z.number(),
    epsilonSpent: z.number(),
    epsilonReserved: z.number(),
    epsilonRemaining: z.number(),
    delta: z.number(),
    accountant: z.int(),
    orders: z.array(z.number()),
    limitUnits: z.array(z.string()),
    spentUnits: units,
    reservedUnits: units,
  }),
  /** In the order of their first entries. */
  runs: z.array(runShape),
  entries: z.array(entryShape),
  rounds: z.array(roundShape),
});

export type LedgerFile = z.infer<typeof ledgerFileShape>;
export type LedgerEntry = LedgerFile['entries'][number];
export type LedgerRound = LedgerFile['rounds'][number];

/** Throws CliError with every fault of the form. */
export function parseLedgerFile(input: unknown): LedgerFile {
  const parsed = ledgerFileShape.safeParse(input);
  if (!parsed.success)
    throw new CliError(
      `This is not a chorale-ledger-2 file, which "budget export" writes: ${z.prettifyError(parsed.error)}`,
    );
  return parsed.data;
}
