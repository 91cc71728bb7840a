import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AnnouncedRun, createRunPolicy } from '../../clients/participant/policy.js';
import type { Task } from '../../src/federation/service.js';
import type { SumQuery } from '../../src/privacy/sumQuery.js';
import type { BlockConfig } from '../../src/secagg/block.js';
import { ganSynthesizer } from '../../src/synthesis/gan/gan.js';
import { databases } from '../store/databases.js';
import { type Choir, openChoir, seedOf } from './harness.js';
import { identityOf, type MaskedInputTask, type Member } from './member.js';

const fresh = databases[1]!.use();

let choir: Choir;
let victim: Member;
let runId: string;

type TaskOf<Kind extends Task['kind']> = Extract<Task, { kind: Kind }>;

beforeEach(async () => {
  choir = await openChoir(await fresh.open());
  victim = choir.members[0]!;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await choir.close();
});

/** Starts a run; the victim gets no further than the first task of this kind and step, which the test hands over itself. */
async function taskFor<Kind extends Task['kind']>(kind: Kind, step = 0): Promise<TaskOf<Kind>> {
  const reached = new Promise<TaskOf<Kind>>((resolve) => {
    victim.conduct = (task) => {
      if (task.kind !== kind || ('step' in task && task.step < step)) return 'answer';
      resolve(task as TaskOf<Kind>);
      return 'ignore';
    };
  });
  runId = await choir.start({ steps: 2 });
  return reached;
}

const withQuery = (task: MaskedInputTask, change: Partial<SumQuery>): MaskedInputTask => ({
  ...task,
  query: { ...task.query, ...change },
});

describe('a coordinator that lies about the block', () => {
  it('hazards S1, S6, S7: every floor and key is the charter’s, not the server’s', async () => {
    const task = await taskFor('advertise-keys');
    const config = task.config as unknown as BlockConfig;
    const stranger = { id: 'stranger', publicKey: identityOf(seedOf('stranger')).publicKey };
    const lies: [Partial<BlockConfig>, string][] = [
      [{ charterDigest: 'f'.repeat(64) }, 'CharterMismatch'],
      [{ federation: 'another' }, 'FederationMismatch'],
      [{ maxColluders: 0 }, 'InvalidConfig'],
      [{ minSurvivors: 2 }, 'InvalidConfig'],
      [
        { members: [...config.members.slice(0, 3), stranger].sort((a, b) => (a.id < b.id ? -1 : 1)) },
        'UnknownMember',
      ],
      [
        {
          members: config.members.map((m) => (m.id === victim.id ? m : { ...m, publicKey: seedHex(m.id) })),
        },
        'KeyMismatch',
      ],
      [{ members: config.members.filter((m) => m.id !== victim.id) }, 'NotInvited'],
    ];
    for (const [lie, code] of lies)
      await expect(
        victim.session.handle({ ...task, config: { ...config, ...lie } as never }),
        code,
      ).rejects.toMatchObject({ name: 'SecaggRefusal', code });
    await expect(victim.session.handle({ ...task, blockId: 'other' })).rejects.toMatchObject({
      code: 'QueryRefused',
    });
    // Positive control: the true one is answered.
    expect(await victim.session.handle(task)).toBeInstanceOf(Uint8Array);
  });
});

describe('a coordinator that lies about the question', () => {
  it('hazards S8, S11: noise, sensitivity, sampling, step and model are the plan’s; nothing is charged for a lie', async () => {
    // The second sum: it has models, and samples the records. The first is paid for by then.
    const task = await taskFor('masked-input', 1);
    const paid = victim.spending.units;
    const { encoding, samplingRate, l2Sensitivity, dimension, models } = task.query;
    const variance = encoding.shareVariance;
    const half = { numerator: variance.numerator, denominator: `${2n * BigInt(variance.denominator)}` };
    const lies: [string, MaskedInputTask][] = [
      ['weaker noise', withQuery(task, { encoding: { ...encoding, shareVariance: half } })],
      ['half the sensitivity', withQuery(task, { l2Sensitivity: l2Sensitivity / 2 })],
      ['twice the sensitivity', withQuery(task, { l2Sensitivity: l2Sensitivity * 2 })],
      ['more sampling', withQuery(task, { samplingRate: Math.min(1, samplingRate * 1.5) })],
      ['no sampling', withQuery(task, { samplingRate: 1 })],
      ['another dimension', withQuery(task, { dimension: dimension - 1 })],
      ['a coarser grid', withQuery(task, { encoding: { ...encoding, grid: encoding.grid * 2 } })],
      ['a ring too small', withQuery(task, { encoding: { ...encoding, modulusBits: 8 } })],
      ['a field more', withQuery(task, { weights: [1] } as never)],
      // On a finer grid the true sum would be refused for what it is: an oracle without noise.
      [
        'another clip norm than is paid for',
        withQuery(task, { parameters: { ...(task.query.parameters as object), clipNorm: 2 ** -10 } }),
      ],
      [
        'a wider clamp',
        withQuery(task, { encoding: { ...encoding, maxCoordinate: encoding.maxCoordinate * 2 } }),
      ],
      ['half a slot', { ...task, slot: 0.5 }],
      ['a slot that the block does not have', { ...task, slot: 64 }],
      ['no attempt', { ...task, attempt: 0 }],
      ['a round without me', { ...task, expected: task.expected.filter((id) => id !== victim.id) }],
      ['a round of two', { ...task, expected: task.expected.slice(0, 2) }],
      ['no query', { ...task, query: null as never }],
      ['a step after the plan', { ...task, step: 2 }],
      ['a step before it', { ...task, step: -1 }],
      ['half a step', { ...task, step: Number.NaN }],
      [
        'a model of another size',
        withQuery(task, { models: models.map((m) => ({ ...m, bytes: m.bytes + 4 })) }),
      ],
      [
        'a model that nobody has',
        withQuery(task, { models: models.map((m) => ({ ...m, digest: 'a'.repeat(64) })) }),
      ],
    ];
    for (const [lie, altered] of lies) {
      await expect(victim.session.handle(altered), lie).rejects.toThrow();
      expect(victim.spending.units, lie).toEqual(paid);
    }
    victim.alterModel = (bytes) => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    await expect(victim.session.handle(task)).rejects.toThrow(/is not the one that the query names/);
    expect(victim.spending.units).toEqual(paid);
    victim.alterModel = (bytes) => bytes;

    // Positive control: the true question is answered, and charged.
    expect(await victim.session.handle(task)).toBeInstanceOf(Uint8Array);
    expect(victim.spending.units[0]).toBeGreaterThan(paid[0]!);
  });

  it('a run is known by the plan that the member computes itself', async () => {
    await taskFor('masked-input');
    const run = (await choir.service.runs.run(runId))!;
    const announced: AnnouncedRun = { ...run, order: null };
    const policyOf = (change: Partial<AnnouncedRun>) => () =>
      createRunPolicy({ ...announced, ...change }, choir.charter, choir.charterDigest);
    expect(policyOf({})().runId).toBe(runId);
    expect(policyOf({ charterDigest: 'f'.repeat(64) })).toThrow(
      expect.objectContaining({ code: 'CharterMismatch' }),
    );
    expect(policyOf({ planDigest: 'f'.repeat(64) })).toThrow(
      expect.objectContaining({ code: 'QueryRefused' }),
    );
    expect(policyOf({ options: { ...(run.options as object), steps: 3 } })).toThrow(
      expect.objectContaining({ code: 'QueryRefused' }),
    );
    expect(policyOf({ synthesizer: 'oracle' })).toThrow(/no synthesizer/);
    expect(policyOf({ order: 8 })().orders).toEqual([8]);
    expect(policyOf({ order: 16 })).toThrow(expect.objectContaining({ code: 'QueryRefused' }));
    // Its first sum asks all records, the others samples: at order 1 it would be paid for what can't be finished.
    const privacy = { ...choir.charter.privacy, orders: [1, 8] };
    const atOrder = (order: number | null) =>
      createRunPolicy({ ...announced, order }, { ...choir.charter, privacy }, choir.charterDigest);
    expect(() => atOrder(1)).toThrow(/counts Gaussian DP .*names Rényi orders only/);
    expect(atOrder(null).orders).toEqual([8]);
  });
});

describe('a coordinator that lies in a round', () => {
  it('hazards S5, S17: one slot never gives a second vector', async () => {
    const task = await taskFor('masked-input');
    const first = await victim.session.handle(task);
    const charged = victim.spending.units;
    for (const again of [
      task,
      { ...task, attempt: 2 },
      { ...task, expected: task.expected.slice(0, 3) },
      { ...task, roundId: 'another' },
    ])
      expect(await victim.session.handle(again)).toEqual(first);
    expect(victim.spending.units).toEqual(charged);
    // The same attempt from another slot would be a second vector under fresh masks.
    await expect(victim.session.handle({ ...task, slot: task.slot + 1 })).rejects.toMatchObject({
      code: 'RoundReused',
    });
  });

  it('hazards S5, S12: keys of a block are made once: no second sum for one charge, before or after a restart', async () => {
    let advert: TaskOf<'advertise-keys'> | undefined;
    const asked = new Promise<MaskedInputTask>((resolve) => {
      victim.conduct = (task) => {
        if (task.kind === 'advertise-keys') advert = task;
        if (task.kind !== 'masked-input') return 'answer';
        resolve(task);
        return 'ignore';
      };
    });
    runId = await choir.start({ steps: 2 });
    const task = await asked;
    const first = await victim.session.handle(task);
    await expect(victim.session.handle(advert!)).rejects.toThrow(/served before/);
    victim.restart();
    await expect(victim.session.handle(advert!)).rejects.toThrow(/served before/);
    await expect(victim.session.handle(task)).rejects.toThrow(/no keys for the block/);
    expect(first).toBeInstanceOf(Uint8Array);
  });

  it('what goes wrong once records are looked at is told in no words of its own', async () => {
    const task = await taskFor('masked-input');
    vi.spyOn(ganSynthesizer, 'contribute').mockRejectedValue(new Error('coordinate 4 of the sum is 17'));
    await expect(victim.session.handle(task)).rejects.toThrow(/^This participant could not answer\.$/);
    // It is charged: whether it failed may depend on the records.
    expect(victim.spending.units[0]).toBeGreaterThan(0n);
  });

  it('hazards S6, S10: survivors without me, or too few of them, get no signature', async () => {
    const task = await taskFor('consistency-check');
    const others = task.survivors.filter((id) => id !== victim.id);
    const lies: [readonly string[], string][] = [
      [others, 'InvalidSurvivors'],
      [[victim.id, others[0]!].sort(), 'TooFewSurvivors'],
      [[...others, 'stranger', victim.id].sort(), 'InvalidSurvivors'],
      [[...task.survivors, task.survivors[0]!], 'InvalidSurvivors'],
    ];
    for (const [survivors, code] of lies)
      await expect(victim.session.handle({ ...task, survivors })).rejects.toMatchObject({ code });
    const signed = await victim.session.handle(task);
    // Another set gets the first signature again, never one of its own (S3).
    expect(
      await victim.session.handle({ ...task, survivors: [victim.id, ...others.slice(1)].sort() }),
    ).toEqual(signed);
  });

  it('hazard S3: no share leaves before enough shareholders signed the same survivors', async () => {
    const task = await taskFor('unmasking');
    const charged = victim.spending.units;
    const forged = task.checks.map((check) =>
      check.map((byte, i) => (i === check.length - 1 ? byte ^ 1 : byte)),
    );
    for (const checks of [[], task.checks.slice(0, 1), forged, Array(4).fill(task.checks[0])])
      await expect(victim.session.handle({ ...task, checks })).rejects.toMatchObject({
        code: 'TooFewChecks',
      });
    expect(victim.spending.units).toEqual(charged);
    const answer = await victim.session.handle(task);
    expect(await victim.session.handle({ ...task, checks: [] })).toEqual(answer);
    // Signatures on all four lower the charge from three contributors to four.
    expect(victim.spending.units[0]!).toBeLessThan(charged[0]!);
  });

  it('a round, or an answer to one, before its set-up is refused', async () => {
    const task = await taskFor('masked-input');
    await expect(victim.session.handle({ ...task, blockId: 'old' })).rejects.toThrow(/no keys for the block/);
    await expect(
      victim.session.handle({
        kind: 'consistency-check',
        blockId: task.blockId,
        slot: 0,
        survivors: task.expected,
        upload: task.upload,
      }),
    ).rejects.toMatchObject({ code: 'OutOfOrder' });
    await expect(
      victim.session.handle({
        kind: 'unmasking',
        blockId: task.blockId,
        slot: 0,
        checks: [],
        upload: task.upload,
      }),
    ).rejects.toMatchObject({ code: 'OutOfOrder' });
  });
});

describe('the order of effects', () => {
  it('hazard P11: noise is drawn and the charge is on disk before the records are looked at', async () => {
    const task = await taskFor('masked-input');
    const effects: string[] = [];
    const { charge } = victim.spending;
    vi.spyOn(victim.spending, 'charge').mockImplementation((entry) => {
      effects.push(`charge after ${victim.drawn.length > drawnBefore ? 'noise' : 'nothing'}`);
      charge(entry);
    });
    const { contribute } = ganSynthesizer;
    vi.spyOn(ganSynthesizer, 'contribute').mockImplementation((...args) => {
      if (args[2] !== victim.records) return contribute(...args);
      effects.push('records');
      const journal = readFileSync(join(choir.folder, 'spending-0.jsonl'), 'utf8');
      expect(JSON.parse(journal)).toMatchObject({ kind: 'charge', round: task.roundId });
      return contribute(...args);
    });
    const drawnBefore = victim.drawn.length;
    await victim.session.handle(task);
    expect(effects).toEqual(['charge after noise', 'records']);
  });

  it('over the budget the records are never looked at', async () => {
    await choir.close();
    choir = await openChoir(await fresh.open(), { ownEpsilon: { 0: 0.01 } });
    victim = choir.members[0]!;
    const task = await taskFor('masked-input');
    const contribute = vi.spyOn(ganSynthesizer, 'contribute');
    await expect(victim.session.handle(task)).rejects.toMatchObject({ code: 'BudgetRefused' });
    expect(contribute.mock.calls.filter(([, , records]) => records === victim.records)).toEqual([]);
    expect(readFileSync(join(choir.folder, 'spending-0.jsonl'), 'utf8')).toBe('');
  });
});

const seedHex = (label: string): string => identityOf(seedOf(label)).publicKey;
