import { bytesToHex } from '@noble/hashes/utils.js';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ApplicationError,
  createApplicationClient,
  type SampleOptions,
  type SyntheticRow,
} from '../../clients/application/index.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { readCharter, synthesisContext } from '../../src/federation/charter.js';
import { createQuality } from '../../src/federation/quality.js';
import { createSamples } from '../../src/federation/samples.js';
import { marginalsSynthesizer as marginals } from '../../src/synthesis/marginals/marginals.js';
import { sampleRows, seedOf } from '../../src/synthesis/sampling.js';
import { releaseOf } from '../synthesis/marginals/released.js';
import { activeCharter, type Bench, gql, openBench } from './fixture.js';

/** A run of `marginals` and one of `gan`, released: rows come from the real samplers. */
let bench: Bench;
let runId: string;
let ofGan: string;
let unreleased: string;
let application: { token: string };
let release: Uint8Array;
const samples = () => {
  const { store } = bench.opened;
  return createSamples(store, bench.blobs, createQuality(store, bench.blobs, bench.service.compliance));
};
const OPTIONS = { noiseMultiplier: 100, modelCells: 1000, iterations: 50 };

beforeAll(async () => {
  bench = await openBench((service) => ({
    ...service,
    samples: {
      rows: (...order) => samples().rows(...order),
      release: (run) => samples().release(run),
    },
  }));
  await activeCharter(bench);
  application = { token: await bench.token('application') };
  const { store } = bench.opened;
  const propose = async (synthesizer: string, options: object) =>
    (await bench.service.runs.propose({ synthesizer, options: options as never, proposedBy: 'p' })).id;
  runId = await propose('marginals', OPTIONS);
  ofGan = await propose('gan', { steps: 3 });
  unreleased = await propose('gan', { steps: 3 });
  const charter = (await bench.service.enrolment.charter())?.body as string;
  const records = Array.from(
    { length: 600 },
    (_, i) => `${i % 3 === 0 ? 'bat' : '"gull, herring"'},${i % 7 === 0 ? '' : (i * 13) % 400}`,
  );
  release = await releaseOf(synthesisContext(readCharter(charter)), marginals.parseOptions(OPTIONS), records);
  const released = async (run: string, bytes: Uint8Array) => {
    const releaseDigest = await bench.blobs.put(bytes);
    await store.transaction((tx) =>
      tx.updateRun(run, { status: 'completed', releaseDigest, finishedAt: new Date() }),
    );
  };
  await released(runId, release);
  await released(ofGan, Uint8Array.from([1, 2, 3]));
});
afterAll(() => bench.close());

const client = () => createApplicationClient({ url: bench.server.url, token: application.token });
const take = async (options: Omit<SampleOptions, 'run'>): Promise<SyntheticRow[]> => {
  const rows: SyntheticRow[] = [];
  for await (const page of client().sample({ run: runId, ...options })) rows.push(...page.rows);
  return rows;
};
const refused = async (work: Promise<unknown>): Promise<ApplicationError> => {
  const error = await work.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ApplicationError);
  return error as ApplicationError;
};

const where = { species: { in: ['bat'] }, speed: { from: 100, below: 200 } } as const;
const balance = { column: 'speed', shares: [{ value: null, share: 0.5 }] } as const;

describe('an application', () => {
  it('gets rows under conditions, page by page and as a file, the same ones', async () => {
    const rows = await take({ rows: 250, seed: 's', where, pageRows: 60 });
    expect(rows).toHaveLength(250);
    for (const { species, speed } of rows)
      expect([species, Number(speed) >= 100 && Number(speed) < 200]).toEqual(['bat', true]);
    expect(await take({ rows: 250, seed: 's', where, pageRows: 250 })).toEqual(rows);
    const stream = await client().exportCsv({ run: runId, rows: 250, seed: 's', where });
    const [, ...records] = parse(await new Response(stream).text()) as string[][];
    expect(records).toEqual(rows.map((row) => [row.species, String(row.speed)]));
  });

  it('gets other shares, a missing value among them', async () => {
    const rows = await take({ rows: 4000, balance, pageRows: 4000 });
    expect(Math.abs(rows.filter(({ speed }) => speed === null).length / 4000 - 0.5)).toBeLessThan(0.04);
    expect(rows).not.toEqual(await take({ rows: 4000, pageRows: 4000 }));
  });

  it('gets a cursor that is bound to the conditions too', async () => {
    const ask = async (text: string) => {
      const query = `{ syntheticSamples(run: "${runId}", first: 5, ${text}) { ... on Failure { code } ... on SyntheticSamples { pageInfo { endCursor } } } }`;
      const { data, errors } = await gql(bench.server, application, query);
      expect(errors).toBeUndefined();
      return data.syntheticSamples;
    };
    const bats = 'where: [{column: "species", in: ["bat"]}]';
    const { endCursor } = (await ask(bats)).pageInfo;
    expect((await ask(`${bats}, after: "${endCursor}"`)).pageInfo.endCursor).not.toBe(endCursor);
    for (const other of [
      'seed: "0"',
      'where: [{column: "species", in: ["gull, herring"]}]',
      `${bats}, balance: {column: "speed", shares: [{value: null, share: 0.5}]}`,
    ])
      expect((await ask(`${other}, after: "${endCursor}"`)).code).toBe('InvalidInput');
    expect((await ask('where: [{column: "speed", from: 3}, {column: "speed", to: 9}]')).code).toBe(
      'InvalidInput',
    );
  });

  it('hazard D3: is told at once, in words and before a file begins, that no row is like that', async () => {
    for (const [conditions, words] of [
      [{ where: { species: { in: ['ostrich'] } } }, 'ostrich'],
      [{ where: { speed: { from: 500 } } }, 'within these bounds'],
      [{ where: { speed: { in: [5] } }, balance }, 'no such row'],
      [{ where: { speed: { at: 5 } } as never }, 'at'],
    ] as const) {
      const [page, file] = [
        await refused(take({ rows: 1, ...conditions })),
        await refused(client().exportCsv({ run: runId, rows: 1, ...conditions })),
      ];
      expect(file.code).toBe('InvalidInput');
      expect(file.message).toContain(words);
      // GraphQL's own types refuse the last one before Chorale sees it.
      if (words !== 'at') expect([page.code, page.message]).toEqual([file.code, file.message]);
    }
    const { url } = bench.server;
    const headers = { authorization: `Bearer ${application.token}` };
    expect((await fetch(`${url}/samples/${runId}.csv?where=nonsense`, { headers })).status).toBe(400);
    const gan = await refused(client().exportCsv({ run: ofGan, rows: 1, where }));
    expect(gan).toMatchObject({ code: 'InvalidInput', message: expect.stringContaining('marginals') });
  });

  it('fetches the release by its digest, and draws the same rows from it', async () => {
    const fetched = await client().release({ run: runId });
    expect(fetched.digest).toBe(bytesToHex(nodePrimitives.sha256(release)));
    const published = {
      context: synthesisContext(readCharter(fetched.charter.body)),
      ...{ kind: fetched.synthesizer, options: fetched.options, release: fetched.bytes },
    };
    const rows = [];
    for await (const row of sampleRows(published, { seed: seedOf('s'), offset: 0, count: 40, where }))
      rows.push(row);
    expect(rows).toEqual(await take({ rows: 40, seed: 's', where }));
    expect((await refused(client().release({ run: unreleased }))).code).toBe('ReleaseNotReady');
    expect((await refused(client().release({ run: 'none' }))).code).toBe('NotFound');
  });

  it('is the only one who may, and finds releases alone under their digest', async () => {
    const digest = bytesToHex(nodePrimitives.sha256(release));
    const get = async (path: string, headers: Record<string, string>) =>
      fetch(`${bench.server.url}/releases/${path}`, { headers });
    const own = { authorization: `Bearer ${application.token}` };
    const other = { authorization: `Bearer ${await bench.token('auditor')}` };
    expect((await get(digest, {})).status).toBe(401);
    expect((await get(digest, other)).status).toBe(403);
    expect((await get(digest, { ...own, 'if-none-match': `"${digest}"` })).status).toBe(304);
    const state = await bench.blobs.put(Uint8Array.from([9, 9, 9]));
    for (const path of ['x', '0'.repeat(64), state]) expect((await get(path, own)).status).toBe(404);
  });

  it('positive control: a client that is sent other bytes under the digest says so', async () => {
    const honest = globalThis.fetch;
    globalThis.fetch = async (input, init) => {
      const answer = await honest(input as string, init);
      return String(input).includes('/releases/') ? new Response(Uint8Array.from([1, 2, 3])) : answer;
    };
    try {
      expect((await refused(client().release({ run: runId }))).code).toBe('DigestMismatch');
    } finally {
      globalThis.fetch = honest;
    }
  });
});
