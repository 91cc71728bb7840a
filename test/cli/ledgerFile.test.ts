import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import type { SpendingLine, SpendingRecord } from '../../clients/participant/spendingRecord.js';
import { verifyLedger } from '../../src/cli/ledgerFile.js';
import type { LedgerFile } from '../../src/cli/ledgerShape.js';
import { canonicalJson } from '../../src/crypto/canonical.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import {
  type Charter,
  charterDigest,
  charterStatement,
  parseCharter,
  synthesisContext,
} from '../../src/federation/charter.js';
import { ACCOUNTANT, budgetFigures, limitOf } from '../../src/federation/ledger.js';
import { planDigest } from '../../src/federation/plan.js';
import { type PrivacyEvent, parseEvent } from '../../src/privacy/events.js';
import { commitToPlan, costUnits, epsilonOfUnits } from '../../src/privacy/filter.js';
import { addUnits, serializeUnits } from '../../src/privacy/units.js';
import { ganSynthesizer } from '../../src/synthesis/gan/gan.js';

/** Books kept by the rules, from which each test makes one lie, with every figure that follows from it made to fit. */
const SEEDS = ['alto', 'bass', 'tenor', 'soprano'].map((name) =>
  nodePrimitives.sha256(new TextEncoder().encode(name)),
);
const IDS = ['a', 'b', 'c', 'd'];
const ORDERS = [4, 8, 16, 32];

const charterOf = (change: Partial<Charter> = {}, epsilon = 8): Charter =>
  parseCharter({
    chorale: 1,
    federation: 'choir',
    version: 1,
    previous: null,
    members: IDS.map((id, i) => ({
      id,
      name: `member ${id}`,
      publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(SEEDS[i]!)),
      declaredRecords: 1000,
    })),
    schema: {
      fields: ['x', 'w'].map((name) => ({
        name,
        type: 'string',
        constraints: { required: true, enum: ['y', 'z'] },
      })),
    },
    privacy: { unit: 'record', relation: 'add-remove', epsilon, delta: 1e-6, orders: ORDERS },
    cohort: { minSurvivors: 3, maxColluders: 1 },
    ...change,
  });

const signed = (charter: Charter): LedgerFile['charter'] => {
  const digest = charterDigest(charter);
  return {
    digest,
    body: canonicalJson(charter),
    signatures: IDS.map((participantId, i) => ({
      participantId,
      signature: bytesToHex(nodePrimitives.ed25519Sign(SEEDS[i]!, charterStatement(digest))),
    })),
  };
};

const optionsOf = (change: Record<string, number> = {}) =>
  ganSynthesizer.parseOptions({ steps: 20, samplingRate: 0.05, noiseMultiplier: 2, ...change });
const planOf = (charter: Charter, options = optionsOf()) =>
  ganSynthesizer.plan(synthesisContext(charter), options);

/** What a critic step costs: the steps of these books are 1, 2, …, for the first counts the columns. */
const stepOf = (charter: Charter, options = optionsOf()): PrivacyEvent => planOf(charter, options)[1]!.event;

const within = (event: PrivacyEvent, contributors: number): PrivacyEvent =>
  event.kind === 'poisson-sampled'
    ? { ...event, event: within(event.event, contributors) }
    : ({ ...event, contributors } as PrivacyEvent);

/** An event or options, as the file has them. */
type Stated = LedgerFile['entries'][number]['reservedEvent'];

type Kept = readonly [
  status: 'COMMITTED' | 'VOIDED' | 'RESERVED',
  phase: string,
  contributors: string[] | null,
];
const HONEST: readonly Kept[] = [
  ['COMMITTED', 'COMPLETED', IDS],
  ['VOIDED', 'ABORTED', null],
  ['COMMITTED', 'COMPLETED', IDS.slice(1)],
  ['COMMITTED', 'ABORTED', IDS],
  ['COMMITTED', 'COMPLETED', IDS],
  ['RESERVED', 'UNMASKING', IDS],
];

/** A file whose figures all follow from `kept`, whether that is by the rules or not. */
function books(
  options: {
    readonly kept?: readonly Kept[];
    readonly charter?: Charter;
    readonly renewed?: Charter;
    readonly orders?: readonly number[];
    readonly gan?: ReturnType<typeof optionsOf>;
    readonly event?: PrivacyEvent;
  } = {},
): LedgerFile {
  const { kept = HONEST, charter = charterOf(), gan = optionsOf() } = options;
  const plan = planOf(charter, gan);
  const inForce = options.renewed ?? charter;
  const orders = options.orders ?? commitToPlan(limitOf(charter), plan).orders;
  const limit = { ...limitOf(inForce), orders };
  const event = options.event ?? stepOf(charter, gan);
  let spent: readonly bigint[] = orders.map(() => 0n);
  let reserved = spent;
  const at = '2026-01-01T00:00:00.000Z';
  const entries = kept.map(([status, phase, contributors], i): LedgerFile['entries'][number] => {
    const held = costUnits(event, orders);
    const happened = phase === 'ABORTED' ? event : within(event, contributors?.length ?? 3);
    const cost = costUnits(happened, orders);
    if (status === 'COMMITTED') spent = addUnits(spent, cost);
    if (status === 'RESERVED') reserved = addUnits(reserved, held);
    return {
      ...{ sequence: i + 1, roundId: `r${i}`, runId: 'run', status, reason: null, createdAt: at },
      ...{ reservedEvent: event as unknown as Stated, reservedUnits: serializeUnits(held) },
      committedEvent: status === 'COMMITTED' ? (happened as unknown as Stated) : null,
      committedUnits: status === 'COMMITTED' ? serializeUnits(cost) : [],
      epsilonAfter: status === 'RESERVED' ? null : epsilonOfUnits(limit, spent),
      settledAt: status === 'RESERVED' ? null : at,
    };
  });
  const { order: _, ...figures } = budgetFigures({ ...limit, spent, reserved });
  return {
    format: 'chorale-ledger-2',
    charter: signed(inForce),
    earlierCharters: options.renewed === undefined ? [] : [signed(charter)],
    budget: {
      ...figures,
      orders: [...figures.orders],
    },
    runs: [
      {
        ...{ runId: 'run', charterDigest: charterDigest(charter), synthesizer: 'gan' },
        ...{ options: gan as unknown as Stated, planDigest: planDigest(plan) },
      },
    ],
    entries,
    rounds: kept.map(([, phase, contributors], i) => ({
      ...{ roundId: `r${i}`, runId: 'run', step: i + 1, attempt: 1, phase, expected: IDS, contributors },
      ...{ dropped: null, abortReason: null, bytesReceived: {}, timings: {}, openedAt: at, closedAt: at },
    })),
  };
}

const faults = (file: LedgerFile, member?: SpendingRecord): string =>
  verifyLedger(file, member).faults.join('\n');
const relabelled = (change: Partial<Record<number, Kept>>): LedgerFile =>
  books({ kept: HONEST.map((kept, i) => change[i] ?? kept) });
/** The relabelled entries over the honest rounds. */
const overHonestRounds = (file: LedgerFile): LedgerFile => ({ ...file, rounds: books().rounds });

describe('a ledger file that is kept by the rules', () => {
  it('adds up, with what was voided, given up and still open', () => {
    const file = books();
    const verdict = verifyLedger(file);
    expect(verdict.faults).toEqual([]);
    expect(verdict).toMatchObject({ committed: 4, voided: 1, reserved: 1 });
    expect(verdict.epsilon).toBeCloseTo(file.budget.epsilonSpent, 12);
    expect(verifyLedger(books({ kept: [], orders: ORDERS })).faults).toEqual([]);
  });

  it('adds up under a charter that was renewed, at the order that stands, with another δ', () => {
    const first = charterOf();
    const orders = [...commitToPlan(limitOf(first), planOf(first)).orders];
    const renewed = charterOf({ version: 2, privacy: { ...first.privacy, delta: 1e-5, epsilon: 9, orders } });
    const file = books({ renewed });
    // Settled under the first charter, at its δ.
    file.entries[0]!.epsilonAfter = books().entries[0]!.epsilonAfter;
    expect(faults(file)).toBe('');
    const elsewhere = charterOf({ version: 2, privacy: { ...first.privacy, orders: [64] } });
    expect(faults(books({ renewed: elsewhere }))).toMatch(/charter in force does not name/);
  });
});

describe('a ledger file that lies is found out', () => {
  it('a sum that was opened, and is called voided or still open', () => {
    for (const status of ['VOIDED', 'RESERVED'] as const)
      expect(faults(overHonestRounds(relabelled({ 4: [status, 'COMPLETED', IDS] })))).toMatch(
        new RegExp(`entry 5 is ${status}, but its round is COMPLETED`),
      );
    expect(faults(relabelled({ 5: ['RESERVED', 'ABORTED', null] }))).toMatch(/entry 6 is RESERVED/);
    expect(faults(relabelled({ 5: ['VOIDED', 'UNMASKING', null] }))).toMatch(/entry 6 is VOIDED/);
    expect(faults(relabelled({ 5: ['COMMITTED', 'UNMASKING', IDS] }))).toMatch(/entry 6 is COMMITTED/);
  });

  it('a round without an entry, an entry without a round, two entries for one round', () => {
    const file = books();
    const kept = HONEST.slice(0, 5);
    expect(faults({ ...books({ kept }), rounds: file.rounds })).toMatch(
      /round r5 is UNMASKING and has no entry/,
    );
    expect(faults({ ...file, rounds: file.rounds.slice(1) })).toMatch(/entry 1 is for round r0/);
    const twice = file.entries.map((entry, i) => (i === 4 ? { ...entry, roundId: 'r2' } : entry));
    expect(faults({ ...file, entries: twice })).toMatch(/a round has two entries/);
    expect(faults({ ...file, rounds: [...file.rounds, file.rounds[1]!] })).toMatch(/in the file twice/);
    expect(faults({ ...file, entries: file.entries.slice(1) })).toMatch(/an entry is missing/);
  });

  it('more over the limit than it seems: reservations count', () => {
    const charter = charterOf();
    const limit = { ...limitOf(charter), orders: commitToPlan(limitOf(charter), planOf(charter)).orders };
    const three = costUnits(stepOf(charter), limit.orders)[0]!;
    const tight = charterOf({}, epsilonOfUnits(limit, [3n * three + three / 2n]));
    const open: Kept = ['RESERVED', 'MASKED_INPUT', null];
    expect(faults(books({ charter: tight, kept: [open, open, open] }))).toBe('');
    expect(faults(books({ charter: tight, kept: [open, open, open, open] }))).toMatch(
      /reservations included, is over the charter’s limit/,
    );
  });

  it('an order that is not the one that the first plan fixed, with every unit reckoned there', () => {
    const [fixed] = books().budget.orders;
    for (const order of ORDERS.filter((each) => each !== fixed))
      expect(faults(books({ orders: [order] }))).toMatch(/orders is/);
  });

  it('a made-up plan, with a hash that matches, that would have fixed another order', () => {
    const [fixed] = books().budget.orders;
    const charter = charterOf();
    const made = optionsOf({ noiseMultiplier: 20 });
    const { orders } = commitToPlan(limitOf(charter), planOf(charter, made));
    expect(orders).not.toEqual([fixed]);
    const honest = stepOf(charter);
    expect(faults(books({ gan: made, orders, event: honest }))).toMatch(
      /reserves another event than the plan of run run has for step 1/,
    );
    const file = books();
    expect(faults({ ...file, runs: [{ ...file.runs[0]!, options: made as unknown as Stated }] })).toMatch(
      /plan of run run is not the one that its options give/,
    );
    expect(faults({ ...file, runs: [] })).toMatch(/nothing shows what its plan was/);
    expect(faults({ ...file, runs: [{ ...file.runs[0]!, options: { stepz: 1 } }] })).toMatch(/give no plan/);
  });

  it('a step beyond the plan', () => {
    const file = books();
    const rounds = file.rounds.map((round, i) => (i === 0 ? { ...round, step: 20 } : round));
    expect(faults({ ...file, rounds })).toMatch(/for step 20/);
  });

  it('more noise than the round had: in the event, in contributors twice, strange or never asked', () => {
    const cheap = books({ event: stepOf(charterOf(), optionsOf({ noiseMultiplier: 3 })) });
    const honest = books();
    const entries = honest.entries.map((entry, i) => ({
      ...entry,
      committedEvent: cheap.entries[i]!.committedEvent,
      committedUnits: cheap.entries[i]!.committedUnits,
    }));
    expect(faults({ ...honest, entries })).toMatch(/entry 1 charges for another event/);
    for (const contributors of [
      [...IDS, 'a'],
      [...IDS, 'stranger'],
    ])
      expect(faults(relabelled({ 0: ['COMMITTED', 'COMPLETED', contributors] }))).toMatch(
        /contributors who were not asked, or twice/,
      );
    expect(faults(relabelled({ 0: ['COMMITTED', 'COMPLETED', IDS.slice(2)] }))).toMatch(
      /charged for more than was reserved/,
    );
  });

  it.each([
    ['epsilonLimit', 80],
    ['delta', 1e-5],
    ['epsilonSpent', 0.1],
    ['epsilonReserved', 0.1],
    ['epsilonRemaining', 7.9],
    ['limitUnits', ['1']],
    ['spentUnits', ['0']],
    ['reservedUnits', ['0']],
    ['orders', [64]],
  ])('another %s of the budget', (name, value) => {
    const file = books();
    expect(faults({ ...file, budget: { ...file.budget, [name]: value } })).toMatch(
      new RegExp(`^the budget’s ${name} is .*, recomputed`),
    );
  });

  it('another cost, another running ε, another charter, a signature less; and it says by which accountant', () => {
    const file = books();
    const first = (change: Partial<LedgerFile['entries'][number]>, budget = file.budget): LedgerFile => ({
      ...file,
      budget,
      entries: file.entries.map((entry, i) => (i === 0 ? { ...entry, ...change } : entry)),
    });
    for (const name of ['committedUnits', 'reservedUnits'] as const) {
      const cheaper = { [name]: [String(BigInt(file.entries[0]![name][0]!) - 1n)] };
      expect(faults(first(cheaper))).toBe('entry 1 states another cost than its event has');
      expect(faults(first(cheaper, { ...file.budget, accountant: ACCOUNTANT + 1 }))).toBe(
        `entry 1 states another cost than its event has (the file is by accountant ${ACCOUNTANT + 1}, this is ${ACCOUNTANT}: verify it with a release of accountant ${ACCOUNTANT + 1})`,
      );
    }
    expect(faults(first({ epsilonAfter: 0.1 }))).toMatch(/^entry 1 states ε = 0.1, recomputed/);
    const signatures = file.charter.signatures.slice(1);
    expect(faults({ ...file, charter: { ...file.charter, signatures } })).toBe(
      'the charter lacks the signature of member a',
    );
    const laxer = canonicalJson(charterOf({}, 80));
    expect(faults({ ...file, charter: { ...file.charter, body: laxer } })).toMatch(/its digest names/);
    expect(() => verifyLedger({ ...file, format: 'chorale-ledger-1' })).toThrow(/budget export/);
  });
});

describe('a member’s own record', () => {
  const file = books();
  const [order] = file.budget.orders;
  /** As the member of the honest books keeps it: charged for every round, lowered where four were signed for. */
  const lines: readonly SpendingLine[] = file.entries.flatMap(
    ({ roundId, reservedEvent, committedEvent }, i) => {
      const key = {
        version: 1 as const,
        block: 'block',
        slot: i,
        round: roundId,
        orders: [order!],
        units: ['1'],
      };
      const charge = { ...key, kind: 'charge' as const, event: reservedEvent };
      const four = i === 0 || i === 4;
      return [
        i === 0 ? { ...charge, fixedFrom: ORDERS } : charge,
        ...(four ? [{ ...key, kind: 'lower' as const, event: committedEvent }] : []),
      ];
    },
  );
  const record = (own: readonly SpendingLine[]): SpendingRecord => ({ lines: own, bytes: 0, wholeBytes: 0 });

  it('contradicts nothing of an honest ledger, nor does one that is empty', () => {
    expect(faults(file, record(lines))).toBe('');
    expect(faults(file, record([]))).toBe('');
  });

  it('contradicts what the file alone can’t: a round that was left out with its entry, or that came twice', () => {
    const short = books({ kept: HONEST.slice(0, 5) });
    expect(faults(short)).toBe('');
    expect(faults(short, record(lines))).toBe(
      'the member was charged for round r5 (block block, slot 5), which is not in the ledger',
    );
    expect(faults(file, record([...lines, { ...lines[0]!, slot: 9 }]))).toMatch(/asked twice for round r0/);
  });

  it('contradicts other survivors than were signed for, in books that are whole in themselves', () => {
    const forged = relabelled({ 2: ['COMMITTED', 'COMPLETED', IDS] });
    expect(faults(forged)).toBe('');
    const seen = {
      ...lines[2]!,
      kind: 'lower' as const,
      round: 'r2',
      slot: 2,
      event: file.entries[2]!.committedEvent,
    };
    expect(faults(forged, record([...lines, seen]))).toMatch(
      /for other survivors than the member saw signed/,
    );
    expect(faults(file, record([...lines, seen]))).toBe('');
  });

  it('contradicts another order, another event, and an order from a charter that nobody signed', () => {
    const at = (orders: number[]) => record(lines.map((line) => ({ ...line, orders })));
    expect(faults(file, at([64]))).toMatch(/stands at order 64, the ledger at/);
    const weaker = stepOf(charterOf(), optionsOf({ noiseMultiplier: 1 })) as unknown as Stated;
    expect(faults(file, record([{ ...lines[0]!, event: weaker }]))).toMatch(
      /asked another event in round r0/,
    );
    expect(faults(file, record([{ ...lines[0]!, fixedFrom: [order!, 64] }]))).toMatch(
      /no charter of the file names/,
    );
  });
});

it('the plan of these books repeats one event after its first, as the lies assume', () => {
  expect(planOf(charterOf()).map(({ count }) => count)).toEqual([1, 19]);
  expect(parseEvent(stepOf(charterOf())).kind).toBe('poisson-sampled');
});
