import { describe, expect, it } from 'vitest';
import { hararyPlan } from '../../../src/secagg/cohortPlan.js';
import type { AbortReason, RefusalCode, RejectReason } from '../../../src/secagg/index.js';
import { COHORTS } from './cohorts.js';
import { type Broken, ScheduleFailed, simulate } from './simulate.js';

/** More of them by hand: see main.ts. */
const SCHEDULES = Number(process.env.CHORALE_SIMULATIONS ?? 10_000);

/** A code that is not listed here does not compile; false: cannot occur in these schedules, and why. */
const ABORTS: Record<AbortReason, boolean> = {
  TooFewAdverts: true,
  TooFewShareKeys: true,
  TooFewMaskedInputs: true,
  // Up to 40 members every plan lets all tolerated drop-outs be anywhere: proved below.
  SurvivorsSplit: false,
  TooFewChecks: true,
  TooFewAnswers: true,
  SecretNotReconstructed: true,
};
const REFUSALS: Record<RefusalCode, boolean> = {
  InvalidConfig: true,
  FederationMismatch: true,
  CharterMismatch: true,
  UnknownMember: true,
  KeyMismatch: true,
  NotInvited: true,
  SurvivorFloorLowered: true,
  ColluderFloorLowered: true,
  CohortTooSmall: true,
  MalformedMessage: true,
  BadSignature: true,
  DuplicateMember: true,
  LowOrderKey: true,
  KeyReused: true,
  OwnAdvertAltered: true,
  OwnSharesAltered: true,
  AdvertsConflict: true,
  SharesConflict: true,
  TooFewShareKeys: true,
  InvalidRound: true,
  BlockMismatch: true,
  NotExpected: true,
  RoundReused: true,
  SlotUsed: true,
  SlotBurnt: true,
  InvalidVector: true,
  InvalidSurvivors: true,
  TooFewSurvivors: true,
  SurvivorsSplit: false,
  SurvivorsConflict: true,
  TooFewChecks: true,
  OutOfOrder: true,
};
const REJECTS: Record<RejectReason, boolean> = {
  Malformed: true,
  UnknownSender: true,
  BadSignature: true,
  WrongSlot: true,
  NotExpected: true,
  WrongLength: true,
  LowOrderKey: true,
  KeyReused: true,
  WrongRecipients: true,
  WrongSurvivors: true,
  WrongAnswer: true,
  Conflict: true,
  PhaseClosed: true,
};
const able = (prefix: string, codes: Record<string, boolean>): string[] =>
  Object.keys(codes)
    .filter((code) => codes[code])
    .map((code) => `${prefix} ${code}`);

const MUST_HAPPEN: readonly string[] = [
  ...able('abort', ABORTS),
  ...able('refusal', REFUSALS),
  ...able('reject', REJECTS),
  ...['dropped', 'duplicated', 'delayed', 'spoilt answer', 'spoilt request'].map((fault) => `fault ${fault}`),
  ...['before the write', 'in the write', 'after the write', 'after sending'].map(
    (when) => `member crashed ${when}`,
  ),
  ...[
    'new',
    'advertised',
    'shared',
    ...['fresh', 'masked', 'signed', 'answered', 'burnt'].map((slot) => `ready, ${slot}`),
  ].map((state) => `member resumed as ${state}`),
  'member abandoned the block',
  'member began again',
  'member found its state torn',
  ...['between two steps', 'before a write', 'after a write'].map((when) => `coordinator crashed ${when}`),
  ...['advertising', 'sharing', 'ready', 'collecting', 'checking', 'unmasking'].map(
    (state) => `coordinator resumed at ${state}`,
  ),
  'coordinator restored from the running sum',
  'coordinator gave an open slot up',
  'coordinator refusal CohortTooSmall',
  'cut-off with messages unwritten',
  'message while no round is open',
  'retry on the next slot',
  'sum after a retry',
  'sum of all',
  'sum of survivors',
  'all sums made',
  'slots used up',
  'set-up played',
  'unmasked too early: SecretNotReconstructed',
  'waited for more answers than needed',
  'decoded around a lie',
  'evidence wrong-opening',
  'evidence wrong-dealing',
  ...['low-order-key', 'copied-key', 'part-missing', 'one-wrong-share', 'wrong-secret'].map(
    (c) => `cheat ${c}`,
  ),
  ...['two-inputs', 'two-checks', 'wrong-opening', 'wrong-kind'].map((c) => `cheat ${c}`),
  ...COHORTS.map(({ n, graph }) => `n ${n} ${graph}`),
];

/** Runs the schedules; on a failure the error has the seed and its whole schedule. */
async function play(seeds: Iterable<number>): Promise<Map<string, number>> {
  const happened = new Map<string, number>();
  for (const seed of seeds)
    try {
      for (const [what, times] of (await simulate(seed)).happened)
        happened.set(what, (happened.get(what) ?? 0) + times);
    } catch (error) {
      if (!(error instanceof ScheduleFailed)) throw error;
      const lines: string[] = [];
      await simulate(seed, { log: (line) => lines.push(line) }).catch(() => {});
      throw new Error(`${error.message}\n${lines.join('\n')}`, { cause: error });
    }
  return happened;
}

const first = (count: number): number[] => Array.from({ length: count }, (_, seed) => seed);

describe('simulated schedules of faults, hazards S5, S9, S13, S17 to S20', () => {
  it(`in ${SCHEDULES} schedules: the exact sum of the committed survivors or an enumerated end, no two different messages`, {
    timeout: 3_600_000,
  }, async () => {
    const happened = await play(first(SCHEDULES));
    const enumerated = new Set([...Object.keys(ABORTS), ...Object.keys(REFUSALS), ...Object.keys(REJECTS)]);
    for (const what of happened.keys()) {
      const [kind, code] = what.split(' ') as [string, string];
      if (kind === 'abort' || kind === 'refusal' || kind === 'reject') expect(enumerated).toContain(code);
    }
    for (const [kind, codes] of Object.entries({ abort: ABORTS, refusal: REFUSALS, reject: REJECTS }))
      for (const [code, can] of Object.entries(codes))
        if (!can) expect(happened.has(`${kind} ${code}`), `${kind} ${code} occurred after all`).toBe(false);
    // Schedules that reach nothing find nothing.
    if (SCHEDULES >= 10_000) expect(MUST_HAPPEN.filter((what) => !happened.has(what))).toEqual([]);
  });

  it('no cohort of these schedules can be split by as many drop-outs as it tolerates', () => {
    for (const { n, minSurvivors, maxColluders, graph } of COHORTS)
      for (let advertised = minSurvivors; graph === 'harary' && advertised <= n; advertised++) {
        const dropouts = advertised - minSurvivors;
        const plan = hararyPlan({ members: advertised, maxColluders, dropouts });
        if (plan !== undefined) expect(plan.shareholders - dropouts).toBeGreaterThanOrEqual(plan.cutFloor);
      }
  });

  it('a seed replays its schedule, whatever was played before it', async () => {
    const replay = async (seed: number): Promise<string[]> => {
      const lines: string[] = [];
      await simulate(seed, { log: (line) => lines.push(line) });
      return lines;
    };
    for (const seed of first(20)) {
      const once = await replay(seed);
      await simulate(seed + 1000);
      expect(await replay(seed)).toEqual(once);
    }
  });

  it.each<[Broken, RegExp]>([
    ['counts duplicates twice', /the sum is/],
    ['keeps the sum without its members', /the sum is/],
    ['members restart from an older state', /two different messages/],
  ])('positive control: a variant that %s is caught', async (broken, how) => {
    const caught: string[] = [];
    for (let seed = 0; seed < 400 && caught.length < 3; seed++)
      await simulate(seed, { broken }).catch((error: unknown) => {
        if (!(error instanceof ScheduleFailed)) throw error;
        caught.push(error.message);
      });
    expect(caught.length, 'of 400 schedules').toBe(3);
    for (const message of caught) expect(message).toMatch(how);
  });
});
