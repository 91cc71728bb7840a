import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { expect } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { seededRng } from '../../src/crypto/rng.js';
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
  type Unmasked,
  unmask,
} from '../../src/secagg/index.js';

/** A whole block played in memory by real members and a real coordinator, from one seed. */
export interface Choir {
  readonly config: BlockConfig;
  readonly floors: CharterFloors;
  readonly seeds: ReadonlyMap<string, Uint8Array>;
  readonly block: ReadyBlock;
  readonly members: Map<string, ReadyMember>;
  readonly threshold: number;
  /** Every message of the set-up, in order. */
  readonly transcript: Uint8Array[];
}

export interface ChoirOptions {
  readonly n?: number;
  readonly slots?: number;
  readonly minSurvivors?: number;
  readonly maxColluders?: number;
  readonly block?: string;
  readonly primitives?: Primitives;
  readonly seed?: string;
  /** Ids that do not send AdvertiseKeys, ShareKeys. */
  readonly silentAtAdvert?: readonly string[];
  readonly silentAtShares?: readonly string[];
  /** An adversary's hand on what is relayed. */
  readonly alterShareKeys?: (id: string, message: Uint8Array, state: SharedMember) => Uint8Array;
}

export const digestOf = (text: string): string => bytesToHex(nodePrimitives.sha256(utf8ToBytes(text)));
export const seedOf = (text: string): Uint8Array => nodePrimitives.sha256(utf8ToBytes(text));
export const idAt = (i: number): string => `member-${String(i).padStart(2, '0')}`;

export function charter(options: ChoirOptions = {}): {
  config: BlockConfig;
  floors: CharterFloors;
  seeds: Map<string, Uint8Array>;
} {
  const { n = 5, slots = 2, minSurvivors = 3, maxColluders = 1, block = 'block-1' } = options;
  const seeds = new Map(
    Array.from({ length: n }, (_, i) => [idAt(i), seedOf(`${options.seed ?? ''} identity ${i}`)]),
  );
  const members = [...seeds].map(([id, seed]) => ({
    id,
    publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(seed)),
  }));
  const common = { federation: 'test', charterDigest: digestOf('charter'), minSurvivors, maxColluders };
  return {
    config: { protocolVersion: 1, ...common, block, slots, members },
    floors: { ...common, roster: new Map(members.map(({ id, publicKey }) => [id, publicKey])) },
    seeds,
  };
}

/** AdvertiseKeys of every member. */
export function advertise(options: ChoirOptions = {}) {
  const { config, floors, seeds } = charter(options);
  const primitives = options.primitives ?? nodePrimitives;
  const states = new Map<string, AdvertisedMember>();
  const adverts = new Map<string, Uint8Array>();
  for (const [id, seed] of seeds) {
    const rng = seededRng(seedOf(`${options.seed ?? ''} randomness ${id}`));
    const { state, message } = createAdvert(config, floors, { id, seed }, rng, primitives);
    states.set(id, state);
    adverts.set(id, message);
  }
  return { config, floors, seeds, primitives, states, adverts };
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
  const { config, floors, seeds, primitives, states, adverts } = advertise(options);
  const transcript: Uint8Array[] = [];
  let advertising = createBlock(config, primitives);
  for (const [id, advert] of adverts) {
    if (options.silentAtAdvert?.includes(id)) continue;
    transcript.push(advert);
    advertising = accepted(receiveAdvert(advertising, advert));
  }
  const advertised = closeAdverts(advertising);
  if (advertised.kind === 'aborted') return { aborted: advertised };

  let sharing = advertised.state;
  const shared = new Map<string, SharedMember>();
  for (const [id, state] of states) {
    if (options.silentAtAdvert?.includes(id)) continue;
    const { state: next, message } = handleAdverts(state, advertised.adverts);
    shared.set(id, next);
    if (options.silentAtShares?.includes(id)) continue;
    const sent = options.alterShareKeys?.(id, message, next) ?? message;
    transcript.push(sent);
    sharing = accepted(receiveShares(sharing, sent));
  }
  const closed = closeShares(sharing);
  if (closed.kind === 'aborted') return { aborted: closed };
  const members = new Map<string, ReadyMember>();
  for (const [id, bundle] of closed.bundles) members.set(id, handleShares(shared.get(id)!, bundle).state);
  return {
    config,
    floors,
    seeds,
    block: closed.state,
    members,
    threshold: advertised.threshold,
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
  readonly outcome: Unmasked | Aborted;
  readonly members: Map<string, ReadyMember>;
  readonly transcript: Uint8Array[];
  /** Members that refused, and why. */
  readonly refusals: Map<string, RefusalCode>;
}

/** Plays one round; who is silent at a phase is silent from then on. */
export function play(choir: Choir, round: RoundContext, silent: Silences = {}): Played {
  const members = new Map(choir.members);
  const transcript: Uint8Array[] = [];
  const refusals = new Map<string, RefusalCode>();
  const gone = new Set<string>();
  const each = (silentNow: readonly string[] = [], act: (id: string, state: ReadyMember) => void): void => {
    for (const id of silentNow) gone.add(id);
    for (const id of round.expected) {
      if (gone.has(id)) continue;
      try {
        act(id, members.get(id)!);
      } catch (error) {
        if (!(error instanceof SecaggRefusal)) throw error;
        refusals.set(id, error.code);
        gone.add(id);
      }
    }
  };
  const done = (outcome: Unmasked | Aborted): Played => ({ outcome, members, transcript, refusals });

  let collecting = openRound(choir.block, round);
  each(silent.atMaskedInput, (id, state) => {
    const { state: next, message } = createMaskedInput(state, round, vectorOf(choir, id, round));
    members.set(id, next);
    transcript.push(message);
    collecting = accepted(receiveMaskedInput(collecting, message));
  });
  const inputs = closeMaskedInputs(collecting);
  if (inputs.kind === 'aborted') return done(inputs);

  let checking = inputs.state;
  for (const id of round.expected) if (!inputs.survivors.includes(id)) gone.add(id);
  each(silent.atConsistency, (id, state) => {
    const { state: next, message } = handleSurvivors(state, round.slot, inputs.survivors);
    members.set(id, next);
    transcript.push(message);
    checking = accepted(receiveConsistency(checking, message));
  });
  const checks = closeConsistency(checking);
  if (checks.kind === 'aborted') return done(checks);

  let unmasking = checks.state;
  each(silent.atUnmasking, (id, state) => {
    const { state: next, message } = handleConsistency(state, round.slot, checks.checks);
    members.set(id, next);
    transcript.push(message);
    unmasking = accepted(receiveUnmasking(unmasking, message));
  });
  return done(unmask(unmasking));
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
