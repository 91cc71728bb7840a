import { describe, expect, it } from 'vitest';
import { previewRun } from '../../src/federation/preview.js';
import { distributedDiscreteGaussianEvent, type PrivacyEvent } from '../../src/privacy/events.js';
import { costUnits, epsilonOfUnits, planUnits } from '../../src/privacy/filter.js';

/** One sum with this noise in sensitivities, three contributors of which one is a colluder. */
const eventOf = (noise: number): PrivacyEvent =>
  distributedDiscreteGaussianEvent({
    contributors: 3,
    colluders: 1,
    shareVariance: { numerator: String(Math.round((64 * noise) ** 2 / 2)), denominator: '1' },
    sensitivity: 64,
    dimension: 45,
  });
const ORDERS = [8];
const limit = { epsilon: 60, delta: 1e-6, orders: ORDERS };
const budget = { limit, standing: [0n], openToPlans: false };
const epsilonOf = (noise: number) =>
  epsilonOfUnits(limit, planUnits([{ event: eventOf(noise), count: 10 }], ORDERS));

/** A ring that holds no more noise than this. */
const ringTo = (most: number) => (noise: number) =>
  noise > most ? undefined : [{ event: eventOf(noise), count: 10 }];
const smallest = (multiplier: number, most: number, targetEpsilon: number) =>
  previewRun({
    budget,
    plan: [{ event: eventOf(multiplier), count: 10 }],
    noise: { multiplier, plan: ringTo(most) },
    targetEpsilon,
  }).target.noiseMultiplier;

describe('the smallest noise that is enough', () => {
  it('is found up to the end of the ring, wherever the doubling jumps over it', () => {
    const target = epsilonOf(5.5);
    for (const asked of [0.7, 3.1, 3.5, 5, 5.9, 6]) {
      const noise = smallest(asked, 6, target);
      expect(noise, `asked ${asked}`).toBeCloseTo(5.5, 2);
      expect(epsilonOf(noise!)).toBeLessThanOrEqual(target);
    }
  });

  it('is none where the most that the ring holds is not enough', () => {
    expect(smallest(3.5, 6, epsilonOf(6.2))).toBeNull();
    expect(smallest(6, 6, epsilonOf(6.2))).toBeNull();
    // Positive control: a wider ring.
    expect(smallest(3.5, 7, epsilonOf(6.2))).toBeCloseTo(6.2, 2);
  });
});

describe('the sums that what is left covers', () => {
  const [dear, cheap] = [eventOf(2), eventOf(20)];
  const unit = (event: PrivacyEvent) => costUnits(event, ORDERS)[0]!;
  const stepsOf = (standing: bigint, epsilon: number, last = 100) =>
    previewRun({
      budget: { limit: { ...limit, epsilon }, standing: [standing], openToPlans: false },
      plan: [
        { event: dear, count: 4 },
        { event: cheap, count: last },
      ],
    }).remainingSteps;
  const roomFor = (units: bigint) => epsilonOfUnits(limit, [units]);

  it('end in a plan of several events with the first that does not fit, however cheap the next would be', () => {
    expect(unit(cheap)).toBeLessThan(unit(dear) / 10n);
    // Two dear ones fit and half a third: the run would stop there, though cheap ones would still fit.
    expect(stepsOf(0n, roomFor(2n * unit(dear) + unit(dear) / 2n))).toBe(2);
    expect(stepsOf(unit(dear), roomFor(2n * unit(dear) + unit(dear) / 2n))).toBe(1);
    expect(stepsOf(0n, roomFor(4n * unit(dear) + 3n * unit(cheap) + unit(cheap) / 2n))).toBe(7);
  });

  it('go on past the plan where it ends in an event that is repeated, and end with it elsewhere', () => {
    const room = roomFor(5n * unit(dear) + 200n * unit(cheap));
    const rest = Number(unit(dear) / unit(cheap)) + 200;
    expect(Math.abs(stepsOf(0n, room) - (4 + rest))).toBeLessThanOrEqual(1);
    expect(stepsOf(0n, room, 1)).toBe(5);
  });
});
