import type { SlotState } from '../../../src/secagg/client/state.js';
import {
  abandonSlot,
  type CharterFloors,
  createAdvert,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  type MemberState,
  type Party,
  type RoundContext,
  SecaggRefusal,
  type Transition,
  UnreadableState,
} from '../../../src/secagg/index.js';
import { type Cheat, cheatAtAdvert, cheatAtShares, cheatInRound } from './cheats.js';
import type { Dice } from './dice.js';
import { Disk } from './disk.js';
import type { Ledger } from './ledger.js';
import type { Ask, Request, Weather } from './line.js';

export interface Habits {
  /** Writes its state before a message leaves; else it loses the block when it restarts. */
  readonly durable: boolean;
  /** Keeps the vectors too; else a restarted member draws new noise, and its slot refuses the new vector. */
  readonly keepsVectors: boolean;
  readonly eagerDisk: boolean;
  readonly cheat?: Cheat | undefined;
  /** Broken on purpose: says that its state is durable and has kept the first one. */
  readonly keepsFirstState?: boolean;
}

export interface Surroundings {
  readonly dice: Dice;
  readonly weather: Weather;
  readonly ledger: Ledger;
  readonly n: number;
  readonly floors: CharterFloors;
  readonly count: (what: string, detail?: string) => void;
}

const STATES = ['advertised', 'shared', 'ready'] as const;

/** A member's process: the real state machine, a disk, and the habit of falling over at the worst moment. */
export class Member {
  #state: MemberState | undefined;
  readonly #disk: Disk<MemberState>;
  #vectors = new Map<string, Uint32Array>();
  #vectorsOnDisk = new Map<string, Uint32Array>();
  /** The block is lost: nothing of it is answered any more. */
  #lost = false;
  #sent = false;
  #upAgainAt = 0;
  readonly #heard: Uint8Array[] = [];

  constructor(
    readonly party: Party,
    private readonly index: number,
    private readonly habits: Habits,
    private readonly around: Surroundings,
    state?: MemberState,
  ) {
    this.#disk = new Disk<MemberState>(STATES, habits.eagerDisk);
    this.#state = state;
    if (state !== undefined && habits.durable) this.#disk.write(state);
  }

  get id(): string {
    return this.party.identity.id;
  }

  /** Restarts, when its time has come. */
  step(now: number): void {
    if (this.#upAgainAt === 0 || now < this.#upAgainAt) return;
    const { count } = this.around;
    this.#upAgainAt = 0;
    if (!this.habits.durable) {
      // Had nothing left it, there is nothing that could be said twice.
      this.#lost = this.#sent;
      count(this.#lost ? 'member abandoned the block' : 'member began again', this.id);
      return;
    }
    try {
      this.#state = this.#disk.read();
    } catch (error) {
      if (!(error instanceof UnreadableState)) throw error;
      this.#lost = true;
      count('member found its state torn', this.id);
      return;
    }
    this.#vectors = new Map(this.habits.keepsVectors ? this.#vectorsOnDisk : []);
    count(`member resumed as ${this.#state === undefined ? 'new' : describe(this.#state)}`, this.id);
  }

  /** What leaves the member on a request: nothing, one message, or, from a cheat, two. */
  async handle(now: number, request: Request): Promise<Uint8Array[]> {
    const { dice, weather, count } = this.around;
    if (this.#upAgainAt > 0 || this.#lost) return [];
    const crash = dice.chance(weather.memberCrash)
      ? dice.pick(['before the write', 'in the write', 'after the write', 'after sending'] as const)
      : undefined;
    let next: { state: MemberState; messages: readonly Uint8Array[]; slot: number } | undefined;
    try {
      next = await this.#transition(request);
    } catch (error) {
      if (!(error instanceof SecaggRefusal)) throw error;
      count(`refusal ${error.code}`, `${this.id}: ${error.message}`);
    }
    if (next !== undefined && crash !== 'before the write') {
      const { state, messages, slot } = next;
      const isNew = state !== this.#state;
      this.#state = state;
      if (this.habits.durable && isNew) this.#write(state, crash);
      if (crash !== 'in the write' && crash !== 'after the write') {
        if (messages.length > 0) this.#sent = true;
        for (const message of messages)
          this.around.ledger.said(this.id, slot, request.ask, message, thresholdOf(state));
        if (crash !== undefined) this.#fall(now, crash);
        return [...messages];
      }
    }
    if (crash !== undefined) this.#fall(now, crash);
    return [];
  }

  #write(state: MemberState, crash: string | undefined): void {
    if (this.habits.keepsFirstState && !this.#disk.empty) return;
    if (crash === 'in the write') this.#disk.tear(state, this.around.dice);
    else this.#disk.write(state);
    this.#vectorsOnDisk = new Map(this.#vectors);
  }

  #fall(now: number, crash: string): void {
    const { dice, count } = this.around;
    count(`member crashed ${crash}`, this.id);
    this.#state = undefined;
    this.#vectors = new Map();
    this.#upAgainAt = dice.chance(0.15) ? Number.POSITIVE_INFINITY : now + dice.between(1, 12);
  }

  async #transition(
    request: Request,
  ): Promise<{ state: MemberState; messages: readonly Uint8Array[]; slot: number } | undefined> {
    const { party, habits } = this;
    const { dice, floors } = this.around;
    const state = this.#state;
    const promise = habits.durable ? 'state-durable' : 'restart-abandons';
    const cheat = habits.cheat;
    switch (request.ask) {
      case 'advert': {
        if (state !== undefined)
          return state.kind === 'advertised' ? { state, messages: [state.advert], slot: -1 } : undefined;
        const made = createAdvert(party, request.config, floors, dice.rng);
        const message = made.outbound.release(promise);
        if (cheat !== 'low-order-key' && cheat !== 'copied-key')
          return { state: made.state, messages: [message], slot: -1 };
        const advert = cheatAtAdvert(cheat, party, message, made.state, this.#heard);
        return { state: { ...made.state, advert }, messages: [advert], slot: -1 };
      }
      case 'shares': {
        if (state === undefined || state.kind === 'ready') return undefined;
        const dealt = handleAdverts(party, state, request.adverts, dice.rng);
        const sent = { state: dealt.state, message: dealt.outbound.release(promise) };
        const cheats = cheat === 'part-missing' || cheat === 'one-wrong-share' || cheat === 'wrong-secret';
        const out = cheats && state.kind === 'advertised' ? cheatAtShares(cheat, party, sent, dice) : sent;
        return { state: out.state, messages: [out.message], slot: -1 };
      }
      case 'bundle': {
        if (state === undefined || state.kind === 'advertised') return undefined;
        return { state: handleShares(party, state, request.bundle).state, messages: [], slot: -1 };
      }
      case 'input': {
        if (state?.kind !== 'ready') return undefined;
        const { round } = request;
        const vector = this.#vectorFor(round);
        const made = await createMaskedInput(party, state, round, vector);
        const message = made.outbound.release(promise);
        this.around.ledger.put(message, vector);
        const messages = [message];
        if (cheat === 'two-inputs') {
          const other = vector.with(this.index, 2);
          const second = (await createMaskedInput(party, freshAt(state, round.slot), round, other)).outbound;
          this.around.ledger.put(second.release(promise), other);
          messages.push(second.release(promise));
        }
        return { state: made.state, messages: dice.shuffled(messages), slot: round.slot };
      }
      case 'check':
      case 'unmasking': {
        if (state?.kind !== 'ready') return undefined;
        const { ask, slot } = request;
        const made: Transition<typeof state> =
          ask === 'check'
            ? handleSurvivors(party, state, slot, request.survivors)
            : handleConsistency(party, state, slot, request.checks);
        const message = made.outbound.release(promise);
        const used = made.state.slots[slot];
        const kind = ask === 'check' ? 'ConsistencyCheck' : 'Unmasking';
        const messages =
          cheat === undefined || used === undefined || !('transcript' in used)
            ? [message]
            : cheatInRound(cheat, party, state.self, slot, used.transcript, message, kind);
        return { state: made.state, messages: dice.shuffled(messages), slot };
      }
      case 'over':
        if (state?.kind !== 'ready') return undefined;
        return { state: abandonSlot(state, request.slot).state, messages: [], slot: request.slot };
    }
  }

  /** Others' adverts as they were sent, for a cheat that copies their keys. */
  overhears(ask: Ask, bytes: Uint8Array): void {
    if (ask === 'advert' && this.habits.cheat === 'copied-key') this.#heard.push(bytes);
  }

  /** eᵢ, and one coordinate of noise behind: drawn anew whenever the vector is not at hand. */
  #vectorFor({ slot, round, attempt }: RoundContext): Uint32Array {
    const key = `${slot} ${round} ${attempt}`;
    let vector = this.#vectors.get(key);
    if (vector === undefined) {
      vector = new Uint32Array(this.around.n + 1);
      vector[this.index] = 1;
      // Few values: a new draw mostly differs, and schedules often make inputs that were signed before.
      vector[this.around.n] = this.around.dice.below(3);
      this.#vectors.set(key, vector);
    }
    return vector;
  }
}

function describe(state: MemberState): string {
  if (state.kind !== 'ready') return state.kind;
  const order: SlotState['kind'][] = ['fresh', 'burnt', 'masked', 'signed', 'answered'];
  const furthest = Math.max(...state.slots.map(({ kind }) => order.indexOf(kind)));
  return `ready, ${order[furthest]}`;
}

function thresholdOf(state: MemberState): number {
  return 'graph' in state ? state.graph.threshold : Number.POSITIVE_INFINITY;
}

/** A cheat's memory of its slot's secrets; the honest member has none (S17). */
function freshAt<S extends Extract<MemberState, { kind: 'ready' }>>(state: S, slot: number): S {
  const used = state.slots[slot];
  if (used === undefined || !('seedRoot' in used)) return state;
  const { seedRoot, pairSecrets, openings } = used;
  return { ...state, slots: state.slots.with(slot, { kind: 'fresh', seedRoot, pairSecrets, openings }) };
}
