import { hexToBytes } from '@noble/hashes/utils.js';
import { z } from 'zod';
import { nodePrimitives } from '../crypto/nodePrimitives.js';
import { type Charter, charterDigest, charterStatement, readCharter } from '../federation/charter.js';
import { parseEvent } from '../privacy/events.js';
import { costUnits, epsilonOfUnits } from '../privacy/filter.js';
import { addUnits } from '../privacy/units.js';
import { ask, type Connection, FAILURE } from './connection.js';
import { CliError } from './exits.js';

/** `ledger.json`: all that somebody needs to recompute what was spent, without trusting whoever wrote it. */
const entryShape = z.object({
  sequence: z.int(),
  roundId: z.string(),
  runId: z.string(),
  status: z.enum(['RESERVED', 'COMMITTED', 'VOIDED']),
  reservedEvent: z.json(),
  reservedUnits: z.array(z.string()),
  committedEvent: z.nullable(z.json()),
  committedUnits: z.array(z.string()),
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

const ledgerFileShape = z.object({
  format: z.literal('chorale-ledger-1'),
  charter: z.object({
    digest: z.string(),
    body: z.string(),
    signatures: z.array(z.object({ participantId: z.string(), signature: z.string() })),
  }),
  budget: z.object({
    epsilonLimit: z.number(),
    epsilonSpent: z.number(),
    epsilonReserved: z.number(),
    epsilonRemaining: z.number(),
    delta: z.number(),
    orders: z.array(z.number()),
    limitUnits: z.array(z.string()),
    spentUnits: z.array(z.string()),
    reservedUnits: z.array(z.string()),
  }),
  entries: z.array(entryShape),
  rounds: z.array(roundShape),
});

export type LedgerFile = z.infer<typeof ledgerFileShape>;

/** Entries a request: a page of these stays well within the API’s cost limit. */
const PAGE = 50;

/** Everything by GraphQL, with an auditor's token. */
export async function fetchLedger(connection: Connection): Promise<LedgerFile> {
  const charter = await ask<LedgerFile['charter'] | null>(
    connection,
    '{ charter { digest body signatures { participantId signature } } }',
  );
  if (charter === null) throw new CliError('No charter has been proposed yet: there is no ledger.');
  let budget = await readBudget(connection);
  let entries: LedgerFile['entries'] = [];
  // A run may be spending meanwhile: read again until nothing moved in between.
  for (let attempt = 0; ; attempt += 1) {
    entries = await pages(
      connection,
      'ledger',
      '',
      'sequence roundId runId status reservedEvent reservedUnits committedEvent committedUnits epsilonAfter reason createdAt settledAt',
    );
    const after = await readBudget(connection);
    const still = JSON.stringify(after) === JSON.stringify(budget);
    budget = after;
    if (still) break;
    if (attempt === 20)
      throw new CliError(
        'The ledger moves faster than it can be read: export it again when the run is over.',
      );
  }
  const rounds: LedgerFile['rounds'] = [];
  for (const run of new Set(entries.map((entry) => entry.runId)))
    rounds.push(
      ...(await pages<LedgerFile['rounds'][number]>(
        connection,
        'rounds',
        `run: ${JSON.stringify(run)},`,
        'roundId runId step attempt phase expected contributors dropped abortReason bytesReceived timings openedAt closedAt',
      )),
    );
  return ledgerFileShape.parse({ format: 'chorale-ledger-1', charter, budget, entries, rounds });
}

function readBudget(connection: Connection): Promise<LedgerFile['budget']> {
  return ask(
    connection,
    `{ privacyBudget { ${FAILURE} ... on PrivacyBudget { epsilonLimit epsilonSpent epsilonReserved epsilonRemaining delta orders limitUnits spentUnits reservedUnits } } }`,
  );
}

async function pages<T>(connection: Connection, field: string, args: string, fields: string): Promise<T[]> {
  const nodes: T[] = [];
  for (let after: string | null = null; ; ) {
    const page: { edges: { node: T }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } =
      await ask(
        connection,
        `query ($after: String) { ${field}(${args} first: ${PAGE}, after: $after) { edges { node { ${fields} } } pageInfo { hasNextPage endCursor } } }`,
        { after },
      );
    nodes.push(...page.edges.map(({ node }) => node));
    if (!page.pageInfo.hasNextPage) return nodes;
    after = page.pageInfo.endCursor;
  }
}

export interface LedgerVerdict {
  readonly epsilon: number;
  readonly delta: number;
  readonly committed: number;
  readonly voided: number;
  readonly faults: readonly string[];
}

/**
 * Recomputes ε from the committed events alone and checks every figure against it: the charter against its digest and signatures,
 * each cost, each running ε, contributors against rounds, the totals, the limit.
 */
export function verifyLedger(input: unknown): LedgerVerdict {
  const parsed = ledgerFileShape.safeParse(input);
  if (!parsed.success)
    throw new CliError(`This is not a chorale-ledger-1 file: ${z.prettifyError(parsed.error)}`);
  const { charter, budget, entries, rounds } = parsed.data;
  const faults: string[] = [];
  const document = readCharter(charter.body);
  if (charterDigest(document) !== charter.digest)
    faults.push('the charter is not the one that its digest names');
  faults.push(...unsigned(document, charter));
  const { epsilon, delta, orders } = document.privacy;
  const limit = { epsilon, delta, orders };
  const byRound = new Map(rounds.map((round) => [round.roundId, round]));

  let spent = orders.map(() => 0n);
  let committed = 0;
  let voided = 0;
  for (const [index, entry] of entries.entries()) {
    if (entry.sequence !== index + 1)
      faults.push(`entry ${index + 1} has sequence ${entry.sequence}: an entry is missing`);
    if (entry.status === 'VOIDED') voided += 1;
    if (entry.status !== 'COMMITTED') continue;
    committed += 1;
    const event = parseEvent(entry.committedEvent);
    const cost = costUnits(event, orders);
    if (cost.map(String).join() !== entry.committedUnits.join())
      faults.push(`entry ${entry.sequence} states another cost than its event has`);
    spent = addUnits(spent, cost);
    const epsilonAfter = epsilonOfUnits(limit, spent);
    if (entry.epsilonAfter === null || Math.abs(entry.epsilonAfter - epsilonAfter) > 1e-9 * epsilonAfter)
      faults.push(`entry ${entry.sequence} states ε = ${entry.epsilonAfter}, recomputed ${epsilonAfter}`);
    const round = byRound.get(entry.roundId);
    const contributors = contributorsOf(event);
    // An attempt that was given up after answers came is charged at its whole reservation: fewer contributors than it had.
    const had = round?.contributors?.length ?? 0;
    if (
      contributors === undefined ||
      contributors > had ||
      (contributors < had && round?.phase !== 'ABORTED')
    )
      faults.push(`entry ${entry.sequence} charges for ${contributors} contributors, its round has ${had}`);
  }
  if (spent.map(String).join() !== budget.spentUnits.join())
    faults.push('the budget’s spent units are not the sum of the committed entries');
  const recomputed = epsilonOfUnits(limit, spent);
  if (recomputed > epsilon) faults.push(`ε = ${recomputed} is over the charter’s limit of ${epsilon}`);
  return { epsilon: recomputed, delta, committed, voided, faults };
}

function unsigned(document: Charter, { digest, signatures }: LedgerFile['charter']): string[] {
  const byMember = new Map(signatures.map((s) => [s.participantId, s.signature]));
  const statement = charterStatement(digest);
  return document.members
    .filter(({ id, publicKey }) => {
      const signature = byMember.get(id);
      return (
        signature === undefined ||
        !nodePrimitives.ed25519Verify(hexToBytes(publicKey), statement, hexToBytes(signature))
      );
    })
    .map(({ name }) => `the charter lacks the signature of ${name}`);
}

function contributorsOf(event: ReturnType<typeof parseEvent>): number | undefined {
  if (event.kind === 'poisson-sampled') return contributorsOf(event.event);
  return event.kind === 'distributed-discrete-gaussian' ? event.contributors : undefined;
}
