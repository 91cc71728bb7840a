import { assertBytes, type Primitives } from '../crypto/primitives.js';
import { type HararyPlan, hararyPlan } from './cohortPlan.js';
import { memoize } from './memo.js';

/** Who shares a mask with whom, who holds shares of whose secrets. Plain data; members are roster indices. */
export interface Graph {
  readonly kind: 'complete' | 'harary';
  /** complete: ascending; harary: in ring order (the permutation). All members that advertised. */
  readonly order: readonly number[];
  /** k, the number of shareholders: all n, oneself included (complete); the k ring neighbours, k even (harary). */
  readonly shareholders: number;
  /** t: shares that reconstruct, and signatures needed before one answers. */
  readonly threshold: number;
  /** harary: the alive members that any two disjoint windows of k/2 places must have together; complete: 0. */
  readonly cutFloor: number;
}

/** The complete graph costs n² shares; above this comes the Harary graph (DESIGN §4). */
const MOST_MEMBERS_OF_COMPLETE_GRAPH = 64;

export function graphKindFor(members: number): Graph['kind'] {
  return members <= MOST_MEMBERS_OF_COMPLETE_GRAPH ? 'complete' : 'harary';
}

/**
 * t = max(⌈2k/3⌉, ⌊(k + colluders)/2⌋ + 1), k the number of shareholders.
 *
 * The second term is the safety of the protocol: for two different sets of survivors a lying server needs 2t
 * signatures, of which only colluders give two; 2t > k + colluders makes that impossible, so it never collects
 * both the seed and the key of one member (Bonawitz et al. 2017, 6.2).
 */
export function shareThreshold(shareholders: number, maxColluders: number): number {
  return Math.max(Math.ceil((2 * shareholders) / 3), quorumOf(shareholders, maxColluders));
}

/** Every member is a shareholder of every member, itself included: k = n. */
export function completeGraph(members: readonly number[], maxColluders: number): Graph {
  return {
    kind: 'complete',
    order: ascending(members),
    shareholders: members.length,
    threshold: shareThreshold(members.length, maxColluders),
    cutFloor: 0,
  };
}

/**
 * The members on a ring in random order, each joined to the k/2 on either side (Bell et al. 2020, section 3).
 *
 * @param seed 32 bytes, a hash of all signed adverts. @throws RangeError if k is odd or not below n.
 */
export function hararyGraph(
  members: readonly number[],
  plan: HararyPlan,
  seed: Uint8Array,
  primitives: Primitives,
): Graph {
  const { shareholders, threshold, cutFloor } = plan;
  if (shareholders % 2 !== 0 || shareholders < 2 || shareholders >= members.length)
    throw new RangeError(
      `a ring of ${members.length} members takes an even number of neighbours below that, not ${shareholders}`,
    );
  const order = permutation(ascending(members), seed, primitives);
  return { kind: 'harary', order, shareholders, threshold, cutFloor };
}

/**
 * The graph of a block. A Harary graph is planned for n − minSurvivors drop-outs; where no k < n is safe it is the
 * complete graph, whose threshold may then lie above minSurvivors (`survivorFloor`).
 */
export function graphOf(
  kind: Graph['kind'],
  members: readonly number[],
  cohort: { readonly maxColluders: number; readonly minSurvivors: number },
  seed: Uint8Array,
  primitives: Primitives,
): Graph {
  const { maxColluders, minSurvivors } = cohort;
  // Fewer members than minSurvivors are refused by survivorFloor, on any graph.
  const dropouts = Math.max(0, members.length - minSurvivors);
  const plan =
    kind === 'harary' ? hararyPlan({ members: members.length, maxColluders, dropouts }) : undefined;
  return plan === undefined
    ? completeGraph(members, maxColluders)
    : hararyGraph(members, plan, seed, primitives);
}

/**
 * Fisher–Yates over the ascending members (Knuth, TAOCP vol. 2, 3.4.2, algorithm P). The words are those of
 * AES-256-CTR of zeros under `seed` from counter block 0, four bytes little-endian each, used in order, none left
 * out. For j = n − 1 down to 1, with bound = j + 1: take the next word, and the next again while it is
 * ⌊2^32/bound⌋·bound or more; i = word mod bound; swap places i and j.
 */
function permutation(members: number[], seed: Uint8Array, primitives: Primitives): number[] {
  assertBytes('the seed of a permutation', seed, 32);
  const stream = primitives.keystream(seed);
  let words = new Uint32Array(0);
  let used = 0;
  const below = (bound: number): number => {
    const limit = Math.floor(2 ** 32 / bound) * bound;
    for (;;) {
      if (used === words.length) {
        words = new Uint32Array(stream.next(256));
        used = 0;
      }
      const word = words[used++]!;
      if (word < limit) return word % bound;
    }
  };
  for (let j = members.length - 1; j >= 1; j--) {
    const i = below(j + 1);
    [members[i], members[j]] = [members[j]!, members[i]!];
  }
  return members;
}

/** The members with whom `member` shares a pairwise mask: ascending, without itself. */
export function neighbours(graph: Graph, member: number): readonly number[] {
  return adjacencyOf(graph, member).neighbours;
}

/** Those who hold shares of `member`'s secrets and whose signatures it counts: ascending; complete: with itself. */
export function shareholders(graph: Graph, member: number): readonly number[] {
  return adjacencyOf(graph, member).shareholders;
}

/** Those of whose secrets `holder` has shares: holding is mutual on both graphs. */
export function dealers(graph: Graph, holder: number): readonly number[] {
  return shareholders(graph, holder);
}

interface Adjacency {
  readonly neighbours: readonly number[];
  readonly shareholders: readonly number[];
}
interface Lookup {
  readonly place: ReadonlyMap<number, number>;
  readonly adjacency: Map<number, Adjacency>;
}
/** Derived from the graph, hence not in it: a graph stays plain data, and a coordinator asks n times. */
const lookupOf = memoize(
  ({ order }: Graph): Lookup => ({
    place: new Map(order.map((member, place) => [member, place])),
    adjacency: new Map(),
  }),
);

/** Throws RangeError for somebody who is not in the graph. */
function adjacencyOf(graph: Graph, member: number): Adjacency {
  const { place, adjacency } = lookupOf(graph);
  const known = adjacency.get(member);
  if (known !== undefined) return known;
  const at = place.get(member);
  if (at === undefined)
    throw new RangeError(`member ${member} is not in the graph: it has not advertised keys`);
  const found =
    graph.kind === 'complete'
      ? { neighbours: graph.order.filter((other) => other !== member), shareholders: graph.order }
      : onRing(graph, at);
  adjacency.set(member, found);
  return found;
}

function onRing({ order, shareholders: k }: Graph, at: number): Adjacency {
  const n = order.length;
  const around: number[] = [];
  for (let step = 1; step <= k / 2; step++) around.push(order[(at + step) % n]!, order[(at - step + n) % n]!);
  const both = ascending(around);
  return { neighbours: both, shareholders: both };
}

/** Hashed into the setup transcript: members that see another graph have another transcript. */
export function graphDescriptor({ kind, shareholders: k, threshold, cutFloor }: Graph): string {
  return kind === 'complete'
    ? `complete k=${k} t=${threshold}`
    : `harary k=${k} t=${threshold} cut=${cutFloor}`;
}

/**
 * Whether the honest survivors' sum stays one sum: a member refuses survivors U₂ for which this is false. A server
 * sees the permutation and chooses whom it declares dropped, so that drop-outs by chance are no model of it.
 *
 * Theorem. Let any two disjoint windows of h = k/2 ring places hold at most B colluders, and at least B + 1 = cutFloor
 * members of U₂. Then the honest members of U₂ are connected, whoever was declared dropped: as long as their common
 * masks stay secret, nothing but the sum of all of them can be opened (Bell et al. 2020, section 3).
 *
 * Proof. Two ring places are joined if they are at most h apart, that is with fewer than h places in between on one
 * side. Walk around the ring over the honest survivors H: successive ones are joined unless h or more places without
 * any of H, a gap, lie between them. With one gap or none the walk is a path through all of H. Two gaps part H into
 * two arcs, and whoever lies on one is more than h places from whoever lies on the other, both ways round. So H is
 * disconnected if and only if there are two gaps. Then there are two disjoint windows of h places, one in each gap,
 * where all members of U₂ are colluders: at most B of them, against the assumption.
 *
 * `hararyPlan` chooses cutFloor so that the first assumption fails with negligible probability over the permutation.
 *
 * @param alive U₂, ascending roster indices.
 */
export function survivesCut(graph: Graph, alive: readonly number[]): boolean {
  if (graph.cutFloor === 0) return true;
  const n = graph.order.length;
  const h = graph.shareholders / 2;
  const { place } = lookupOf(graph);
  const isAlive = new Uint8Array(n);
  for (const member of alive) {
    const at = place.get(member);
    if (at !== undefined) isAlive[at] = 1;
  }
  // count[i]: the alive members of the window of places i … i + h − 1.
  const count = new Uint16Array(n);
  let inWindow = 0;
  for (let i = 0; i < n + h; i++) {
    inWindow += isAlive[i % n]!;
    if (i >= h) inWindow -= isAlive[i - h]!;
    if (i >= h - 1 && i - h + 1 < n) count[i - h + 1] = inWindow;
  }
  // The windows disjoint from window i begin at i + h … i + n − h. Their least count comes from a queue of rising
  // candidates: a window that a later one undercuts can never be the least again.
  const queue: number[] = [];
  let head = 0;
  for (let start = h; start < 2 * n - h; start++) {
    while (queue.length > head && count[queue.at(-1)! % n]! >= count[start % n]!) queue.pop();
    queue.push(start);
    const i = start - (n - h);
    if (i < 0) continue;
    while (queue[head]! < i + h) head++;
    if (count[i]! + count[queue[head]! % n]! < graph.cutFloor) return false;
  }
  return true;
}

/** A shareholder's place on the polynomial: its roster index, from 1. */
export function abscissa(member: number): number {
  return member + 1;
}

/**
 * Signatures on one set of survivors that a member wants to see before it answers, from anywhere in the block: more
 * than half of all that advertised and their colluders, so that no other set of the slot can have as many. The t
 * signatures of a member's own shareholders hold within its neighbourhood only: on a ring, two distant regions could be
 * shown two sets, and a sum be opened that is of neither (on the complete graph t is never below this).
 */
export function survivorQuorum(config: { readonly maxColluders: number }, graph: Graph): number {
  return quorumOf(graph.order.length, config.maxColluders);
}

/** ⌊(n + c)/2⌋ + 1: two sets of signatures of so many have an honest member in common, who signs one set only. */
export function quorumOf(members: number, maxColluders: number): number {
  return Math.floor((members + maxColluders) / 2) + 1;
}

/** |U₂| ≥ nMin, and never below t or the quorum: fewer survivors could not unmask anything. */
export function survivorFloor(
  config: { readonly minSurvivors: number; readonly maxColluders: number },
  graph: Graph,
): number {
  return Math.max(config.minSurvivors, graph.threshold, survivorQuorum(config, graph));
}

function ascending(members: readonly number[]): number[] {
  return [...members].sort((a, b) => a - b);
}
