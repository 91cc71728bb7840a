import { equalBytes } from '@noble/ciphers/utils.js';
import type { BlockConfig, RoundContext } from '../../../src/secagg/index.js';
import { decodeShareBundle, encodeShareBundle } from '../../../src/secagg/shareBundle.js';
import type { Dice } from './dice.js';

/** What the coordinator sends a member; the member's answer goes by the same name. */
export type Request =
  | { readonly ask: 'advert'; readonly config: BlockConfig }
  | { readonly ask: 'shares'; readonly adverts: readonly Uint8Array[] }
  | { readonly ask: 'bundle'; readonly bundle: Uint8Array }
  | { readonly ask: 'input'; readonly round: RoundContext }
  | { readonly ask: 'check'; readonly slot: number; readonly survivors: readonly string[] }
  | { readonly ask: 'unmasking'; readonly slot: number; readonly checks: readonly Uint8Array[] }
  | { readonly ask: 'over'; readonly slot: number };
export type Ask = Request['ask'];

export type Parcel =
  | { readonly to: string; readonly request: Request }
  | { readonly to: 'coordinator'; readonly from: string; readonly ask: Ask; readonly bytes: Uint8Array };

/** How often what goes wrong, for a whole schedule; probabilities a message, a transition or a step. */
export interface Weather {
  readonly drop: number;
  readonly duplicate: number;
  readonly late: number;
  readonly spoilAnswer: number;
  readonly spoilRequest: number;
  readonly memberCrash: number;
  readonly coordinatorCrash: number;
}

/** Each kind of fault by itself absent, rare or frequent: a schedule with everything at once reaches little. */
export function weatherOf(dice: Dice, setsUp: boolean): Weather {
  const often = (...rates: number[]): number => dice.pick([0, 0, ...rates]);
  return {
    drop: often(0.02, 0.08, 0.2),
    duplicate: often(0.1, 0.3),
    late: often(0.03, 0.1, 0.3),
    spoilAnswer: often(0.02, 0.1),
    // A set-up has few requests, and most of the refusals there are.
    spoilRequest: setsUp ? often(0.1, 0.2, 0.2, 0.3, 0.3) : often(0.02, 0.1, 0.3),
    memberCrash: often(0.02, 0.08, 0.2),
    coordinatorCrash: often(0.01, 0.04),
  };
}

export const CALM: Weather = {
  drop: 0,
  duplicate: 0,
  late: 0,
  spoilAnswer: 0,
  spoilRequest: 0,
  memberCrash: 0,
  coordinatorCrash: 0,
};

/** A network that loses, doubles, delays, reorders, cuts and flips what it carries. Time is counted in steps. */
export class Line {
  readonly #due = new Map<number, Parcel[]>();
  /** Adverts that were on the line, rejected ones among them: a confused relay may hand out any of them. */
  readonly #adverts: Uint8Array[] = [];

  constructor(
    private readonly dice: Dice,
    private readonly weather: Weather,
    private readonly slots: number,
    private readonly count: (what: string, about: Parcel) => void,
  ) {}

  send(now: number, parcel: Parcel): void {
    const { dice, weather } = this;
    if ('bytes' in parcel && parcel.ask === 'advert') this.#adverts.push(parcel.bytes);
    const copies = dice.chance(weather.duplicate) ? 2 : 1;
    if (copies > 1) this.count('fault duplicated', parcel);
    for (let i = 0; i < copies; i++) {
      if (dice.chance(weather.drop)) {
        this.count('fault dropped', parcel);
        continue;
      }
      let delay = dice.between(1, 3);
      if (dice.chance(weather.late)) {
        this.count('fault delayed', parcel);
        delay += dice.between(5, 60);
      }
      const at = now + delay;
      const carried = this.#spoilt(parcel);
      const due = this.#due.get(at);
      if (due === undefined) this.#due.set(at, [carried]);
      else due.push(carried);
    }
  }

  /** What arrives in this step, in no order. */
  arrivals(now: number): Parcel[] {
    const due = this.#due.get(now) ?? [];
    this.#due.delete(now);
    return this.dice.shuffled(due);
  }

  #spoilt(parcel: Parcel): Parcel {
    const { dice, weather } = this;
    if ('bytes' in parcel) {
      if (!dice.chance(weather.spoilAnswer)) return parcel;
      this.count('fault spoilt answer', parcel);
      return { ...parcel, bytes: spoilBytes(dice, parcel.bytes) };
    }
    if (!dice.chance(weather.spoilRequest)) return parcel;
    this.count('fault spoilt request', parcel);
    const { ask, ...content } = parcel.request;
    if (ask === 'bundle' && dice.chance(0.4))
      return { ...parcel, request: { ask, bundle: withoutADealer(dice, parcel.request.bundle, this.slots) } };
    if (ask === 'advert' && dice.chance(0.6))
      return { ...parcel, request: { ask, config: spoilConfig(dice, parcel.request.config) } };
    if (ask === 'shares' && this.#adverts.length > 0 && dice.chance(0.6)) {
      const adverts = [...parcel.request.adverts];
      const others = this.#adverts.filter((advert) => !adverts.some((listed) => equalBytes(listed, advert)));
      const added = dice.pick(others.length > 0 ? others : this.#adverts);
      adverts.splice(dice.below(adverts.length + 1), dice.below(2), added);
      return { ...parcel, request: { ask, adverts } };
    }
    return { ...parcel, request: { ask, ...(spoil(dice, content) as object) } as Request };
  }
}

/** Cut, lengthened or with a bit flipped. */
function spoilBytes(dice: Dice, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(1);
  if (dice.chance(0.2)) return bytes.slice(0, dice.below(bytes.length));
  if (dice.chance(0.1)) return Uint8Array.of(...bytes, dice.below(256));
  // The header and the first fields are few among many bytes, and the more interesting.
  const at = dice.below(dice.chance(0.4) ? Math.min(12, bytes.length) : bytes.length);
  return Uint8Array.from(bytes).with(at, bytes[at]! ^ (1 << dice.below(8)));
}

/** One thing in a value is changed, of the same type: a leaf altered, an element left out, doubled or moved. */
function spoil(dice: Dice, value: unknown): unknown {
  if (value instanceof Uint8Array) return spoilBytes(dice, value);
  if (typeof value === 'number')
    return dice.pick([value + 1, value - 1, value + 0.5, -1, Number.NaN, 2 ** 31]);
  if (typeof value === 'string') {
    const at = dice.below(Math.max(1, value.length));
    return dice.chance(0.1)
      ? value.slice(0, at)
      : value.slice(0, at) + dice.pick([...'0123456789abcm']) + value.slice(at + 1);
  }
  if (Array.isArray(value)) {
    const items: unknown[] = [...value];
    const at = dice.below(Math.max(1, items.length));
    const how =
      items.length === 0 ? 'none' : dice.pick(['leave out', 'double', 'move', 'alter', 'leave out']);
    if (how === 'leave out') items.splice(at, 1);
    if (how === 'double') items.splice(at, 0, items[at]);
    if (how === 'move') items.push(...items.splice(at, 1));
    if (how === 'alter') items[at] = spoil(dice, items[at]);
    return items;
  }
  const object = value as Record<string, unknown>;
  const key = dice.pick(Object.keys(object));
  return { ...object, [key]: spoil(dice, object[key]) };
}

/** Where the generic change would rarely hit: a floor lowered, another roster. */
function spoilConfig(dice: Dice, config: BlockConfig): BlockConfig {
  const { minSurvivors, maxColluders, members } = config;
  switch (dice.below(5)) {
    case 0:
      return { ...config, minSurvivors: minSurvivors - 1 };
    case 1:
      return { ...config, maxColluders: maxColluders - 1 };
    case 2: {
      const at = dice.below(members.length);
      const altered = spoil(dice, members[at]!) as BlockConfig['members'][number];
      return { ...config, members: members.with(at, altered) };
    }
    default:
      return { ...config, members: spoil(dice, members) as BlockConfig['members'] };
  }
}

/** A well-formed bundle in which one member has dealt nothing. */
function withoutADealer(dice: Dice, bytes: Uint8Array, slots: number): Uint8Array {
  const bundle = decodeShareBundle(bytes, slots);
  const { member } = dice.pick(bundle.roots);
  return encodeShareBundle({
    ...bundle,
    roots: bundle.roots.filter((root) => root.member !== member),
    parts: bundle.parts.filter((part) => part.dealer !== member),
  });
}
