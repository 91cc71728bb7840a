import { describe, expect, it } from 'vitest';
import { memberIndex } from '../../src/secagg/block.js';
import { shareholders, survivesCut, survivorFloor, survivorQuorum } from '../../src/secagg/graph.js';
import {
  createMaskedInput,
  handleConsistency,
  handleSurvivors,
  SecaggRefusal,
} from '../../src/secagg/index.js';
import { roundOf, setUp, vectorOf } from './choir.js';

/**
 * Two regions of a ring are told two sets of survivors, each large enough, each without gaps. Between the regions a
 * few members stay silent. Every other member then has t signatures of its own shareholders on the set that it knows:
 * without a quorum of the whole block a server would open the sum of neither set, over fewer members than the floor.
 */
describe('hazards S3, S6: regions of a ring that are told different survivors', () => {
  for (const [n, colluders, minSurvivors, dropped] of [
    [40, 1, 36, 4],
    [80, 3, 72, 8],
  ] as const)
    it(`${n} members, no colluder needed: nobody answers`, async () => {
      const choir = setUp({ n, maxColluders: colluders, minSurvivors, graph: 'harary', slots: 1 });
      const { graph, config } = choir.block;
      const round = roundOf(choir, { dimension: 1 });
      const half = n / 2;
      const places = [0, half].map((start) =>
        graph.order.slice(start + (half - dropped) / 2, start + (half + dropped) / 2),
      );
      const told = places.map((lost) =>
        round.expected.filter((id) => !lost.includes(memberIndex(config, id))),
      );
      for (const survivors of told) {
        const indices = survivors.map((id) => memberIndex(config, id));
        expect(survivors.length).toBeGreaterThanOrEqual(survivorFloor(config, graph));
        expect(survivesCut(graph, indices)).toBe(true);
      }

      const signed = new Map<number, { region: number; check: Uint8Array }>();
      const states = new Map(choir.members);
      for (const [place, member] of graph.order.entries()) {
        const id = config.members[member]!.id;
        const party = choir.parties.get(id)!;
        const masked = await createMaskedInput(party, states.get(id)!, round, vectorOf(choir, id, round));
        states.set(id, masked.state);
        const region = place < half ? 0 : 1;
        if (!told[region]!.includes(id)) continue;
        const { state, outbound } = handleSurvivors(party, masked.state, 0, told[region]!);
        states.set(id, state);
        signed.set(member, { region, check: outbound.release('restart-abandons') });
      }

      let enoughInReach = 0;
      for (const [member, { region }] of signed) {
        const id = config.members[member]!.id;
        const ofRegion = [...signed].filter(([, mine]) => mine.region === region);
        const holding = new Set(shareholders(graph, member));
        // The control: t signatures of one's own shareholders is what a member would have gone by.
        if (ofRegion.filter(([sender]) => holding.has(sender)).length >= graph.threshold) enoughInReach += 1;
        const checks = [...signed.values()].map(({ check }) => check);
        expect(ofRegion.length).toBeLessThan(survivorQuorum(config, graph));
        expect(() => handleConsistency(choir.parties.get(id)!, states.get(id)!, 0, checks)).toThrow(
          SecaggRefusal,
        );
      }
      expect(enoughInReach).toBeGreaterThan(n / 2);
    });
});
