import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../src/crypto/canonical.js';
import { encodeReport, type QualityReport } from '../../src/synthesis/quality/report.js';
import {
  type Bench,
  type Caller,
  CHARTER,
  enrollApproved,
  gql,
  type Member,
  mutate,
  newIdempotencyKey,
  openBench,
  signCharter,
} from './fixture.js';

let bench: Bench;
let members: Member[];
let operator: Caller;
let application: Caller;
const GATES = { maxEpsilon: 2, minFidelity: 0.85, maxAttackAdvantage: 0.1 };

beforeAll(async () => {
  bench = await openBench();
  members = [];
  for (const name of ['Alto', 'Bass', 'Tenor']) members.push(await enrollApproved(bench, name));
  operator = { token: await bench.token('operator') };
  application = { token: await bench.token('application') };
  const input = { ...CHARTER, holdOut: 0.2, releaseGates: GATES, idempotencyKey: newIdempotencyKey() };
  const { digest, body } = await mutate(
    bench.server,
    operator,
    'proposeCharter',
    input,
    '... on Charter { digest body }',
  );
  expect(JSON.parse(body)).toMatchObject({ holdOut: 0.2, releaseGates: GATES });
  for (const member of members)
    await bench.service.enrolment.signCharter(member.id, digest, signCharter(member, digest));
}, 180_000);
afterAll(() => bench.close());

/** A run that released these bytes, as the driver would have left it. */
async function released(synthesizer: string, options: Json, release: Uint8Array): Promise<string> {
  const { id } = await bench.service.runs.propose({ synthesizer, options, proposedBy: 'olga' });
  const releaseDigest = await bench.blobs.put(release);
  await bench.opened.store.transaction((tx) => tx.updateRun(id, { status: 'completed', releaseDigest }));
  return id;
}

async function reportOf(run: string, caller: Caller, fields: string) {
  const { data, errors } = await gql(
    bench.server,
    caller,
    `query ($run: String!) { qualityReport(run: $run) { __typename ... on QualityReport { ${fields} } ... on Failure { code message } } }`,
    { run },
  );
  expect(errors).toBeUndefined();
  return data.qualityReport;
}

const gatesOf = async (run: string, caller: Caller) =>
  (
    await gql(
      bench.server,
      caller,
      'query ($id: String!) { run(id: $id) { gates { gate wanted found state } } }',
      { id: run },
    )
  ).data.run.gates;

describe('qualityReport and gates over GraphQL', () => {
  it('is NotFound or ReleaseNotReady as a type of its own, and gates are NOT_MEASURED, until there is a report', async () => {
    expect(await reportOf('nothing', operator, 'run')).toMatchObject({ __typename: 'NotFoundFailure' });
    const run = await released('marginals', {}, new Uint8Array([1]));
    expect(await reportOf(run, application, 'run')).toMatchObject({
      __typename: 'ReleaseNotReadyFailure',
      message: expect.stringContaining(`chorale run quality ${run}`),
    });
    expect(await gatesOf(run, operator)).toEqual([
      { gate: 'MAX_EPSILON', wanted: 2, found: 0, state: 'PASSED' },
      { gate: 'MIN_FIDELITY', wanted: 0.85, found: null, state: 'NOT_MEASURED' },
      { gate: 'MAX_ATTACK_ADVANTAGE', wanted: 0.1, found: null, state: 'NOT_MEASURED' },
    ]);
  });

  it('gives every figure with its interval, who contributed, and the ε of the measurement', async () => {
    const run = await released('marginals', {}, new Uint8Array([2]));
    const { releaseDigest } = (await bench.service.runs.run(run))!;
    const [at, far] = [
      { estimate: 0.05, lower: 0.03, upper: 0.08 },
      { estimate: 0.4, lower: 0.3, upper: 0.5 },
    ];
    const report: QualityReport = {
      version: 1,
      run,
      release: releaseDigest!,
      synthesizer: 'marginals',
      syntheticRows: 20_000,
      contributors: members.map(({ id }) => id),
      confidence: 0.95,
      records: { estimate: 600.5, lower: 580, upper: 621 },
      oneWay: { mean: at, sampling: 0.02, columns: [{ column: 'species', distance: at }] },
      twoWay: {
        cells: 4,
        mean: at,
        sampling: 0.03,
        independentColumns: far,
        worst: [{ columns: ['species', 'speed'], distance: at }],
      },
      label: { column: 'species', area: far, classes: [{ category: 'bat', area: far }] },
      attack: { advantage: far, references: 50 },
    };
    const quality = await released('quality', { run }, encodeReport(report));
    const ESTIMATE = '{ estimate lower upper }';
    expect(
      await reportOf(
        run,
        operator,
        `run qualityRun epsilon releaseDigest synthesizer syntheticRows contributors confidence records ${ESTIMATE}
         oneWay { mean ${ESTIMATE} sampling columns { column distance ${ESTIMATE} } }
         twoWay { cells mean ${ESTIMATE} sampling independentColumns ${ESTIMATE} worst { columns distance ${ESTIMATE} } }
         label { column area ${ESTIMATE} classes { category area ${ESTIMATE} } } attackAdvantage ${ESTIMATE}`,
      ),
    ).toEqual({
      __typename: 'QualityReport',
      run,
      qualityRun: quality,
      epsilon: 0,
      releaseDigest,
      synthesizer: 'marginals',
      syntheticRows: 20_000,
      contributors: members.map(({ id }) => id),
      confidence: 0.95,
      records: report.records,
      oneWay: report.oneWay,
      twoWay: report.twoWay,
      label: report.label,
      attackAdvantage: far,
    });
    // What anything cost is for those who answer for it.
    const { data, errors } = await gql(
      bench.server,
      application,
      `{ qualityReport(run: "${run}") { ... on QualityReport { synthesizer epsilon } } }`,
    );
    expect(data.qualityReport).toEqual({ synthesizer: 'marginals', epsilon: null });
    expect(errors?.[0]?.extensions?.code).toBe('Forbidden');
    expect((await gatesOf(run, operator)).map(({ state }: { state: string }) => state)).toEqual([
      'PASSED',
      'PASSED',
      'FAILED',
    ]);
  });
});
