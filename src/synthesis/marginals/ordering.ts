import { InvalidOptions } from '../errors.js';
import type { TableSchema } from '../table/schema.js';

/** low ≤ high, or low < high, in every row that has both: columns by their place in the schema. */
export interface Less {
  readonly low: number;
  readonly high: number;
  readonly strict: boolean;
}

/** Columns that inequalities join, and no others: a tree of them. */
export interface Order {
  /** Each after every one that must not exceed it. */
  readonly columns: readonly number[];
  readonly edges: readonly Less[];
}

/**
 * The inequalities of a schema, as trees. One that follows from others is left out: over columns in between that are never missing,
 * since a missing value ends what follows from it.
 * @throws InvalidOptions where what is left joins columns in a ring: within a cell of the model such values have no closed law.
 */
export function ordersOf({ fields, constraints }: TableSchema): readonly Order[] {
  const place = (name: string): number => fields.findIndex((field) => field.name === name);
  const stated = new Map<string, Less>();
  for (const constraint of constraints) {
    if (constraint.type !== 'inequality') continue;
    const [low, high] = [place(constraint.low), place(constraint.high)];
    const strict = constraint.strict || stated.get(`${low},${high}`)?.strict === true;
    stated.set(`${low},${high}`, { low, high, strict });
  }
  const required = (column: number): boolean => fields[column]?.required === true;
  const all = [...stated.values()];
  const edges = all.filter((edge) => !follows(edge, all, required));
  const left = new Set(edges);
  const orders: Order[] = [];
  for (const first of edges) {
    if (!left.has(first)) continue;
    const own = joined(first, left);
    const columns = inOrder(own);
    if (own.length >= columns.length) {
      const names = columns.map((column) => fields[column]?.name).join(', ');
      throw new InvalidOptions(
        'kind',
        `marginals holds inequalities that join columns as a tree; those of ${names} are a ring: leave one out of chorale:constraints`,
      );
    }
    orders.push({ columns, edges: own });
  }
  return orders;
}

/** Whether another way from its low to its high column says as much. */
function follows(edge: Less, edges: readonly Less[], required: (column: number) => boolean): boolean {
  const search = (at: number, strict: boolean): boolean =>
    edges.some((next) => {
      if (next === edge || next.low !== at) return false;
      const more = strict || next.strict;
      if (next.high === edge.high) return at !== edge.low && (more || !edge.strict);
      return required(next.high) && search(next.high, more);
    });
  return search(edge.low, false);
}

/** The edges that hang together with `first`; they are taken out of `left`. */
function joined(first: Less, left: Set<Less>): readonly Less[] {
  const own = [first];
  left.delete(first);
  for (const edge of own)
    for (const other of left)
      if ([other.low, other.high].some((column) => column === edge.low || column === edge.high)) {
        left.delete(other);
        own.push(other);
      }
  return own;
}

/** Topological; the schema has no circle (enforcement.ts, `assertSatisfiable`). */
function inOrder(edges: readonly Less[]): readonly number[] {
  const waiting = new Set(edges.flatMap(({ low, high }) => [low, high]).sort((a, b) => a - b));
  const out: number[] = [];
  while (waiting.size > 0) {
    const next = [...waiting].find(
      (column) => !edges.some(({ low, high }) => high === column && waiting.has(low)),
    );
    if (next === undefined) throw new InvalidOptions('kind', 'the inequalities of the schema form a circle');
    waiting.delete(next);
    out.push(next);
  }
  return out;
}
