import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commit, reserve } from '../../src/federation/ledger.js';
import type { BudgetStatement } from '../../src/federation/ports.js';
import { recordRefusal } from '../../src/federation/refusals.js';
import { parseEvent } from '../../src/privacy/events.js';
import { costUnits, epsilonOfUnits, limitUnits } from '../../src/privacy/filter.js';
import { activeCharter, type Bench, type Caller, gql, type Member, openBench } from './fixture.js';

let bench: Bench;
let members: Member[];
let operator: Caller;
let auditor: Caller;
const LIMIT = { epsilon: 3, delta: 1e-6, orders: [8] };
const OPTIONS = { steps: 20, samplingRate: 0.05, noiseMultiplier: 2 };

beforeAll(async () => {
  bench = await openBench();
  members = (await activeCharter(bench)).members;
  operator = { token: await bench.token('operator') };
  auditor = { token: await bench.token('auditor') };
}, 180_000);
afterAll(() => bench.close());

const FIELDS = `... on RunPreview { epsilon interval { lower upper } epsilonAfter epsilonLimit delta orders steps fits
  remainingSteps planDigest target { epsilon noiseMultiplier steps } } ... on Failure { code message }`;

async function preview(options: unknown, targetEpsilon?: number, synthesizer = 'gan') {
  const { data, errors } = await gql(
    bench.server,
    operator,
    `query ($s: String!, $o: JSON!, $t: Float) { previewRun(synthesizer: $s, options: $o, targetEpsilon: $t) { __typename ${FIELDS} } }`,
    { s: synthesizer, o: options, t: targetEpsilon },
  );
  expect(errors).toBeUndefined();
  return data.previewRun;
}

/** The events of the first sum and of every later one under these options, as the run's plan has them. */
async function plannedEvents(options: Record<string, number>) {
  const { plan, id } = await bench.service.runs.propose({ synthesizer: 'gan', options, proposedBy: 'olga' });
  const [first, later] = plan as unknown as [{ event: unknown }, { event: unknown }];
  return { first: parseEvent(first.event), event: parseEvent(later.event), runId: id };
}

async function spend(runId: string, slot: number, options: Record<string, number>): Promise<void> {
  const { event } = await plannedEvents(options);
  const { store } = bench.opened;
  await store.transaction(async (tx) => {
    await reserve(tx, { runId, roundId: `${runId}-${slot}`, event });
    if ((await tx.openBlock(runId)) === null)
      await tx.insertBlock({ id: `b-${runId}`, runId, phase: 'ready', config: {}, slots: 8, nextSlot: 0 });
    await tx.insertRound({
      id: `${runId}-${slot}`,
      runId,
      step: slot,
      attempt: 0,
      blockId: `b-${runId}`,
      slot,
      phase: 'completed',
      query: {},
      queryDigest: '0'.repeat(64),
      modelDigest: '1'.repeat(64),
      expected: members.map(({ id }) => id),
      survivors: members.map(({ id }) => id),
      maskedSumDigest: null,
      abortReason: null,
      bytesReceived: {},
      timings: {},
    });
    await commit(tx, `${runId}-${slot}`, event);
  });
}

describe('a preview, over HTTP', () => {
  it('is the filter’s own number, inside nothing but the budget, and spends nothing', async () => {
    const shown = await preview(OPTIONS);
    const { first, event } = await plannedEvents(OPTIONS);
    const [start] = costUnits(first, LIMIT.orders) as [bigint];
    const [unit] = costUnits(event, LIMIT.orders) as [bigint];
    const epsilon = epsilonOfUnits(LIMIT, [start + 19n * unit]);
    expect(shown).toMatchObject({
      __typename: 'RunPreview',
      epsilon,
      epsilonAfter: epsilon,
      epsilonLimit: 3,
      delta: 1e-6,
      orders: [8],
      steps: 20,
      fits: true,
    });
    expect(BigInt(shown.remainingSteps)).toBe(1n + ((limitUnits(LIMIT)[0] as bigint) - start) / unit);
    expect(shown.target).toMatchObject({ epsilon: null, steps: shown.remainingSteps });
    // No ε below `lower` holds, so the filter's is not below it; the tight upper end is never above the Rényi bound.
    expect(shown.interval.lower).toBeLessThanOrEqual(epsilon);
    if (shown.interval.upper !== null) expect(shown.interval.upper).toBeLessThanOrEqual(epsilon);
    const budget = await bench.opened.store.transaction((tx) => tx.lockBudget());
    expect(budget).toMatchObject({ spent: [0n], reserved: [0n] });
    expect(await bench.opened.store.transaction((tx) => tx.ledger())).toEqual([]);
  });

  it('finds the noise and the number of sums for a target: they meet it, and one digit or sum more would not', async () => {
    const target = 2;
    const shown = await preview(OPTIONS, target);
    expect(shown.target.epsilon).toBe(target);
    const { noiseMultiplier, steps } = shown.target;
    expect((await preview({ ...OPTIONS, noiseMultiplier })).epsilon).toBeLessThanOrEqual(target);
    expect((await preview({ ...OPTIONS, noiseMultiplier: noiseMultiplier * 0.999 })).epsilon).toBeGreaterThan(
      target,
    );
    expect(Number(noiseMultiplier.toPrecision(4))).toBe(noiseMultiplier);
    // The noise of a plan's first sum, and so its cost, depends a little on how many sums there are.
    expect((await preview({ ...OPTIONS, steps: Math.floor(0.95 * steps) })).epsilon).toBeLessThanOrEqual(
      target,
    );
    expect((await preview({ ...OPTIONS, steps: Math.ceil(1.05 * steps) })).epsilon).toBeGreaterThan(target);
  });

  it('says so where no noise and no sum meet the target: at this order and δ ε = 1 is out of reach', async () => {
    expect((await preview(OPTIONS, 1)).target).toEqual({ epsilon: 1, noiseMultiplier: null, steps: 0 });
  });

  it('counts what is left: after a spend fewer sums remain, and the noise for what is left is more', async () => {
    const before = await preview({ ...OPTIONS, steps: 200 });
    const { runId } = await plannedEvents(OPTIONS);
    for (const slot of [0, 1, 2]) await spend(runId, slot, { ...OPTIONS, noiseMultiplier: 1.6 });
    const after = await preview({ ...OPTIONS, steps: 200 });
    expect(after.epsilon).toBe(before.epsilon);
    expect(after.epsilonAfter).toBeGreaterThan(before.epsilonAfter);
    expect(after.remainingSteps).toBeLessThan(before.remainingSteps);
    expect(after.target.noiseMultiplier).toBeGreaterThan(before.target.noiseMultiplier);
    const { remainingSteps } = await preview(OPTIONS);
    const fits = async (share: number) =>
      (await preview({ ...OPTIONS, steps: Math.round(share * remainingSteps) })).fits;
    expect(await fits(0.95)).toBe(true);
    expect(await fits(1.05)).toBe(false);
  });

  it.each([
    [{ steps: -1 }, undefined, 'gan'],
    [{ steps: 1.5 }, undefined, 'gan'],
    [{ noiseMultiplier: 0 }, undefined, 'gan'],
    [{ samplingRate: 2 }, undefined, 'gan'],
    [{ stepz: 3 }, undefined, 'gan'],
    ['text', undefined, 'gan'],
    [[], undefined, 'gan'],
    [{}, undefined, 'oracle'],
    [{}, 0, 'gan'],
    [{}, -1, 'gan'],
    [{}, 1e300, 'gan'],
  ])('%j for ε %s of %s is refused with InvalidInput, and says what to do', async (options, target, kind) => {
    const refused = await preview(options, target, kind);
    expect(refused).toMatchObject({ __typename: 'InvalidInputFailure', code: 'InvalidInput' });
    expect(refused.message.length).toBeGreaterThan(10);
  });

  it('is for operators and approvers', async () => {
    const asked = '{ previewRun(synthesizer: "gan", options: {}) { __typename } }';
    expect((await gql(bench.server, auditor, asked)).errors?.[0]?.extensions?.code).toBe('Forbidden');
  });
});

describe('who sees which ε', () => {
  it('a release carries five views, each with an interval and a curve', async () => {
    const { runId } = await plannedEvents(OPTIONS);
    const asked = `query ($id: String!) { run(id: $id) { epsilonViews { coordinatorWithColluders }
      observerViews { observer epsilon interval { lower upper } curve { epsilon deltaLower deltaUpper } } } }`;
    const empty = (await gql(bench.server, auditor, asked, { id: runId })).data.run;
    expect(empty.observerViews).toEqual([]);
    await spend(runId, 0, OPTIONS);
    const { data, errors } = await gql(bench.server, auditor, asked, { id: runId });
    expect(errors).toBeUndefined();
    const views = data.run.observerViews;
    expect(views.map((view: { observer: string }) => view.observer)).toEqual([
      'COORDINATOR_WITH_COLLUDERS',
      'COORDINATOR_ALONE',
      'ANOTHER_MEMBER',
      'PUBLIC',
      'SECURE_AGGREGATION_BROKEN',
    ]);
    expect(views[0].epsilon).toBe(data.run.epsilonViews.coordinatorWithColluders);
    for (const { epsilon, interval, curve } of views) {
      if (interval.upper === null) continue;
      expect(interval.lower).toBeLessThanOrEqual(interval.upper);
      expect(interval.upper).toBeLessThanOrEqual(epsilon * (1 + 1e-9));
      expect(curve.length).toBeGreaterThanOrEqual(10);
      for (const point of curve) expect(point.deltaLower).toBeLessThanOrEqual(point.deltaUpper);
      const deltas = curve.map((point: { deltaUpper: number }) => point.deltaUpper);
      expect(deltas).toEqual([...deltas].sort((a, b) => b - a));
    }
  });

  it('is not for applications', async () => {
    const { runId } = await plannedEvents(OPTIONS);
    const application = { token: await bench.token('application') };
    for (const field of ['observerViews { epsilon }', 'refusals { reason }']) {
      const asked = `query ($id: String!) { run(id: $id) { ${field} } }`;
      const { errors } = await gql(bench.server, application, asked, { id: runId });
      expect(errors?.[0]?.extensions?.code).toBe('Forbidden');
    }
  });
});

describe('a disagreement about the budget', () => {
  const decline = (caller: Caller, budget: Partial<Record<keyof BudgetStatement, number>>) =>
    gql(
      bench.server,
      caller,
      'mutation ($input: DeclineTaskInput!) { declineTask(input: $input) { __typename ... on Failure { code message } } }',
      { input: { blockId: 'block', slot: 0, phase: 'MASKED_INPUT', reason: 'over my budget', budget } },
    );
  const budget: BudgetStatement = { epsilonSpent: 2.9, epsilonAsked: 3.2, epsilonLimit: 3 };

  it('the member’s figures travel with its refusal; what is no figure is refused', async () => {
    const collected = bench.desk.collect(
      {
        blockId: 'block',
        slot: 0,
        phase: 'masked-input',
        from: [members[0]!.id],
        task: (_, upload) => ({
          kind: 'consistency-check',
          blockId: 'block',
          slot: 0,
          survivors: [],
          upload,
        }),
        maxBytes: 10,
        receive: async () => undefined,
        deadlineMs: 20_000,
        graceMs: 20_000,
      },
      new AbortController().signal,
    );
    const negative = await decline(members[0], { ...budget, epsilonSpent: -1 });
    expect(negative.data.declineTask).toMatchObject({ code: 'InvalidInput' });
    expect((await decline(members[0], { epsilonSpent: 1 })).errors).toBeDefined();
    expect((await decline(members[0], budget)).data.declineTask.__typename).toBe('MessageReceipt');
    const { declined } = await collected;
    expect([...declined]).toEqual([[members[0]!.id, { reason: 'over my budget', budget }]]);
  });

  it('is shown with both figures', async () => {
    const { runId } = await plannedEvents(OPTIONS);
    await spend(runId, 0, OPTIONS);
    const { store } = bench.opened;
    const refusal = {
      roundId: `${runId}-0`,
      participantId: members[1]!.id,
      reason: 'over my budget',
      budget,
    };
    for (let repeat = 0; repeat < 2; repeat++) await store.transaction((tx) => recordRefusal(tx, refusal));
    const { data } = await gql(
      bench.server,
      auditor,
      `query ($id: String!) { run(id: $id) { refusals { roundId participantId reason
        participant { epsilonSpent epsilonAsked epsilonLimit } coordinator { epsilonSpent epsilonAsked epsilonLimit } } }
        privacyBudget { ... on PrivacyBudget { epsilonSpent epsilonReserved } } }`,
      { id: runId },
    );
    const { epsilonSpent, epsilonReserved } = data.privacyBudget;
    expect(data.run.refusals).toEqual([
      {
        roundId: `${runId}-0`,
        participantId: members[1]!.id,
        reason: 'over my budget',
        participant: budget,
        coordinator: { epsilonSpent, epsilonAsked: epsilonReserved, epsilonLimit: 3 },
      },
    ]);
  });
});
