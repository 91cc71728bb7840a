import { ask, type Connection, FAILURE } from './connection.js';
import { CliError } from './exits.js';
import { type LedgerFile, parseLedgerFile } from './ledgerShape.js';

/** Entries a request: a page of these stays well within the API’s cost limit. */
const PAGE = 50;

const CHARTER = 'digest body signatures { participantId signature }';

/** Everything by GraphQL, with an auditor's token, as it was at one moment. */
export async function fetchLedger(connection: Connection): Promise<LedgerFile> {
  let mark = await readMark(connection);
  // A run may be spending meanwhile: read again until nothing moved in between.
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const file = await readOnce(connection, mark.budget);
    const after = await readMark(connection);
    if (JSON.stringify(after) === JSON.stringify(mark)) return file;
    mark = after;
  }
  throw new CliError('The ledger moves faster than it can be read: export it again when the run is over.');
}

type Budget = LedgerFile['budget'] & { readonly charterDigest: string };

/** Changes with every reservation by its count, and with every settlement by what is reserved. */
async function readMark(connection: Connection): Promise<{ budget: Budget; entries: number }> {
  const budget = await ask<Budget>(
    connection,
    `{ privacyBudget { ${FAILURE} ... on PrivacyBudget { charterDigest epsilonLimit epsilonSpent epsilonReserved epsilonRemaining delta accountant orders limitUnits spentUnits reservedUnits } } }`,
  );
  const { totalCount } = await ask<{ totalCount: number }>(connection, '{ ledger(first: 1) { totalCount } }');
  return { budget, entries: totalCount };
}

async function readOnce(connection: Connection, budget: Budget): Promise<LedgerFile> {
  const charter = await ask<LedgerFile['charter']>(
    connection,
    `query ($digest: String!) { charter(digest: $digest) { ${CHARTER} } }`,
    { digest: budget.charterDigest },
  );
  const entries = await pages<LedgerFile['entries'][number]>(
    connection,
    'ledger',
    '',
    'sequence roundId runId status reservedEvent reservedUnits committedEvent committedUnits epsilonAfter reason createdAt settledAt',
  );
  const rounds: LedgerFile['rounds'] = [];
  const runs: LedgerFile['runs'] = [];
  const earlier = new Map<string, LedgerFile['charter']>();
  for (const runId of new Set(entries.map((entry) => entry.runId))) {
    const run = await ask<Omit<LedgerFile['runs'][number], 'charterDigest'> & Pick<LedgerFile, 'charter'>>(
      connection,
      `query ($id: String!) { run(id: $id) { runId synthesizer options planDigest charter { ${CHARTER} } } }`,
      { id: runId },
    );
    runs.push({ ...run, charterDigest: run.charter.digest });
    if (run.charter.digest !== charter.digest) earlier.set(run.charter.digest, run.charter);
    rounds.push(
      ...(await pages<LedgerFile['rounds'][number]>(
        connection,
        'rounds',
        `run: ${JSON.stringify(runId)},`,
        'roundId runId step attempt phase expected contributors dropped abortReason bytesReceived timings openedAt closedAt',
      )),
    );
  }
  return parseLedgerFile({
    ...{ format: 'chorale-ledger-2', charter, earlierCharters: [...earlier.values()] },
    ...{ budget, runs, entries, rounds },
  });
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
