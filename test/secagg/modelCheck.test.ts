import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { memberIndex } from '../../src/secagg/block.js';
import { type Graph, shareholders } from '../../src/secagg/graph.js';
import {
  abandonSlot,
  createMaskedInput,
  decodeState,
  encodeState,
  handleConsistency,
  handleSurvivors,
  type Party,
  type ReadyMember,
  type RoundContext,
  SecaggRefusal,
  type Transition,
} from '../../src/secagg/index.js';
import { decodeUnmasking, encodeConsistencyCheck } from '../../src/secagg/messages.js';
import { assertRoundContext, roundTranscript, survivorsDigest } from '../../src/secagg/round.js';
import { signInPlace } from '../../src/secagg/signing.js';
import { type Choir, type ChoirOptions, digestOf, roundOf, setUp, subsetsOf, vectorOf } from './choir.js';
import { remembering } from './simulation/remembered.js';

/**
 * All interleavings of a small cohort's honest members with a server that sends what it likes: explicit-state search
 * over the members' real transitions. A member's part of a global state is its encodeState, which every transition
 * starts from (so each step is also a crash and a resume), and what it has ever emitted, which the server keeps.
 *
 * The server may, in any order and as often as it likes: open any slot with any of the model's contexts; name any
 * subset of the members as survivors, unsorted and repeated ones too; hand over any subset of the checks that honest
 * members have signed, with none, any one or all of the colluder's, who signs everything; give up a slot; cut a
 * member's power so that it loses the block (all of its slots burnt in one step). The last member colludes and answers
 * anything: its shares of both secrets always count.
 *
 * In no reachable state can both secrets of one member's slot be opened, have two honest members answered one slot for
 * different rounds or survivors, or has an honest one emitted two different messages of one kind for one slot.
 */
interface Model {
  readonly n: number;
  readonly slots: number;
  readonly options?: ChoirOptions;
  readonly contexts: (choir: Choir) => RoundContext[];
  /** The sets that the server names; absent: all that there are, and bad lists. */
  readonly survivors?: (choir: Choir) => readonly (readonly string[])[];
  /** Slots are never given up and blocks never lost: a third of the states, for models that are large without. */
  readonly keepsGoing?: boolean;
}

/** What a broken member does differently. */
type Variant =
  | 'signs a second set'
  | 'signs and answers again'
  | 'masks again after a restart'
  | 'answers at half the cohort'
  | 'goes by its neighbourhood';

interface Emission {
  readonly kind: 'MaskedInput' | 'ConsistencyCheck' | 'Unmasking';
  readonly slot: number;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Of an Unmasking: the round and the survivors that it is about. */
  readonly about?: string;
}

/** One honest member's share of a global state. */
interface Local {
  readonly id: number;
  readonly encoded: Uint8Array;
  readonly emitted: readonly Emission[];
  /** Of `emitted`: a bit (openedBit) for every secret that it opened its share of. */
  readonly opened: number;
}

interface Effect {
  readonly label: string;
  readonly to: number;
}

class Violation extends Error {}

const primitives = remembering(nodePrimitives);
const sha = (bytes: Uint8Array): string => bytesToHex(primitives.sha256(bytes)).slice(0, 24);

/** A member with its memory of states: each state and request is put to the real code once. */
class HonestMember {
  readonly locals: Local[] = [];
  readonly #ids = new Map<string, number>();
  readonly #free = new Map<number, readonly Effect[]>();
  readonly #answers = new Map<string, readonly Effect[]>();

  constructor(
    private readonly choir: Choir,
    private readonly party: Party,
    private readonly contexts: readonly RoundContext[],
    private readonly start: ReadyMember,
    private readonly named: readonly (readonly string[])[],
    private readonly keepsGoing: boolean,
    private readonly variant: Variant | undefined,
  ) {
    this.#intern(start, []);
  }

  /** Effects of the requests that need nothing from other members; those without effect are left out. */
  async free(local: Local): Promise<readonly Effect[]> {
    const known = this.#free.get(local.id);
    if (known !== undefined) return known;
    const { party, choir } = this;
    const { id } = party.identity;
    const effects: (Effect | undefined)[] = [];
    for (const context of this.contexts) {
      const v = vectorOf(choir, id, context);
      const fresh = this.#state(local).slots[context.slot]!.kind === 'fresh';
      // Which vector comes first makes no difference; another one after it does.
      for (const vector of fresh ? [v] : [v, v.with(0, v[0]! ^ 1)])
        effects.push(
          await this.#request(
            local,
            `open slot ${context.slot} for ${context.round}/${context.attempt} ${context.modelDigest.slice(0, 4)} of ${context.expected.length}`,
            'MaskedInput',
            context.slot,
            async (state) => createMaskedInput(party, state, context, vector),
          ),
        );
    }
    for (const slot of this.#state(local).slots.keys()) {
      for (const survivors of this.named)
        effects.push(
          await this.#request(local, `survivors ${survivors}`, 'ConsistencyCheck', slot, async (state) =>
            handleSurvivors(party, this.#beforeSigning(state, slot), slot, survivors),
          ),
        );
      if (!this.keepsGoing)
        effects.push(this.#to(local, `give up slot ${slot}`, abandonSlot(this.#state(local), slot).state));
    }
    const lost = [...this.#state(local).slots.keys()].reduce(
      (state, slot) => abandonSlot(state, slot).state,
      this.#state(local),
    );
    if (!this.keepsGoing) effects.push(this.#to(local, 'restart without the block', lost));
    if (this.variant === 'masks again after a restart')
      effects.push(this.#to(local, 'restart from an older state', this.start));
    const found = effects.filter((effect) => effect !== undefined);
    this.#free.set(local.id, found);
    return found;
  }

  /** The effects of handing over any subset of the honest checks, with none, any one or all of the forged. */
  async unmasking(
    local: Local,
    slot: number,
    signed: readonly Emission[],
    forged: readonly Emission[],
  ): Promise<readonly Effect[]> {
    const key = `${local.id} ${slot} ${signed.map(({ text }) => text).join()}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const effects = new Map<number, Effect>();
    for (const checks of subsetsOf(signed))
      for (const colluding of [[], ...forged.map((check) => [check]), forged]) {
        const handed = [...checks, ...colluding];
        const effect = await this.#answer(local, slot, handed);
        if (effect !== undefined) effects.set(effect.to, effect);
      }
    this.#answers.set(key, [...effects.values()]);
    return [...effects.values()];
  }

  readonly #answersTo = new Map<string, Effect | undefined>();
  async #answer(local: Local, slot: number, handed: readonly Emission[]): Promise<Effect | undefined> {
    const key = `${local.id} ${slot} ${handed.map(({ text }) => text).join()}`;
    if (this.#answersTo.has(key)) return this.#answersTo.get(key);
    const bytes = handed.map((check) => check.bytes);
    const what = `${handed.length} checks`;
    const effect = await this.#request(local, what, 'Unmasking', slot, async (state) =>
      handleConsistency(this.party, state, slot, bytes),
    );
    this.#answersTo.set(key, effect);
    return effect;
  }

  /** Whether asking it to unmask can have any effect: it has signed, and has not answered. */
  isSigned(local: Local, slot: number): boolean {
    return this.#state(local).slots[slot]!.kind === 'signed';
  }

  #states = new Map<number, ReadyMember>();
  #state(local: Local): ReadyMember {
    let state = this.#states.get(local.id);
    if (state === undefined)
      this.#states.set(local.id, (state = decodeState<ReadyMember>(primitives, local.encoded, ['ready'])));
    return state;
  }

  async #request(
    local: Local,
    what: string,
    kind: Emission['kind'],
    slot: number,
    act: (state: ReadyMember) => Promise<Transition<ReadyMember>>,
  ): Promise<Effect | undefined> {
    let next: Transition<ReadyMember>;
    try {
      next = await act(this.#state(local));
    } catch (error) {
      // Nothing but the closed union is ever thrown.
      if (!(error instanceof SecaggRefusal)) throw error;
      return undefined;
    }
    const bytes = next.outbound.release('state-durable');
    const about = kind === 'Unmasking' ? { about: aboutOf(this.#state(local), slot) } : {};
    const emission: Emission = { kind, slot, bytes, text: sha(bytes), ...about };
    const label = `${this.party.identity.id}: ${what} → ${kind} in slot ${slot}`;
    const same = local.emitted.filter((other) => other.kind === kind && other.slot === slot);
    const isKnown = same.some(({ text }) => text === emission.text);
    // Of one control the second message is let pass, to see that it is what opens both secrets.
    if (!isKnown && same.length > 0 && this.variant !== 'signs and answers again')
      throw new Violation(`two different: ${label}`);
    const emitted = isKnown ? local.emitted : [...local.emitted, emission];
    return this.#to(local, label, this.#afterAnswering(this.#state(local), next.state, slot), emitted);
  }

  #to(local: Local, label: string, state: ReadyMember, emitted = local.emitted): Effect | undefined {
    const to = this.#intern(state, emitted);
    return to === local.id ? undefined : { label, to };
  }

  #intern(state: ReadyMember, emitted: readonly Emission[]): number {
    const encoded = encodeState(primitives, state);
    const key = `${sha(encoded)} ${emitted
      .map(({ text }) => text)
      .sort()
      .join()}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.locals.length;
      this.#ids.set(key, id);
      let opened = 0;
      for (const { kind: message, slot, bytes } of emitted)
        if (message === 'Unmasking')
          for (const { member, kind } of decodeUnmasking(bytes).answers)
            if (kind !== 'none') opened |= openedBit(slot, member, kind);
      this.locals.push({ id, encoded, emitted, opened });
    }
    return id;
  }

  /** The broken variants go through the real code too, from a state in which what was said is forgotten. */
  #beforeSigning(state: ReadyMember, slot: number): ReadyMember {
    const found = state.slots[slot]!;
    if (this.variant !== 'signs a second set' && this.variant !== 'signs and answers again') return state;
    if (found.kind !== 'signed') return state;
    const { survivors: _, check: __, ...masked } = found;
    return { ...state, slots: state.slots.with(slot, { ...masked, kind: 'masked' }) };
  }

  #afterAnswering(before: ReadyMember, after: ReadyMember, slot: number): ReadyMember {
    return this.variant === 'signs and answers again' && after.slots[slot]!.kind === 'answered'
      ? before
      : after;
  }
}

function aboutOf(state: ReadyMember, slot: number): string {
  const found = state.slots[slot]!;
  if (found.kind !== 'signed' && found.kind !== 'answered') throw new Error('an answer without survivors');
  return `${bytesToHex(found.transcript)} ${found.survivors}`;
}

interface Searched {
  readonly states: number;
  /** Global states in which t shares of all secrets of a round can be opened: not everything was refused. */
  readonly finished: number;
  readonly violation?: { readonly what: string; readonly trace: readonly string[] };
}

/** Breadth first, so that a violation's trace is one of the shortest. */
async function search(model: Model, variant?: Variant): Promise<Searched> {
  const { n, slots } = model;
  const choir = setUp({ n, slots, minSurvivors: 3, maxColluders: 1, primitives, ...model.options });
  const contexts = model.contexts(choir);
  const ids = choir.config.members.map(({ id }) => id);
  const colluder = ids.at(-1)!;
  const named = model.survivors?.(choir) ?? [...subsetsOf(ids), [...ids].reverse(), [...ids, ids[0]!]];
  const honest = ids.slice(0, -1).map((id) => {
    const start = weakened(choir.members.get(id)!, variant);
    const party = choir.parties.get(id)!;
    return new HonestMember(choir, party, contexts, start, named, model.keepsGoing ?? false, variant);
  });
  const { graph } = weakened(choir.members.get(ids[0]!)!, variant);
  const forged = forgeries(choir, contexts, colluder, model.survivors?.(choir));

  // As many local states as fit for each member into a number's 53 bits.
  const BASE = 2 ** Math.floor(52 / honest.length);
  const start = honest.map(() => 0);
  const keyOf = (state: readonly number[]): number => state.reduce((key, id) => key * BASE + id, 0);
  const cameFrom = new Map<number, { readonly key: number; readonly label: string }>([
    [keyOf(start), { key: -1, label: 'start' }],
  ]);
  const queue: number[][] = [start];
  let finished = 0;
  let at = 0;
  const result = (what?: string, last?: string): Searched => {
    const trace = last === undefined ? [] : [last];
    if (what !== undefined)
      for (let key = keyOf(queue[at]!); key !== keyOf(start); ) {
        const step = cameFrom.get(key)!;
        trace.unshift(step.label);
        key = step.key;
      }
    return {
      states: cameFrom.size,
      finished,
      ...(what === undefined ? {} : { violation: { what, trace } }),
    };
  };

  for (; at < queue.length; at++) {
    const state = queue[at]!;
    const locals = state.map((id, member) => honest[member]!.locals[id]!);
    const verdict = judge(locals, graph, n, slots);
    if (verdict.broken !== undefined) return result(verdict.broken);
    if (verdict.finished) finished++;
    const signed = locals.flatMap(({ emitted }) => emitted.filter(({ kind }) => kind === 'ConsistencyCheck'));
    try {
      for (const [member, local] of locals.entries()) {
        const who = honest[member]!;
        const effects = [...(await who.free(local))];
        for (let slot = 0; slot < slots; slot++) {
          if (!who.isSigned(local, slot)) continue;
          effects.push(...(await who.unmasking(local, slot, signed, forged)));
        }
        const reached = new Set<number>();
        for (const { label, to } of effects) {
          if (reached.has(to)) continue;
          reached.add(to);
          const next = state.with(member, to);
          const key = keyOf(next);
          if (to >= BASE) throw new Error('more local states than the key has room for');
          if (cameFrom.has(key)) continue;
          cameFrom.set(key, { key: keyOf(state), label });
          queue.push(next);
        }
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return result(error.message, error.message);
    }
  }
  return result();
}

/** The variants that count too few signatures before they answer. */
function weakened(ready: ReadyMember, variant: Variant | undefined): ReadyMember {
  if (variant !== 'answers at half the cohort' && variant !== 'goes by its neighbourhood') return ready;
  const { config, graph } = ready;
  // ⌊(n + c)/2⌋ + 1 = 1: the threshold alone is left.
  const noQuorum = { ...config, maxColluders: -config.members.length };
  const threshold =
    variant === 'goes by its neighbourhood' ? graph.threshold : Math.floor(config.members.length / 2);
  return { ...ready, config: noQuorum, graph: { ...graph, threshold } };
}

/** Every check that the colluder can sign: over any context and any set that an honest member could agree to. */
function forgeries(
  choir: Choir,
  contexts: readonly RoundContext[],
  colluder: string,
  named: readonly (readonly string[])[] | undefined,
): Emission[] {
  const { config, block } = choir;
  const self = config.members.findIndex(({ id }) => id === colluder);
  const { seed } = choir.parties.get(colluder)!.identity;
  return contexts.flatMap((context) => {
    const expected = assertRoundContext(config, context);
    const transcript = roundTranscript(primitives, block.transcript, context, expected);
    const sets =
      named?.map((ids) => ids.map((id) => memberIndex(config, id))) ??
      subsetsOf(expected).filter((survivors) => survivors.length >= config.minSurvivors);
    return sets.map((survivors): Emission => {
      const bytes = encodeConsistencyCheck(self, context.slot, survivorsDigest(primitives, survivors));
      signInPlace(primitives, seed, 'ConsistencyCheck', transcript, bytes);
      return { kind: 'ConsistencyCheck', slot: context.slot, bytes, text: sha(bytes) };
    });
  });
}

/** Two slots of up to 8 members in 32 bits. */
function openedBit(slot: number, dealer: number, kind: 'seed' | 'mask'): number {
  return 1 << (16 * slot + 2 * dealer + (kind === 'seed' ? 0 : 1));
}

/**
 * Hazard S3: t shareholders, the colluder perhaps among them, that opened both of one member's secrets of one slot; or
 * honest members that answered one slot for different rounds or survivors.
 */
function judge(
  locals: readonly Local[],
  graph: Graph,
  n: number,
  slots: number,
): { readonly broken?: string; readonly finished: boolean } {
  let finished = false;
  for (let slot = 0; slot < slots; slot++) {
    let opened = 0;
    for (let dealer = 0; dealer < n; dealer++) {
      const colluding = shareholders(graph, dealer).includes(n - 1) ? 1 : 0;
      const holders = (kind: 'seed' | 'mask'): number => {
        const bit = openedBit(slot, dealer, kind);
        return colluding + locals.filter((local) => (local.opened & bit) !== 0).length;
      };
      const seed = holders('seed') >= graph.threshold;
      const mask = holders('mask') >= graph.threshold;
      if (seed && mask) return { broken: `slot ${slot}: both secrets of member ${dealer}`, finished };
      if (seed || mask) opened++;
    }
    if (opened === n) finished = true;
    const about = new Set<string>();
    for (const { emitted } of locals)
      for (const emission of emitted)
        if (emission.slot === slot && emission.about !== undefined) about.add(emission.about);
    if (about.size > 1) return { broken: `slot ${slot}: answered for two rounds or sets`, finished };
  }
  return { finished };
}

const model = (n: number, slots: number, ...contexts: Partial<RoundContext>[]): Model => ({
  n,
  slots,
  contexts: (choir) => contexts.map((context) => roundOf(choir, { dimension: n, ...context })),
});
const planted = digestOf('planted');

/** Two slots; two models and two attempts, one of them for either slot. */
const THREE = model(
  3,
  2,
  { slot: 0 },
  { slot: 0, modelDigest: planted },
  { slot: 0, attempt: 2 },
  { slot: 1 },
  { slot: 1, attempt: 2 },
);
/** One slot, two models and a smaller U₁ʳ. */
const FOUR = model(
  4,
  1,
  { slot: 0 },
  { slot: 0, modelDigest: planted },
  { slot: 0, expected: ['member-00', 'member-01', 'member-03'] },
);

/** The same with one context and two sets, for the control whose shortest attack is long. */
const TWO_SETS: Model = {
  ...model(4, 1, { slot: 0 }),
  survivors: () => [
    ['member-00', 'member-01', 'member-02', 'member-03'],
    ['member-00', 'member-01', 'member-03'],
  ],
};
/** One slot, one context; t = 4. */
const FIVE = model(5, 1, { slot: 0 });

/**
 * A ring of 7, k = 4, t = 3, the colluder between two regions: the server names everybody, and everybody but the member
 * on the far side of one region. Either region has t signatures of shareholders on its own set.
 */
const RING: Model = {
  ...model(7, 1, { slot: 0 }),
  options: { graph: 'harary', minSurvivors: 6 },
  keepsGoing: true,
  survivors: ({ config, block }) => {
    const { order } = block.graph;
    const ids = config.members.map(({ id }) => id);
    const lost = ids[order[(order.indexOf(6) + 3) % 7]!];
    return [ids, ids.filter((id) => id !== lost)];
  },
};

describe('model check: every interleaving, hazards S3, S5 and S19', () => {
  // The counts are of global states; another number is another protocol, or another model, and worth a look.
  it.each([
    ['3 members, 2 slots, 5 contexts', THREE, 11_824],
    ['4 members, 1 slot, 3 contexts', FOUR, 18_768],
    ['5 members, 1 slot, 1 context', FIVE, 44_720],
    ['a ring of 7 members, 1 slot, 1 context, 2 sets', RING, 4_574],
  ])('%s: no state with both secrets, two sets or two messages', async (_, small, states) => {
    const searched = await search(small);
    expect(searched.violation).toBeUndefined();
    expect(searched.states).toBe(states);
    expect(searched.finished).toBeGreaterThan(0);
  });

  it.each<[Variant, Model, RegExp]>([
    ['signs a second set', FOUR, /^two different: .*ConsistencyCheck/],
    ['signs and answers again', TWO_SETS, /^slot 0: /],
    ['masks again after a restart', FOUR, /^two different: .*MaskedInput/],
    ['answers at half the cohort', FOUR, /^slot 0: both secrets/],
    ['goes by its neighbourhood', RING, /^slot 0: answered for two rounds or sets/],
  ])('positive control: a member that %s is caught', async (variant, small, what) => {
    const { violation } = await search(small, variant);
    expect(violation?.what).toMatch(what);
    expect(violation?.trace.length).toBeGreaterThan(0);
  });
});
