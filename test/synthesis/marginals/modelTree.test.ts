import { describe, expect, it } from 'vitest';
import { emptyCalibration } from '../../../src/synthesis/marginals/model/calibration.js';
import { cellsIn, domainOf } from '../../../src/synthesis/marginals/model/domain.js';
import { InvalidModelInput, ModelTooLarge } from '../../../src/synthesis/marginals/model/errors.js';
import {
  type JunctionTree,
  junctionTree,
  rerooted,
} from '../../../src/synthesis/marginals/model/junctionTree.js';
import { potentialsOf } from '../../../src/synthesis/marginals/model/model.js';
import { cellsOf, triangulate } from '../../../src/synthesis/marginals/model/triangulation.js';
import { rngOf } from '../fixtures.js';
import { drawsOf, randomSets } from './modelByBruteForce.js';

/** Every attribute's cliques are one connected part of the tree: one of them, and no more, has a parent without it. */
function intersectionsRun({ domain, cliques }: Pick<JunctionTree, 'domain' | 'cliques'>): boolean {
  return domain.sizes.every(
    (_, a) =>
      cliques.filter((c) => c.attributes.includes(a) && !cliques[c.parent]?.attributes.includes(a)).length ===
      1,
  );
}

const within = (set: readonly number[], clique: readonly number[]) => set.every((a) => clique.includes(a));

describe('the junction tree', () => {
  const draws = drawsOf(rngOf(1, 'tree'));
  const cases = Array.from({ length: 300 }, () => randomSets(draws, 12));

  it('holds every set and every attribute in maximal cliques, with running intersection, from any root', () => {
    for (const { domain, sets } of cases) {
      const tree = junctionTree(domain, sets);
      const cliques = tree.cliques.map((clique) => clique.attributes);
      expect(sets.every((set) => cliques.some((clique) => within(set, clique)))).toBe(true);
      expect(cliques.every((a, i) => cliques.every((b, j) => i === j || !within(a, b)))).toBe(true);
      for (const root of tree.cliques.keys()) {
        const hung = rerooted(tree, root);
        expect(intersectionsRun(hung)).toBe(true);
        expect(hung.cells).toBe(tree.cells);
        expect(hung.cliques[0]?.attributes.toSorted()).toEqual(tree.cliques[root]?.attributes.toSorted());
        expect(hung.cliques.every((clique, c) => clique.parent < c && clique.residual.length > 0)).toBe(true);
      }
    }
  });

  it('is told from a tree of the same cliques in another order', () => {
    const domain = domainOf([2, 2, 2, 2]);
    const { cliques } = junctionTree(domain, [
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
    expect(intersectionsRun({ domain, cliques })).toBe(true);
    const ends = cliques.toSorted(
      (a, b) => Number(b.attributes.includes(1)) - Number(a.attributes.includes(1)),
    );
    const chained = [ends[0], ends[2], ends[1]].map((clique, c) => ({ ...clique, parent: c - 1 }));
    expect(intersectionsRun({ domain, cliques: chained as JunctionTree['cliques'] })).toBe(false);
  });

  it('takes as many cells as foretold, in each of its tables', () => {
    for (const { domain, sets } of cases) {
      const tree = junctionTree(domain, sets);
      const { conditionals, marginals } = emptyCalibration(tree);
      const foretold = cellsOf(domain, sets);
      expect(tree.cells).toBe(foretold);
      expect(tree.cliques.reduce((sum, clique) => sum + cellsIn(domain, clique.attributes), 0)).toBe(
        foretold,
      );
      for (const table of [conditionals, marginals, potentialsOf(tree, [], [])])
        expect(table.byteLength).toBe(8 * foretold);
    }
  });

  it('keeps a chordal graph as it is and cuts a ring into triangles, at its small attributes', () => {
    const domain = domainOf([2, 9, 2, 9]);
    const chain = [
      [0, 1],
      [1, 2],
      [2, 3],
    ];
    expect(cellsOf(domain, chain)).toBe(18 + 18 + 18);
    expect(
      triangulate(domain, [...chain, [0, 3]])
        .map(String)
        .sort(),
    ).toEqual(['0,1,2', '0,2,3']);
  });

  it('works with attributes of both words of bits', () => {
    const domain = domainOf(new Array<number>(64).fill(2));
    const ring = Array.from({ length: 64 }, (_, a) => [a, (a + 1) % 64]);
    const tree = junctionTree(domain, ring);
    expect(tree.cliques.length).toBe(62);
    expect(tree.cells).toBe(62 * 8);
    expect(intersectionsRun(tree)).toBe(true);
  });

  it('refuses a tree above the limit before it makes it, and sets that are none', () => {
    const domain = domainOf(new Array<number>(40).fill(2000));
    const all = [Array.from({ length: 40 }, (_, a) => a)];
    expect(cellsOf(domain, all) / 2000 ** 40).toBeCloseTo(1, 12);
    expect(() => junctionTree(domain, all)).toThrow(ModelTooLarge);
    expect(() => junctionTree(domain, [[0, 1]], 4_000_000)).toThrow(
      /needs 4076000 cells, the limit is 4000000/,
    );
    for (const set of [[40], [1, 1], [-1], [0.5]])
      expect(() => junctionTree(domain, [set])).toThrow(InvalidModelInput);
    for (const sizes of [[], [0], [1.5], [65_537], new Array<number>(65).fill(2)])
      expect(() => domainOf(sizes)).toThrow(InvalidModelInput);
  });
});
