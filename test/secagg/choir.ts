import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { expect } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { type Rng, seededRng } from '../../src/crypto/rng.js';
import { advertisedKeys } from '../../src/secagg/adverts.js';
import type { FreshSlot } from '../../src/secagg/client/state.js';
import { abscissa, shareholders } from '../../src/secagg/graph.js';
import {
  type Aborted,
  type AdvertisedMember,
  type BlockConfig,
  type CharterFloors,
  closeAdverts,
  closeConsistency,
  closeMaskedInputs,
  closeShares,
  createAdvert,
  createBlock,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  openRound,
  type Party,
  PROTOCOL_VERSION,
  type ReadyBlock,
  type ReadyMember,
  type Received,
  type RefusalCode,
  type RoundContext,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  SecaggRefusal,
  type SharedMember,
  shareBundle,
  type Transition,
  type UnmaskAborted,
  type Unmasked,
  type UnmaskingRound,
  unmask,
  unpackBits,
} from '../../src/secagg/index.js';
import { type SecretKind, scalarBytes, scalarFrom, shareCommitment } from '../../src/secagg/keys.js';
import {
  decodeMaskedInput,
  decodeUnmasking,
  encodeDealtPart,
  encodeShareKeys,
  encodeUnmasking,
  SALT_BYTES,
  type ShareAnswer,
} from '../../src/secagg/messages.js';
import { assertRoundContext, roundTranscript } from '../../src/secagg/round.js';
import { sealOpenings } from '../../src/secagg/sealing.js';
import { dealtRoot } from '../../src/secagg/setUp.js';
import { split } from '../../src/secagg/shamir.js';
import { decodeShareBundle, encodeShareBundle, type ShareBundle } from '../../src/secagg/shareBundle.js';
import { signInPlace } from '../../src/secagg/signing.js';

/** A whole block played in memory by real members and a real coordinator, from one seed. */
export interface Choir {
  readonly config: BlockConfig;
  readonly floors: CharterFloors;
  readonly seeds: ReadonlyMap<string, Uint8Array>;
  readonly block: ReadyBlock;
  readonly parties: ReadonlyMap<string, Party>;
  readonly members: Map<string, ReadyMember>;
  readonly threshold: number;
  readonly primitives: Primitives;
  /** Every message of the set-up, in order. */
  readonly transcript: Uint8Array[];
}

export interface ChoirOptions {
  readonly n?: number;
  /** Other ids than idAt's, sorted. */
  readonly ids?: readonly string[];
  readonly slots?: number;
  readonly minSurvivors?: number;
  readonly maxColluders?: number;
  readonly block?: string;
  readonly graph?: BlockConfig['graph'];
  readonly primitives?: Primitives;
  readonly seed?: string;
  /** Ids that do not send AdvertiseKeys, ShareKeys. */
  readonly silentAtAdvert?: readonly string[];
  readonly silentAtShares?: readonly string[];
  /** An adversary's hand on what is relayed. */
  readonly alterShareKeys?: (id: string, message: Uint8Array, state: SharedMember) => Uint8Array;
  /** Dealers that deal by a script of their own, and stand by it. */
  readonly crooked?: ReadonlyMap<string, DealerScript>;
}

/** One share as an honest dealer would deal it. */
export interface HonestShare {
  readonly holder: number;
  readonly slot: number;
  readonly kind: SecretKind;
  /** Share ‖ salt. */
  readonly opening: Uint8Array;
}

/** What a crooked dealer seals for the holder and what it commits to: not the share, or not even the same. */
export type DealerScript = (share: HonestShare) => {
  readonly sealed: Uint8Array;
  readonly committed: Uint8Array;
};

export const digestOf = (text: string): string => bytesToHex(nodePrimitives.sha256(utf8ToBytes(text)));
export const seedOf = (text: string): Uint8Array => nodePrimitives.sha256(utf8ToBytes(text));
/** The slot's secrets, which a test may see and the protocol never shows. */
export function slotSecrets(state: ReadyMember, slot = 0): FreshSlot {
  const found = state.slots[slot]!;
  if (found.kind !== 'fresh') throw new Error(`slot ${slot} is ${found.kind}`);
  return found;
}

export const transcriptOf = (choir: Choir, round: RoundContext): Uint8Array =>
  roundTranscript(choir.primitives, choir.block.transcript, round, assertRoundContext(choir.config, round));

/** What a MaskedInput uploads. */
export function maskedElements(message: Uint8Array, { dimension, modulusBits }: RoundContext): Uint32Array {
  return unpackBits(decodeMaskedInput(message, dimension, modulusBits).packed, dimension, modulusBits);
}

export const idAt = (i: number): string => `member-${String(i).padStart(2, '0')}`;

export function charter(options: ChoirOptions = {}): {
  config: BlockConfig;
  floors: CharterFloors;
  seeds: Map<string, Uint8Array>;
} {
  const { n = 5, slots = 2, minSurvivors = 3, maxColluders = 1, block = 'block-1' } = options;
  const { graph = 'complete' } = options;
  const seeds = new Map(
    Array.from({ length: n }, (_, i) => [
      options.ids?.[i] ?? idAt(i),
      seedOf(`${options.seed ?? ''} identity ${i}`),
    ]),
  );
  const members = [...seeds].map(([id, seed]) => ({
    id,
    publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(seed)),
  }));
  const common = { federation: 'test', charterDigest: digestOf('charter'), minSurvivors, maxColluders };
  return {
    config: { protocolVersion: PROTOCOL_VERSION, ...common, block, slots, members, graph },
    floors: { ...common, roster: new Map(members.map(({ id, publicKey }) => [id, publicKey])) },
    seeds,
  };
}

/** AdvertiseKeys of every member. */
export function advertise(options: ChoirOptions = {}) {
  const { config, floors, seeds } = charter(options);
  const primitives = options.primitives ?? nodePrimitives;
  const masks = inlineMaskWork(primitives);
  const parties = new Map<string, Party>();
  const rngs = new Map<string, Rng>();
  const states = new Map<string, AdvertisedMember>();
  const adverts = new Map<string, Uint8Array>();
  for (const [id, seed] of seeds) {
    const party: Party = { identity: { id, seed }, primitives, masks };
    const rng = seededRng(seedOf(`${options.seed ?? ''} randomness ${id}`));
    const { state, outbound } = createAdvert(party, config, floors, rng);
    parties.set(id, party);
    rngs.set(id, rng);
    states.set(id, state);
    adverts.set(id, outbound.release('restart-abandons'));
  }
  return { config, floors, seeds, primitives, parties, rngs, states, adverts };
}

export function accepted<State>(received: Received<State>): State {
  expect(received.kind === 'rejected' ? received.reason : received.kind).toBe('accepted');
  return received.state;
}

export function ready<T extends { kind: 'ready' }>(closed: T | Aborted): T {
  expect(closed.kind === 'aborted' ? closed.reason : closed.kind).toBe('ready');
  return closed as T;
}

export function setUp(options: ChoirOptions = {}): Choir {
  const outcome = trySetUp(options);
  if ('aborted' in outcome) throw new Error(`set-up aborted: ${outcome.aborted.reason}`);
  return outcome;
}

export function trySetUp(options: ChoirOptions = {}): Choir | { aborted: Aborted } {
  const { config, floors, seeds, primitives, parties, rngs, states, adverts } = advertise(options);
  const transcript: Uint8Array[] = [];
  let advertising = createBlock(primitives, config);
  for (const [id, advert] of adverts) {
    if (options.silentAtAdvert?.includes(id)) continue;
    transcript.push(advert);
    advertising = accepted(receiveAdvert(primitives, advertising, advert));
  }
  const advertised = closeAdverts(primitives, advertising);
  if (advertised.kind === 'aborted') return { aborted: advertised };

  let sharing = advertised.state;
  const shared = new Map<string, SharedMember>();
  for (const [id, advertisedState] of states) {
    if (options.silentAtAdvert?.includes(id)) continue;
    const next = handleAdverts(parties.get(id)!, advertisedState, advertised.adverts, rngs.get(id)!);
    const script = options.crooked?.get(id);
    const state = script === undefined ? next.state : dealBy(parties.get(id)!, next.state, script);
    shared.set(id, state);
    if (options.silentAtShares?.includes(id)) continue;
    const message = script === undefined ? next.outbound.release('restart-abandons') : state.shareKeys;
    const sent = options.alterShareKeys?.(id, message, state) ?? message;
    transcript.push(sent);
    sharing = accepted(receiveShares(primitives, sharing, sent));
  }
  const closed = closeShares(primitives, sharing);
  if (closed.kind === 'aborted') return { aborted: closed };
  const members = new Map<string, ReadyMember>();
  for (const id of closed.members) {
    const bundle = shareBundle(primitives, closed.state, id);
    members.set(id, handleShares(parties.get(id)!, shared.get(id)!, bundle).state);
  }
  return {
    config,
    floors,
    seeds,
    block: closed.state,
    parties,
    members,
    threshold: advertised.threshold,
    primitives,
    transcript,
  };
}

export function roundOf(choir: Choir, overrides: Partial<RoundContext> = {}): RoundContext {
  return {
    block: choir.config.block,
    slot: 0,
    round: 'round-1',
    attempt: 1,
    queryDigest: digestOf('query'),
    modelDigest: digestOf('model'),
    dimension: 5,
    modulusBits: 20,
    expected: [...choir.members.keys()],
    ...overrides,
  };
}

/** A member's vector: distinct, with the ring's edges in it. */
export function vectorOf(choir: Choir, id: string, round: RoundContext): Uint32Array {
  const modulus = 2 ** round.modulusBits;
  const index = choir.config.members.findIndex((member) => member.id === id);
  return Uint32Array.from({ length: round.dimension }, (_, i) =>
    i === 0 ? modulus - 1 : (index * 7919 + i * 104_729) % modulus,
  );
}

export function sumOf(choir: Choir, ids: readonly string[], round: RoundContext): number[] {
  const sum = new Array<number>(round.dimension).fill(0);
  for (const id of ids)
    for (const [i, x] of vectorOf(choir, id, round).entries())
      sum[i] = (sum[i]! + x) % 2 ** round.modulusBits;
  return sum;
}

export interface Silences {
  readonly atMaskedInput?: readonly string[];
  readonly atConsistency?: readonly string[];
  readonly atUnmasking?: readonly string[];
}

export interface Played {
  readonly outcome: Unmasked | Aborted | UnmaskAborted;
  readonly members: Map<string, ReadyMember>;
  readonly transcript: Uint8Array[];
  /** Members that refused, and why. */
  readonly refusals: Map<string, RefusalCode>;
}

/** Plays one round; who is silent at a phase is silent from then on. */
export async function play(choir: Choir, round: RoundContext, silent: Silences = {}): Promise<Played> {
  const { primitives } = choir;
  const members = new Map(choir.members);
  const transcript: Uint8Array[] = [];
  const refusals = new Map<string, RefusalCode>();
  const gone = new Set<string>();
  const each = async (
    silentNow: readonly string[] = [],
    act: (
      id: string,
      state: ReadyMember,
      party: Party,
    ) => Transition<ReadyMember> | Promise<Transition<ReadyMember>>,
    deliver: (message: Uint8Array) => void,
  ): Promise<void> => {
    for (const id of silentNow) gone.add(id);
    for (const id of round.expected) {
      if (gone.has(id)) continue;
      try {
        const { state, outbound } = await act(id, members.get(id)!, choir.parties.get(id)!);
        members.set(id, state);
        const message = outbound.release('restart-abandons');
        transcript.push(message);
        deliver(message);
      } catch (error) {
        if (!(error instanceof SecaggRefusal)) throw error;
        refusals.set(id, error.code);
        gone.add(id);
      }
    }
  };
  const done = (outcome: Played['outcome']): Played => ({ outcome, members, transcript, refusals });

  let collecting = openRound(primitives, choir.block, round);
  await each(
    silent.atMaskedInput,
    (id, state, party) => createMaskedInput(party, state, round, vectorOf(choir, id, round)),
    (message) => {
      collecting = accepted(receiveMaskedInput(primitives, collecting, message));
    },
  );
  const inputs = closeMaskedInputs(collecting);
  if (inputs.kind === 'aborted') return done(inputs);

  let checking = inputs.state;
  for (const id of round.expected) if (!inputs.survivors.includes(id)) gone.add(id);
  await each(
    silent.atConsistency,
    (_id, state, party) => handleSurvivors(party, state, round.slot, inputs.survivors),
    (message) => {
      checking = accepted(receiveConsistency(primitives, checking, message));
    },
  );
  const checks = closeConsistency(checking);
  if (checks.kind === 'aborted') return done(checks);

  let unmasking = checks.state;
  await each(
    silent.atUnmasking,
    (id, state, party) => handleConsistency(party, state, round.slot, checks.checksFor.get(id) ?? []),
    (message) => {
      unmasking = accepted(receiveUnmasking(primitives, unmasking, message));
    },
  );
  return done(await unmask(primitives, inlineMaskWork(primitives), unmasking));
}

/** Asserts that `act` is refused with exactly this code. */
export function expectRefusal(code: RefusalCode, act: () => unknown): void {
  let caught: unknown;
  try {
    act();
  } catch (error) {
    caught = error;
  }
  expect(caught, `expected the refusal ${code}`).toBeInstanceOf(SecaggRefusal);
  expect((caught as SecaggRefusal).code).toBe(code);
}

/** Every subset of the items. */
export function subsetsOf<T>(items: readonly T[]): T[][] {
  return Array.from({ length: 2 ** items.length }, (_, bits) => items.filter((_item, i) => (bits >> i) & 1));
}

/** A ShareKeys by a crooked dealer's script, signed; the state is the dealer's that stands by it. */
export function dealBy(
  { identity, primitives }: Party,
  state: SharedMember,
  script: DealerScript,
): SharedMember {
  const { graph, self, setup, secrets, config } = state;
  const rng = seededRng(seedOf(`crooked dealer ${identity.id}`));
  const holders = shareholders(graph, self);
  const perHolder = holders.map(() => ({ sealed: [] as Uint8Array[], commitments: [] as Uint8Array[] }));
  for (const [slot, { maskRoot, seedRoot }] of secrets.entries())
    for (const kind of ['mask', 'seed'] as const) {
      const root = scalarFrom(kind === 'mask' ? maskRoot : seedRoot)!;
      for (const [i, { y }] of split(root, graph.threshold, holders.map(abscissa), rng).entries()) {
        const holder = holders[i]!;
        const opening = concatBytes(scalarBytes(y), rng(SALT_BYTES));
        const { sealed, committed } = script({ holder, slot, kind, opening });
        perHolder[i]!.sealed.push(sealed);
        perHolder[i]!.commitments.push(
          shareCommitment(primitives, setup, self, holder, slot, kind, committed),
        );
      }
    }
  const parts = perHolder.map(({ sealed, commitments }, i) => {
    const to = holders[i]!;
    const publicKey = advertisedKeys(state.adverts[to]!).encryptionKey;
    const context = { primitives, setup, from: self, to, privateKey: state.encryptionPrivateKey, publicKey };
    const bytes = encodeDealtPart(
      to,
      concatBytes(...commitments),
      sealOpenings(context, concatBytes(...sealed), rng),
    );
    return { recipient: to, bytes };
  });
  const shareKeys = encodeShareKeys(self, config.slots, parts);
  signInPlace(primitives, identity.seed, 'ShareKeys', setup, shareKeys, dealtRoot(primitives, parts));
  return { ...state, shareKeys };
}

/** An Unmasking with other answers, signed by its sender, who is a liar. */
export function answerBy(
  choir: Choir,
  message: Uint8Array,
  transcript: Uint8Array,
  lie: (answer: ShareAnswer) => ShareAnswer,
): Uint8Array {
  const { sender, slot, answers } = decodeUnmasking(message);
  const altered = encodeUnmasking(sender, slot, answers.map(lie));
  const { seed } = choir.parties.get(choir.config.members[sender]!.id)!.identity;
  signInPlace(choir.primitives, seed, 'Unmasking', transcript, altered);
  return altered;
}

export interface Answering {
  /** Lost before their masked input. */
  readonly dropped?: readonly string[];
  /** Their answer does not come. */
  readonly mute?: readonly string[];
  /** An adversary's hand on the answers. */
  readonly alter?: (id: string, message: Uint8Array, transcript: Uint8Array) => Uint8Array;
}

/** A round up to the moment when all answers are in and nothing is unmasked yet. */
export async function answered(
  choir: Choir,
  round: RoundContext,
  { dropped = [], mute = [], alter }: Answering = {},
): Promise<UnmaskingRound> {
  const { primitives } = choir;
  let collecting = openRound(primitives, choir.block, round);
  const live = round.expected.filter((id) => !dropped.includes(id));
  const states = new Map<string, ReadyMember>();
  const step = (id: string, { state, outbound }: Transition<ReadyMember>): Uint8Array => {
    states.set(id, state);
    return outbound.release('restart-abandons');
  };
  for (const id of live) {
    const input = await createMaskedInput(
      choir.parties.get(id)!,
      choir.members.get(id)!,
      round,
      vectorOf(choir, id, round),
    );
    collecting = accepted(receiveMaskedInput(primitives, collecting, step(id, input)));
  }
  const inputs = ready(closeMaskedInputs(collecting));
  let checking = inputs.state;
  for (const id of live) {
    const check = handleSurvivors(choir.parties.get(id)!, states.get(id)!, round.slot, inputs.survivors);
    checking = accepted(receiveConsistency(primitives, checking, step(id, check)));
  }
  const checks = ready(closeConsistency(checking));
  let unmasking = checks.state;
  for (const id of live) {
    if (mute.includes(id)) continue;
    const told = checks.checksFor.get(id) ?? [];
    const message = step(id, handleConsistency(choir.parties.get(id)!, states.get(id)!, round.slot, told));
    const sent = alter?.(id, message, unmasking.transcript) ?? message;
    unmasking = accepted(receiveUnmasking(primitives, unmasking, sent));
  }
  return unmasking;
}

/** Asserts that the promise is rejected with a refusal of exactly this code. */
export async function expectRefusalOf(code: RefusalCode, act: Promise<unknown>): Promise<void> {
  const caught = await act.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(caught, `expected the refusal ${code}`).toBeInstanceOf(SecaggRefusal);
  expect((caught as SecaggRefusal).code).toBe(code);
}

/** The set-up up to the relay: the block is ready, but nobody has taken its bundle of shares yet. */
export interface DealtBlock extends Omit<Choir, 'members' | 'threshold'> {
  readonly shared: ReadonlyMap<string, SharedMember>;
}

/** @param cheat a dishonest dealer: gives the state whose `shareKeys` it sends and stands by. */
export function dealt(
  options: ChoirOptions = {},
  cheat: (id: string, state: SharedMember) => SharedMember = (_id, state) => state,
): DealtBlock {
  const { config, floors, seeds, primitives, parties, rngs, states, adverts } = advertise(options);
  let advertising = createBlock(primitives, config);
  for (const [id, advert] of adverts)
    if (!options.silentAtAdvert?.includes(id))
      advertising = accepted(receiveAdvert(primitives, advertising, advert));
  const advertised = ready(closeAdverts(primitives, advertising));
  let sharing = advertised.state;
  const shared = new Map<string, SharedMember>();
  for (const [id, state] of states) {
    if (options.silentAtAdvert?.includes(id)) continue;
    const next = cheat(id, handleAdverts(parties.get(id)!, state, advertised.adverts, rngs.get(id)!).state);
    shared.set(id, next);
    if (!options.silentAtShares?.includes(id))
      sharing = accepted(receiveShares(primitives, sharing, next.shareKeys));
  }
  const { state: block } = ready(closeShares(primitives, sharing));
  const transcript = [...adverts.values(), ...[...shared.values()].map(({ shareKeys }) => shareKeys)];
  return { config, floors, seeds, primitives, parties, shared, block, transcript };
}

/** What the coordinator relays to `id`, to be altered by a dishonest one. */
export function bundleFor({ primitives, block, config }: DealtBlock, id: string): ShareBundle {
  return decodeShareBundle(shareBundle(primitives, block, id), config.slots);
}

/** @param alter a dishonest coordinator's hand on the relay. */
export function takeShares(
  set: DealtBlock,
  alter: (id: string, bundle: ShareBundle) => ShareBundle = (_id, bundle) => bundle,
): Choir {
  const { shared, ...rest } = set;
  const members = new Map<string, ReadyMember>();
  for (const index of set.block.members) {
    const { id } = set.config.members[index]!;
    const bundle = encodeShareBundle(alter(id, bundleFor(set, id)));
    members.set(id, handleShares(set.parties.get(id)!, shared.get(id)!, bundle).state);
  }
  return { ...rest, members, threshold: set.block.graph.threshold };
}
