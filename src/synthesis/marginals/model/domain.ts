import { InvalidModelInput } from './errors.js';

/** Attributes are numbered 0 … n − 1; attribute a takes the values 0 … sizes[a] − 1. */
export interface Domain {
  readonly sizes: readonly number[];
}

/** Triangulation keeps a set of attributes in two words of bits. */
export const MAX_ATTRIBUTES = 64;
/** Sampled rows are Uint16Array. */
export const MAX_SIZE = 65_536;

/** @throws InvalidModelInput */
export function domainOf(sizes: readonly number[]): Domain {
  if (sizes.length < 1 || sizes.length > MAX_ATTRIBUTES)
    throw new InvalidModelInput(
      'domain',
      `has ${sizes.length} attributes; 1 to ${MAX_ATTRIBUTES} are possible`,
    );
  for (const [attribute, size] of sizes.entries())
    if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE)
      throw new InvalidModelInput(
        'domain',
        `attribute ${attribute} needs 1 to ${MAX_SIZE} values, not ${size}`,
      );
  return { sizes: [...sizes] };
}

/** Cells of a table over `attributes`; a double, so that a table far too large can still be told. */
export function cellsIn(domain: Domain, attributes: Iterable<number>): number {
  let cells = 1;
  for (const attribute of attributes) cells *= domain.sizes[attribute] as number;
  return cells;
}

/** @throws InvalidModelInput unless they are distinct attributes of the domain. */
export function checkAttributes(domain: Domain, attributes: readonly number[], argument: string): void {
  for (const attribute of attributes)
    if (domain.sizes[attribute] === undefined)
      throw new InvalidModelInput(argument, `attribute ${attribute} is not one of ${domain.sizes.length}`);
  if (new Set(attributes).size !== attributes.length)
    throw new InvalidModelInput(argument, `attributes ${attributes.join(', ')} name one twice`);
}

export function contains(attributes: readonly number[], subset: readonly number[]): boolean {
  return subset.every((attribute) => attributes.includes(attribute));
}
