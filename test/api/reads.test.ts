import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApplicationError, createApplicationClient } from '../../clients/application/index.js';
import { activeCharter, type Bench, events, gql, type Member, openBench, subscribe } from './fixture.js';

let bench: Bench;
let members: Member[];
let runId: string;
let unreleased: string;
let auditor: { token: string };
let application: { token: string };
const EVENT = { version: 1, kind: 'gaussian', noiseMultiplier: 2 } as const;

/** Three rounds as the driver would leave them: two committed, the second with a member dropped; one voided. */
beforeAll(async () => {
  bench = await openBench();
  members = (await activeCharter(bench)).members;
  auditor = { token: await bench.token('auditor') };
  application = { token: await bench.token('application') };
  unreleased = (
    await bench.service.runs.propose({ synthesizer: 'gan', options: { steps: 3 }, proposedBy: 'p' })
  ).id;
  runId = (await bench.service.runs.propose({ synthesizer: 'gan', options: { steps: 3 }, proposedBy: 'p' }))
    .id;
  await bench.service.runs.approve(runId, 'a');
  const ids = members.map(({ id }) => id);
  const { store } = bench.opened;
  await store.transaction((tx) =>
    tx.insertBlock({ id: 'b', runId, phase: 'ready', config: {}, slots: 8, nextSlot: 0 }),
  );
  for (const [slot, survivors] of [ids, ids.slice(1), null].entries()) {
    await store.transaction(async (tx) => {
      await tx.insertLedgerEntry({ roundId: `r${slot}`, runId, reservedEvent: EVENT, reservedUnits: [10n] });
      await tx.insertRound({
        id: `r${slot}`,
        runId,
        step: slot,
        attempt: 0,
        blockId: 'b',
        slot,
        phase: 'masked-input',
        query: { kind: 'test' },
        queryDigest: '0'.repeat(64),
        modelDigest: '1'.repeat(64),
        expected: ids,
        survivors: null,
        maskedSumDigest: null,
        abortReason: null,
        bytesReceived: {},
        timings: {},
      });
    });
    await store.transaction(async (tx) => {
      await tx.updateRound(`r${slot}`, 'masked-input', {
        phase: survivors === null ? 'aborted' : 'completed',
        survivors,
        abortReason: survivors === null ? 'too few' : null,
        bytesReceived: { [ids[1]!]: 1234 },
        timings: { 'masked-input': 12 },
      });
      await tx.settleLedgerEntry(
        `r${slot}`,
        survivors === null
          ? {
              status: 'voided',
              committedEvent: null,
              committedUnits: null,
              epsilonAfter: null,
              reason: 'too few',
            }
          : {
              status: 'committed',
              committedEvent: EVENT,
              committedUnits: [123456789012345678901234567890n],
              epsilonAfter: 0.1 * (slot + 1),
              reason: null,
            },
      );
    });
  }
});
afterAll(() => bench.close());

describe('compliance', () => {
  it('reads the budget: limit, figures, exact units, history by round', async () => {
    const { data } = await gql(
      bench.server,
      auditor,
      `{ privacyBudget { __typename ... on PrivacyBudget { epsilonLimit epsilonSpent epsilonReserved epsilonRemaining delta orders
         limitUnits spentUnits reservedUnits history { sequence roundId step contributors epsilonAfter settledAt }
         last: history(afterSequence: 1) { sequence } } } }`,
    );
    const budget = data.privacyBudget;
    expect(budget).toMatchObject({ __typename: 'PrivacyBudget', epsilonLimit: 3, delta: 1e-6, orders: [8] });
    expect(BigInt(budget.limitUnits[0])).toBeGreaterThan(0n);
    expect(budget.spentUnits).toEqual(['0']);
    expect(budget.history).toMatchObject([
      { sequence: 1, roundId: 'r0', step: 0, contributors: 4, epsilonAfter: 0.1 },
      { sequence: 2, roundId: 'r1', step: 1, contributors: 3, epsilonAfter: 0.2 },
    ]);
    expect(budget.history[0].settledAt).toMatch(/^\d{4}-.*Z$/);
    expect(budget.last).toEqual([{ sequence: 2 }]);
  });

  it('pages through the ledger, oldest or newest first, exact', async () => {
    const query = `query($order: Order!, $after: String) { ledger(first: 2, order: $order, after: $after) { totalCount
      pageInfo { hasNextPage endCursor } edges { node { sequence status reservedEvent reservedUnits committedEvent committedUnits reason } } } }`;
    const first = (await gql(bench.server, auditor, query, { order: 'OLDEST_FIRST' })).data.ledger;
    expect(first.totalCount).toBe(3);
    expect(first.pageInfo.hasNextPage).toBe(true);
    expect(first.edges[0].node).toEqual({
      sequence: 1,
      status: 'COMMITTED',
      reservedEvent: EVENT,
      reservedUnits: ['10'],
      committedEvent: EVENT,
      committedUnits: ['123456789012345678901234567890'],
      reason: null,
    });
    const variables = { order: 'OLDEST_FIRST', after: first.pageInfo.endCursor };
    const rest = (await gql(bench.server, auditor, query, variables)).data.ledger;
    expect(rest.edges.map((e: { node: object }) => e.node)).toMatchObject([
      { sequence: 3, status: 'VOIDED', reason: 'too few' },
    ]);
    expect(rest.pageInfo.hasNextPage).toBe(false);
    const newest = (await gql(bench.server, auditor, query, { order: 'NEWEST_FIRST' })).data.ledger;
    expect(newest.edges.map((e: { node: { sequence: number } }) => e.node.sequence)).toEqual([3, 2]);
  });

  it('reads rounds with who contributed and who dropped, participants, runs and nodes', async () => {
    const { data } = await gql(
      bench.server,
      auditor,
      `query($run: String!) { rounds(run: $run) { edges { node { id roundId phase contributors dropped bytesReceived timings abortReason } } }
        participants { totalCount edges { node { name status } } }
        run(id: $run) { synthesizer status options charter { digest } epsilonViews { coordinatorWithColluders } }
        runs(status: RUNNING) { totalCount } }`,
      { run: runId },
    );
    const rounds = data.rounds.edges.map((e: { node: object }) => e.node);
    expect(rounds).toMatchObject([
      { roundId: 'r0', phase: 'COMPLETED', dropped: [], abortReason: null },
      {
        roundId: 'r1',
        phase: 'COMPLETED',
        dropped: [members[0]!.id],
        bytesReceived: { [members[1]!.id]: 1234 },
      },
      {
        roundId: 'r2',
        phase: 'ABORTED',
        contributors: null,
        dropped: null,
        abortReason: 'too few',
        timings: { 'masked-input': 12 },
      },
    ]);
    expect(data.participants.totalCount).toBe(4);
    expect(data.run).toMatchObject({ synthesizer: 'gan', status: 'RUNNING', options: { steps: 3 } });
    expect(data.runs.totalCount).toBe(1);
    const node = await gql(
      bench.server,
      auditor,
      'query($id: ID!) { node(id: $id) { ... on Round { roundId } } }',
      { id: rounds[1].id },
    );
    expect(node.data.node.roundId).toBe('r1');
  });

  it('has nothing to write with', async () => {
    const attempt =
      'mutation($id: String!) { cancelRun(input: {runId: $id, idempotencyKey: "12345678"}) { __typename } }';
    expect((await gql(bench.server, auditor, attempt, { id: runId })).errors?.[0]?.extensions?.code).toBe(
      'Forbidden',
    );
  });
});

describe('progress', () => {
  it('comes as it happens, resumes after a cursor, and ends with the run', async () => {
    const query =
      'subscription($run: String!, $after: String) { runProgress(run: $run, after: $after) { cursor step status progress } }';
    const stream = events(await subscribe(bench.server, application, query, { run: runId }));
    const now = (await stream.next()).value.data.runProgress;
    expect(now).toEqual({ cursor: '0.running', step: 0, status: 'RUNNING', progress: {} });
    const move = async (change: object) => {
      await bench.opened.store.transaction((tx) => tx.updateRun(runId, change));
      bench.opened.bus.publish(`run:${runId}`);
    };
    await move({ step: 1, progress: { accuracy: 0.5 } });
    expect((await stream.next()).value.data.runProgress).toMatchObject({
      step: 1,
      progress: { accuracy: 0.5 },
    });
    const resumed = events(
      await subscribe(bench.server, application, query, { run: runId, after: '1.running' }),
    );
    await move({ step: 2, status: 'completed', releaseDigest: '2'.repeat(64) });
    expect((await resumed.next()).value.data.runProgress.cursor).toBe('2.completed');
    expect((await stream.next()).value.data.runProgress.cursor).toBe('2.completed');
    expect((await stream.next()).done).toBe(true);
    const missing = await subscribe(bench.server, application, query, { run: 'no such run' });
    expect(JSON.stringify(await missing.text())).toContain('NotFound');
  });
});

describe('an application', () => {
  const client = () => createApplicationClient({ url: `${bench.server.url}/`, token: application.token });

  it('takes rows page by page: pages fit together, whatever their size', async () => {
    const take = async (pageRows: number) => {
      const rows = [];
      for await (const page of client().sample({ run: runId, rows: 250, seed: 'abc', pageRows }))
        rows.push(...page.rows);
      return rows;
    };
    const rows = await take(100);
    expect(rows).toHaveLength(250);
    expect(rows[9]).toEqual({ species: 'gull, herring', speed: null });
    expect(await take(37)).toEqual(rows);
    for await (const page of client().sample({ run: runId, rows: 1 }))
      expect(page.schema).toHaveProperty('fields');
  });

  it('gets the limits, and a cursor only for its own run and seed', async () => {
    const ask = async (text: string) => {
      const query = `{ syntheticSamples(${text}) { ... on Failure { code message } ... on SyntheticSamples { pageInfo { endCursor hasNextPage } } } }`;
      const { data, errors } = await gql(bench.server, application, query);
      expect(errors).toBeUndefined();
      return data.syntheticSamples;
    };
    expect(await ask(`run: "${runId}", first: 10001`)).toMatchObject({
      code: 'InvalidInput',
      message: expect.stringContaining('10000'),
    });
    expect((await ask(`run: "${runId}", first: 0`)).code).toBe('InvalidInput');
    const { endCursor } = (await ask(`run: "${runId}", first: 5, seed: "a"`)).pageInfo;
    expect(
      (await ask(`run: "${runId}", first: 5, seed: "a", after: "${endCursor}"`)).pageInfo.hasNextPage,
    ).toBe(true);
    for (const other of [`run: "${runId}", seed: "b"`, `run: "${unreleased}", seed: "a"`])
      expect((await ask(`${other}, after: "${endCursor}"`)).code).toBe('InvalidInput');
    expect((await ask(`run: "${runId}", after: "!!!"`)).code).toBe('InvalidInput');
    expect((await ask(`run: "${unreleased}"`)).code).toBe('ReleaseNotReady');
    expect((await ask('run: "nothing"')).code).toBe('NotFound');
  });

  it('exports CSV that reads back as the rows', async () => {
    const text = await new Response(
      await client().exportCsv({ run: runId, rows: 2_500, seed: 'abc' }),
    ).text();
    const [header, ...records] = parse(text) as string[][];
    expect(header).toEqual(['species', 'speed']);
    expect(records).toHaveLength(2_500);
    expect(records[8]).toEqual(['bat', '11']);
    expect(records[9]).toEqual(['gull, herring', '']);
  });

  it('is told by code what is wrong', async () => {
    const codeOf = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(ApplicationError);
      return (error as ApplicationError).code;
    };
    const first = (run: string, own = client()) =>
      own.sample({ run, rows: 1 })[Symbol.asyncIterator]().next();
    const stranger = createApplicationClient({
      url: bench.server.url,
      token: 'chorale_application_000000000000',
    });
    const reader = createApplicationClient({ url: bench.server.url, token: auditor.token });
    expect(await codeOf(first(unreleased))).toBe('ReleaseNotReady');
    expect(await codeOf(first(runId, stranger))).toBe('InvalidToken');
    expect(await codeOf(first(runId, reader))).toBe('Forbidden');
    expect(await codeOf(client().exportCsv({ run: unreleased, rows: 1 }))).toBe('ReleaseNotReady');
    expect(await codeOf(client().exportCsv({ run: runId, rows: 1e8 }))).toBe('InvalidInput');
    expect(await codeOf(reader.exportCsv({ run: runId, rows: 1 }))).toBe('Forbidden');
    expect(await codeOf(stranger.exportCsv({ run: runId, rows: 1 }))).toBe('InvalidToken');
  });
});
