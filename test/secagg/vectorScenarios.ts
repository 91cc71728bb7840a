import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import type { Graph } from '../../src/secagg/graph.js';
import {
  type BlockConfig,
  type Evidence,
  PROTOCOL_VERSION,
  type RoundContext,
} from '../../src/secagg/index.js';
import type { Deviation, JudgedRound, Judgement, RoundInputs, VectorInputs } from './vectorForm.js';

const sha256 = (text: string): string => bytesToHex(nodePrimitives.sha256(utf8ToBytes(text)));
const idAt = (i: number): string => `member-${String(i).padStart(3, '0')}`;

interface RoundPlan extends Partial<RoundContext> {
  /** Roster indices; `graph` where who is lost depends on the ring. */
  readonly lostAt?: Partial<Record<keyof RoundInputs['silentFrom'], readonly number[]>>;
  readonly lostFrom?: (graph: Graph) => readonly number[];
  /** Not expected. */
  readonly without?: readonly number[];
  readonly signed?: boolean;
}

interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly n: number;
  readonly minSurvivors?: number;
  readonly maxColluders?: number;
  readonly graph?: BlockConfig['graph'];
  readonly slots?: number;
  readonly compact?: boolean;
  readonly lostAt?: Partial<Record<'AdvertiseKeys' | 'ShareKeys', readonly number[]>>;
  readonly rounds?: readonly RoundPlan[];
  readonly deviations?: readonly Deviation[];
  readonly judgements?: VectorInputs['judgements'];
}

/** A scenario's inputs: all seeds and digests are SHA-256 of a text with the scenario's name in it. */
function inputsOf(scenario: Scenario): VectorInputs {
  const { name, n, minSurvivors = 3, maxColluders = 1, graph = 'complete', slots = 1 } = scenario;
  const seeds = Object.fromEntries(
    Array.from({ length: n }, (_, i) => [
      idAt(i),
      { identity: sha256(`${name}: identity ${i}`), randomness: sha256(`${name}: randomness ${i}`) },
    ]),
  );
  const members = Object.keys(seeds).map((id, i) => ({
    id,
    publicKey: bytesToHex(
      nodePrimitives.ed25519PublicKey(nodePrimitives.sha256(utf8ToBytes(`${name}: identity ${i}`))),
    ),
  }));
  const common = { federation: 'vectors', charterDigest: sha256('charter'), minSurvivors, maxColluders };
  const lost = (indices: readonly number[] = []) => indices.map(idAt);
  const block = `block of ${name}`;
  return {
    name,
    description: scenario.description,
    compact: scenario.compact ?? false,
    config: { protocolVersion: PROTOCOL_VERSION, ...common, block, slots, members, graph },
    floors: { ...common, roster: new Map(members.map(({ id, publicKey }) => [id, publicKey])) },
    seeds,
    silentFrom: {
      AdvertiseKeys: lost(scenario.lostAt?.AdvertiseKeys),
      ShareKeys: lost(scenario.lostAt?.ShareKeys),
    },
    rounds: (ready, graph) => (scenario.rounds ?? [{}]).map((plan) => roundOf(block, plan, ready, graph)),
    deviations: scenario.deviations ?? [],
    judgements: scenario.judgements ?? (() => []),
  };
}

function roundOf(block: string, plan: RoundPlan, ready: readonly string[], graph: Graph): RoundInputs {
  const { lostAt = {}, lostFrom, without = [], signed = false, ...overrides } = plan;
  const context: RoundContext = {
    block,
    slot: 0,
    round: 'round-1',
    attempt: 1,
    queryDigest: sha256('query'),
    modelDigest: sha256('model'),
    dimension: 5,
    modulusBits: 20,
    expected: ready.filter((id) => !without.map(idAt).includes(id)),
    ...overrides,
  };
  const lost = (indices: readonly number[] = []) => indices.map(idAt);
  const MaskedInput = lost(lostFrom?.(graph) ?? lostAt.MaskedInput);
  const sending = context.expected.filter((id) => !MaskedInput.includes(id));
  const vectors = Object.fromEntries(sending.map((id) => [id, vectorOf(ready.indexOf(id), context, signed)]));
  return {
    context,
    vectors,
    silentFrom: {
      MaskedInput,
      ConsistencyCheck: lost(lostAt.ConsistencyCheck),
      Unmasking: lost(lostAt.Unmasking),
    },
  };
}

/** Distinct, with the ring's edges in it. */
function vectorOf(at: number, { dimension, modulusBits }: RoundContext, signed: boolean): number[] {
  const modulus = 2 ** modulusBits;
  return Array.from({ length: dimension }, (_, i) => {
    const element = i === 0 ? modulus - 1 : (at * 7919 + i * 104_729) % modulus;
    return signed ? element - modulus / 2 : element;
  });
}

/** A scalar of 32 bytes, little-endian. */
const one = '01'.padEnd(64, '0');
/** Flips the lowest bit of a share, and nothing else of the opening. */
const oneBit = '01'.padEnd(96, '0');
/** Makes a share 2^255 or more. */
const topBit = `${'00'.repeat(31)}80${'00'.repeat(16)}`;
const all = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The members of the first and of the second window of k/2 ring places, across from each other, k/2 + 1 places in all. */
function twoGaps({ order, shareholders }: Graph): number[] {
  const half = shareholders / 2;
  const across = Math.floor(order.length / 2);
  // All but one of the places: one alive member is less than cutFloor.
  return [...order.slice(0, half), ...order.slice(across, across + half - 1)];
}

const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, bytes[at]! ^ 1);

function alteredOpening(evidence: readonly Evidence[], { pretend }: JudgedRound): Judgement[] {
  const [{ openings, dealerSignature, config, context, adverts, dealer, roots }] = evidence as [Evidence];
  const [{ part, answer }] = openings as [Evidence['openings'][number]];
  const honest = roots
    .map(({ member }) => member)
    .filter((member) => member !== answer[2]! + 256 * answer[3]!);
  const change = (description: string, changed: Partial<Evidence>): Judgement => ({
    description,
    of: 0,
    changed,
  });
  return [
    change('an honest opening is no lie', pretend('wrong-opening', dealer, [honest[0]!])),
    change('honest dealing is no lie', pretend('wrong-dealing', honest[0]!, honest)),
    change('too few openings to judge a dealer', pretend('wrong-dealing', honest[0]!, honest.slice(0, 2))),
    change('a wrong opening says nothing of its dealer', { lie: 'wrong-dealing' }),
    change('the dealer did not sign', { dealerSignature: flip(dealerSignature, 0) }),
    change('the responder did not sign', { openings: [{ part, answer: flip(answer, answer.length - 1) }] }),
    change('a truncated answer', { openings: [{ part, answer: answer.subarray(0, -1) }] }),
    change('another commitment', { openings: [{ part: { ...part, part: flip(part.part, 2) }, answer }] }),
    change('another way to the root', {
      openings: [{ part: { ...part, path: part.path.map((hash) => flip(hash, 0)) }, answer }],
    }),
    change('a dealer that dealt nothing', { roots: roots.filter(({ member }) => member !== dealer) }),
    change('an advert that nobody signed', { adverts: adverts.map((advert) => flip(advert, 9)) }),
    change('adverts in another order', { adverts: adverts.toReversed() }),
    change('adverts in another order, and one that nobody signed', {
      adverts: [flip(adverts[0]!, 9), ...adverts.slice(1)].toReversed(),
    }),
    change('roots in another order', { roots: roots.toReversed() }),
    change('another charter', { config: { ...config, charterDigest: sha256('another charter') } }),
    change('a lowered floor', { config: { ...config, minSurvivors: 3 } }),
    change('another round', { context: { ...context, attempt: 2 } }),
  ];
}

function alteredDealing(evidence: readonly Evidence[]): Judgement[] {
  const [{ openings }] = evidence as [Evidence];
  const change = (description: string, changed: Partial<Evidence>): Judgement => ({
    description,
    of: 0,
    changed,
  });
  return [
    change('an opening twice', { openings: [...openings, openings[0]!] }),
    change('too few openings', { openings: openings.slice(0, 3) }),
  ];
}

const wrongDealing = (member: number, secret: 'mask' | 'seed', holders: readonly number[]): Deviation => ({
  kind: 'wrong-dealing',
  member,
  slot: 0,
  secret,
  holders,
  add: one,
});
const wrongOpening = (member: number, dealer: number, xor = oneBit): Deviation => ({
  kind: 'wrong-opening',
  member,
  slot: 0,
  dealer,
  xor,
});

const SCENARIOS: readonly Scenario[] = [
  { name: 'plain', description: 'Four members, nobody is lost.', n: 4 },
  {
    name: 'three-members',
    description: 'The least cohort: three members, t = 3, a Merkle tree of three leaves.',
    n: 3,
  },
  {
    name: 'lost-at-advertise-keys',
    description: 'One of five sends no AdvertiseKeys: the graph is of four.',
    n: 5,
    lostAt: { AdvertiseKeys: [2] },
  },
  {
    name: 'lost-at-share-keys',
    description: 'One of five sends no ShareKeys: it holds shares of nobody, U₁ has four.',
    n: 5,
    lostAt: { ShareKeys: [0] },
  },
  {
    name: 'lost-at-masked-input',
    description: 'Two of six send no MaskedInput: their mask keys are opened.',
    n: 6,
    rounds: [{ lostAt: { MaskedInput: [1, 5] } }],
  },
  {
    name: 'lost-at-consistency-check',
    description: 'One of five sends no ConsistencyCheck: its input is in the sum.',
    n: 5,
    rounds: [{ lostAt: { ConsistencyCheck: [3] } }],
  },
  {
    name: 'lost-at-unmasking',
    description: 'One of five does not answer; its input is in the sum.',
    n: 5,
    rounds: [{ lostAt: { Unmasking: [0] } }],
  },
  {
    name: 'lost-at-every-message',
    description: 'Twelve members; one is lost at each of four messages, and exactly t = 8 answer.',
    n: 12,
    compact: true,
    lostAt: { ShareKeys: [9] },
    rounds: [{ lostAt: { MaskedInput: [0], ConsistencyCheck: [4], Unmasking: [7] }, dimension: 2 }],
  },
  {
    name: 'missing-share',
    description:
      'A part that does not open at one holder: it answers none for that dealer and blames nobody.',
    n: 5,
    deviations: [{ kind: 'spoiled-part', member: 1, holder: 3 }],
  },
  {
    name: 'harary-small',
    description:
      'Seven members on a ring, k = 4, t = 3; one is lost, so its neighbours’ masks with it are opened.',
    n: 7,
    minSurvivors: 6,
    graph: 'harary',
    rounds: [{ lostAt: { MaskedInput: [4] }, dimension: 3 }],
  },
  {
    name: 'harary-without-plan',
    description: 'A Harary graph is configured, and no plan exists for five of six: the complete graph.',
    n: 6,
    minSurvivors: 4,
    maxColluders: 2,
    graph: 'harary',
    lostAt: { AdvertiseKeys: [5] },
    rounds: [{ dimension: 2 }],
  },
  {
    name: 'harary-66',
    description: 'Sixty-six members on a ring, k = 10; losses at each message.',
    n: 66,
    minSurvivors: 62,
    graph: 'harary',
    compact: true,
    lostAt: { ShareKeys: [65] },
    rounds: [{ lostAt: { MaskedInput: [3, 17], ConsistencyCheck: [40], Unmasking: [5] }, dimension: 3 }],
  },
  {
    name: 'slots-and-retry',
    description:
      'Three slots: a round that is lost for too few inputs, its second attempt on the next slot, another round without a lost member.',
    n: 5,
    slots: 3,
    rounds: [
      { lostAt: { MaskedInput: [0, 2] } },
      { slot: 1, attempt: 2, lostAt: { Unmasking: [1] } },
      {
        slot: 2,
        round: 'round-2',
        queryDigest: sha256('query 2'),
        without: [1],
        dimension: 7,
        modulusBits: 17,
      },
    ],
  },
  {
    name: 'modulus-13',
    description: 'Thirteen bits an element: 91 bits in 12 bytes, five of padding; signed vectors.',
    n: 4,
    rounds: [{ modulusBits: 13, dimension: 7, signed: true }],
  },
  {
    name: 'modulus-32',
    description: 'Thirty-two bits an element.',
    n: 4,
    rounds: [{ modulusBits: 32, dimension: 6 }],
  },
  {
    name: 'modulus-8',
    description: 'Eight bits an element, the least; dimension 1.',
    n: 3,
    rounds: [{ modulusBits: 8, dimension: 1 }],
  },
  {
    name: 'abort-too-few-adverts',
    description: 'Two adverts, three are needed.',
    n: 4,
    lostAt: { AdvertiseKeys: [1, 2] },
  },
  {
    name: 'abort-too-few-share-keys',
    description: 'Three ShareKeys, t = 4 are needed.',
    n: 5,
    lostAt: { ShareKeys: [1, 2] },
  },
  {
    name: 'abort-too-few-masked-inputs',
    description: 'Three masked inputs, t = 4 are needed.',
    n: 5,
    rounds: [{ lostAt: { MaskedInput: [3, 4] } }],
  },
  {
    name: 'abort-survivors-split',
    description:
      'Two gaps in a ring of three hundred: with one colluder in them the sum could be split in two.',
    n: 300,
    minSurvivors: 277,
    graph: 'harary',
    compact: true,
    rounds: [{ lostFrom: twoGaps, dimension: 1, modulusBits: 9 }],
  },
  {
    name: 'abort-too-few-checks',
    description: 'Two signatures on U₂, t = 4 are needed: each silent member still counts its own.',
    n: 5,
    rounds: [{ lostAt: { ConsistencyCheck: [0, 1, 2] } }],
  },
  {
    name: 'abort-too-few-answers',
    description: 'Three answers, t = 4 are needed.',
    n: 5,
    rounds: [{ lostAt: { Unmasking: [0, 4] } }],
  },
  {
    name: 'abort-secret-not-reconstructed',
    description: 'On a ring five answer, t = 3, but some members have two of their four neighbours left.',
    n: 7,
    minSurvivors: 6,
    graph: 'harary',
    rounds: [{ lostAt: { Unmasking: [0, 2] }, dimension: 1 }],
  },
  {
    name: 'blame-wrong-opening',
    description:
      'A responder alters one bit of the share that it opens: struck out, the sum is exact, the evidence names it.',
    n: 6,
    minSurvivors: 4,
    deviations: [wrongOpening(1, 3)],
    judgements: alteredOpening,
  },
  {
    name: 'blame-wrong-opening-of-mask-key',
    description:
      'The same about a dropped member’s mask key, by a late responder, which only the dual check sees.',
    n: 6,
    rounds: [{ lostAt: { MaskedInput: [2] } }],
    deviations: [wrongOpening(5, 2)],
  },
  {
    name: 'blame-wrong-opening-aborted',
    description:
      'The same with exactly t answers, and a share that is no scalar: too few are left, and the abort carries the evidence.',
    n: 5,
    rounds: [{ lostAt: { Unmasking: [0] } }],
    deviations: [wrongOpening(1, 3, topBit)],
  },
  {
    name: 'blame-wrong-dealing',
    description:
      'A dealer deals one share off its polynomial: decoded around it (t + 2 answers), the evidence names it.',
    n: 6,
    deviations: [wrongDealing(2, 'seed', [0])],
    judgements: alteredDealing,
  },
  {
    name: 'blame-wrong-dealing-behind-the-first',
    description: 'The same, but the first t shares are good: the secret is known, the lie all the same.',
    n: 5,
    deviations: [wrongDealing(2, 'seed', [4])],
  },
  {
    name: 'blame-wrong-dealing-aborted',
    description:
      'All shares lie on a polynomial that does not give what was advertised: aborted with evidence.',
    n: 5,
    rounds: [{ lostAt: { MaskedInput: [4] } }],
    deviations: [wrongDealing(4, 'mask', all(5))],
  },
  {
    name: 'blame-dealer-and-responder',
    description:
      'A dealer and a responder lie about one secret: one opening is struck out, then the rest is off.',
    n: 6,
    deviations: [wrongDealing(3, 'seed', [5]), wrongOpening(1, 3)],
  },
];

export const vectorInputs: readonly VectorInputs[] = SCENARIOS.map(inputsOf);

/** Members, colluders, drop-outs of hararyPlan: the published sizes, small cohorts, edges of where a plan exists. */
export const PLANS: readonly (readonly [number, number, number])[] = [
  ...[4, 5, 6, 7, 8, 9, 12, 20].flatMap((n) => [0, 1, 2, 3].map((d) => [n, 1, d] as const)),
  ...[5, 6, 7, 8, 9, 12, 20].map((n) => [n, 2, 2] as const),
  [66, 1, 4],
  [80, 3, 8],
  [100, 5, 5],
  [100, 10, 10],
  [100, 33, 10],
  [300, 1, 23],
  [300, 15, 15],
  [300, 30, 30],
  [300, 99, 30],
  [1000, 0, 0],
  [1000, 50, 50],
  [1000, 100, 100],
  [1000, 330, 100],
  [1024, 1, 300],
  [40, 38, 1],
  [40, 1, 38],
  [40, 39, 1],
];
