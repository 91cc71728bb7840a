import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { hararyPlan } from '../../src/secagg/cohortPlan.js';
import {
  completeGraph,
  dealers,
  type Graph,
  graphDescriptor,
  graphKindFor,
  graphOf,
  hararyGraph,
  neighbours,
  shareholders,
  survivesCut,
  survivorFloor,
} from '../../src/secagg/graph.js';

const COUNTING_SEED = Uint8Array.from({ length: 32 }, (_, i) => i);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const seedNumber = (i: number): Uint8Array => createHash('sha256').update(`ring ${i}`).digest();
const ring = (n: number, k: number, cutFloor: number, seed: Uint8Array = COUNTING_SEED): Graph =>
  hararyGraph(range(n), { shareholders: k, threshold: k / 2 + 1, cutFloor }, seed, nodePrimitives);

describe('the graph as data', () => {
  it('the complete graph: all are neighbours, everyone its own shareholder', () => {
    const graph = completeGraph([4, 0, 2], 1);
    expect(graph).toEqual({ kind: 'complete', order: [0, 2, 4], shareholders: 3, threshold: 3, cutFloor: 0 });
    expect(neighbours(graph, 2)).toEqual([0, 4]);
    expect(shareholders(graph, 2)).toEqual([0, 2, 4]);
    expect(dealers(graph, 0)).toEqual([0, 2, 4]);
    expect(graphDescriptor(graph)).toBe('complete k=3 t=3');
    expect(survivesCut(graph, [])).toBe(true);
  });

  it('a Harary graph: k/2 on either side of the ring, ascending, mutual, without oneself', () => {
    const graph = ring(12, 4, 3);
    expect(graph.order).toEqual([5, 8, 6, 2, 1, 11, 3, 0, 9, 7, 4, 10]);
    expect(neighbours(graph, 2)).toEqual([1, 6, 8, 11]);
    // At the seam of the ring.
    expect(neighbours(graph, 5)).toEqual([4, 6, 8, 10]);
    for (const member of graph.order) {
      const near = neighbours(graph, member);
      expect(near).toHaveLength(4);
      expect(shareholders(graph, member)).toEqual(near);
      expect(dealers(graph, member)).toEqual(near);
      for (const other of near) expect(neighbours(graph, other)).toContain(member);
    }
    expect(graphDescriptor(graph)).toBe('harary k=4 t=3 cut=3');
  });

  it('survives being written down and read: JSON there and back is the same graph', () => {
    for (const graph of [completeGraph([3, 1, 2], 1), ring(9, 4, 2)]) {
      const read = JSON.parse(JSON.stringify(graph)) as Graph;
      expect(read).toEqual(graph);
      expect(neighbours(read, 1)).toEqual(neighbours(graph, 1));
      expect(survivesCut(read, [1, 2])).toBe(survivesCut(graph, [1, 2]));
    }
  });

  it('one who has not advertised is in no graph; a ring takes an even k below n and a seed of 32 bytes', () => {
    expect(() => neighbours(completeGraph([0, 1, 2], 1), 3)).toThrow('member 3 is not in the graph');
    expect(() => ring(6, 6, 1)).toThrow(RangeError);
    expect(() => ring(6, 3, 1)).toThrow(RangeError);
    expect(() => ring(6, 2, 1, new Uint8Array(31))).toThrow('32 bytes');
  });

  it('kind by size; where no ring is safe, Harary is the complete graph', () => {
    expect([3, 64, 65, 1024].map(graphKindFor)).toEqual(['complete', 'complete', 'harary', 'harary']);
    const of = (n: number, maxColluders: number, minSurvivors: number): Graph =>
      graphOf('harary', range(n), { maxColluders, minSurvivors }, COUNTING_SEED, nodePrimitives);
    const planned = of(1000, 50, 950);
    expect(planned).toMatchObject({ kind: 'harary', shareholders: 70, threshold: 53, cutFloor: 38 });
    expect(survivorFloor({ minSurvivors: 950, maxColluders: 50 }, planned)).toBe(950);
    expect(of(100, 45, 55)).toEqual(completeGraph(range(100), 45));
    expect(survivorFloor({ minSurvivors: 55, maxColluders: 45 }, of(100, 45, 55))).toBe(73);
    // Fewer members than survivors are not planned for; the floor refuses them.
    expect(of(8, 1, 10).kind).toBe('harary');
    const complete = graphOf(
      'complete',
      range(9),
      { maxColluders: 1, minSurvivors: 6 },
      COUNTING_SEED,
      nodePrimitives,
    );
    expect(complete).toEqual(completeGraph(range(9), 1));
  });
});

describe('the permutation', () => {
  it('is the one that Python makes of the same seed, with both implementations of the primitives', () => {
    for (const primitives of [nodePrimitives, noblePrimitives]) {
      const plan = { shareholders: 2, threshold: 2, cutFloor: 1 };
      const sparse = range(8).map((i) => 3 * i + 1);
      expect(hararyGraph([...sparse].reverse(), plan, COUNTING_SEED, primitives).order).toEqual([
        4, 16, 22, 1, 13, 10, 19, 7,
      ]);
      const { order } = hararyGraph(range(1000), plan, COUNTING_SEED, primitives);
      expect(createHash('sha256').update(order.join()).digest('hex')).toBe(
        '06cb874f81ece35811a85964d60105e07def930296c8c31f946f11f44f8ff313',
      );
    }
  });

  it('draws again where a word would favour low numbers', () => {
    const scripted = (...first: number[]): Primitives => ({
      ...nodePrimitives,
      keystream: (key) => ({
        ...nodePrimitives.keystream(key),
        next: (words) => Uint32Array.from({ length: words }, (_, i) => first[i] ?? 0),
      }),
    });
    const plan = { shareholders: 2, threshold: 2, cutFloor: 1 };
    const of = (...words: number[]) => hararyGraph([0, 1, 2], plan, COUNTING_SEED, scripted(...words)).order;
    // For three, ⌊2^32/3⌋·3 = 2^32 − 1 is the only word refused: the next two count.
    expect(of(2 ** 32 - 1, 0, 1)).toEqual([2, 1, 0]);
    expect(of(2 ** 32 - 2, 0, 1)).toEqual([1, 0, 2]);
  });

  it('all orders of four are equally likely', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 4800; i++) {
      const order = ring(4, 2, 1, seedNumber(i)).order.join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    // 200 each, standard deviation 14: five of them.
    for (const [order, count] of counts) expect(Math.abs(count - 200), order).toBeLessThan(70);
  });
});

/** Alive members of the h places from `start` on, in plain words. */
function aliveIn(graph: Graph, alive: ReadonlySet<number>, start: number, places: number): number[] {
  const n = graph.order.length;
  return range(places)
    .map((i) => graph.order[(start + i) % n]!)
    .filter((member) => alive.has(member));
}

/** Every pair of disjoint windows: its alive members, and those of the two arcs between. */
function* windowPairs(graph: Graph, alive: ReadonlySet<number>) {
  const n = graph.order.length;
  const h = graph.shareholders / 2;
  for (let i = 0; i < n; i++)
    for (let apart = h; apart <= n - h; apart++)
      yield {
        inside: [...aliveIn(graph, alive, i, h), ...aliveIn(graph, alive, i + apart, h)],
        arcs: [
          aliveIn(graph, alive, i + h, apart - h),
          aliveIn(graph, alive, i + apart + h, n - apart - h),
        ] as const,
      };
}

function connected(graph: Graph, members: ReadonlySet<number>): boolean {
  const [first] = members;
  if (first === undefined) return true;
  const seen = new Set([first]);
  for (const member of seen)
    for (const next of neighbours(graph, member)) if (members.has(next)) seen.add(next);
  return seen.size === members.size;
}

function* subsets(of: readonly number[], most: number, from = 0): Generator<number[]> {
  yield [];
  if (most === 0) return;
  for (let i = from; i < of.length; i++)
    for (const rest of subsets(of, most - 1, i + 1)) yield [of[i]!, ...rest];
}

describe('the cut', () => {
  it('looks at every pair of disjoint windows, over the seam too', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 24 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(1000),
        fc.infiniteStream(fc.nat(3)),
        (n, part, seed, coins) => {
          const h = 1 + Math.floor(part * ((n - 1) / 2 - 1));
          const alive = range(n).filter(() => coins.next().value !== 0);
          const shape = ring(n, 2 * h, 0, seedNumber(seed));
          const fewest = Math.min(
            ...[...windowPairs(shape, new Set(alive))].map(({ inside }) => inside.length),
          );
          expect(survivesCut({ ...shape, cutFloor: fewest + 1 }, alive)).toBe(false);
          if (fewest > 0) expect(survivesCut({ ...shape, cutFloor: fewest }, alive)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('what it lets pass no B colluders disconnect: every survivor set and every B of small rings', () => {
    let disconnectedAtOneLess = 0;
    for (const [n, k] of [
      [7, 2],
      [8, 4],
      [9, 4],
    ] as const)
      for (let mask = 0; mask < 2 ** n; mask++) {
        const alive = range(n).filter((member) => (mask >> member) & 1);
        const living = new Set(alive);
        const shape = ring(n, k, 0);
        for (const B of [0, 1, 2, 3]) {
          const survives = survivesCut({ ...shape, cutFloor: B + 1 }, alive);
          let breaks = false;
          for (const colluders of subsets(alive, B)) {
            const honest = new Set(alive.filter((member) => !colluders.includes(member)));
            breaks ||= !connected(shape, honest);
          }
          if (survives) expect(breaks, `${n} ${k} ${alive} ${B}`).toBe(false);
          // Exactly: a pair of windows with B alive or fewer, and survivors on both arcs between them.
          const apart = [...windowPairs(shape, living)].some(
            ({ inside, arcs }) => inside.length <= B && arcs[0].length > 0 && arcs[1].length > 0,
          );
          expect(breaks, `${n} ${k} ${alive} ${B}`).toBe(apart);
          // Positive control: a floor that is one lower lets some of them pass.
          if (breaks && B > 0 && survivesCut({ ...shape, cutFloor: B }, alive)) disconnectedAtOneLess++;
        }
      }
    expect(disconnectedAtOneLess).toBeGreaterThan(0);
  });

  it('a server that drops two windows but for its colluders is refused; losses by chance are not', () => {
    const n = 200;
    const needs = { members: n, maxColluders: 10, dropouts: 40 };
    const plan = hararyPlan(needs)!;
    const h = plan.shareholders / 2;
    for (let i = 0; i < 100; i++) {
      const graph = hararyGraph(range(n), plan, seedNumber(i), nodePrimitives);
      const places = [...range(h), ...range(h).map((place) => place + 100)];
      const colluders = new Set(range(10));
      const dropped = new Set(
        places.map((place) => graph.order[place]!).filter((member) => !colluders.has(member)),
      );
      const chosen = range(n).filter((member) => !dropped.has(member));
      const honest = new Set(chosen.filter((member) => !colluders.has(member)));
      expect(connected(graph, honest)).toBe(false);
      expect(survivesCut(graph, chosen)).toBe(false);
      // The colluders are ten of a random order: as good as any ten. So are those lost, in another one.
      const lost = new Set(ring(n, 2, 0, seedNumber(1000 + i)).order.slice(0, needs.dropouts));
      const left = range(n).filter((member) => !lost.has(member));
      expect(survivesCut(graph, left)).toBe(true);
    }
  });
});
