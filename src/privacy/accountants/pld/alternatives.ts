import { type Component, withoutLowerEnd } from './component.js';

/** Mechanisms that all run. */
export interface Composition {
  readonly components: readonly Component[];
  /** `unknown`: no dominating pair is known. `exposed`: no noise at all, so that ε is infinite. */
  readonly infinite?: 'unknown' | 'exposed';
}

export const NOTHING: Composition = { components: [] };
export const UNKNOWN: Composition = { components: [], infinite: 'unknown' };
export const EXPOSED: Composition = { components: [], infinite: 'exposed' };

/**
 * A record is in one of several disjoint sets, so an event is a list of compositions of which the worst counts. More than
 * this (sets inside sets) are replaced by one that dominates them all.
 */
const MAX_ALTERNATIVES = 16;

/** Both of two events: any alternative of the one with any of the other. */
export function product(a: readonly Composition[], b: readonly Composition[]): readonly Composition[] {
  if (a.length * b.length > MAX_ALTERNATIVES) return [together(union(a), union(b))];
  return a.flatMap((one) => b.map((other) => together(one, other)));
}

/** The alternatives of all parts. */
export function either(parts: readonly (readonly Composition[])[]): readonly Composition[] {
  const alternatives = parts.flat();
  return alternatives.length > MAX_ALTERNATIVES ? [union(alternatives)] : alternatives;
}

/** `count` times; the record may be in another set each time, so that alternatives can't be counted apart. */
export function repeated(alternatives: readonly Composition[], count: number): readonly Composition[] {
  if (count === 0) return [NOTHING];
  if (count === 1) return alternatives;
  const one = union(alternatives);
  const components = one.components.map((part) => ({ ...part, count: part.count * count }));
  // Beyond 2^53 the product would be rounded, perhaps down.
  return components.every((part) => Number.isSafeInteger(part.count))
    ? [{ ...one, components }]
    : [one.infinite === 'exposed' ? EXPOSED : UNKNOWN];
}

/** The same costs at most, and nothing known from below. */
export function withoutLower(composition: Composition): Composition {
  return { ...composition, components: composition.components.map(withoutLowerEnd) };
}

function together(a: Composition, b: Composition): Composition {
  const components = [...a.components, ...b.components];
  const infinite =
    a.infinite === 'exposed' || b.infinite === 'exposed' ? 'exposed' : (a.infinite ?? b.infinite);
  return infinite ? { components, infinite } : { components };
}

/** Running all alternatives dominates each. */
function union(alternatives: readonly Composition[]): Composition {
  return alternatives.length === 1
    ? (alternatives[0] as Composition)
    : withoutLower(alternatives.reduce(together));
}
