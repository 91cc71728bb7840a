import { utf8ToBytes } from '@noble/hashes/utils.js';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import { type Rng, seededRng } from '../../../src/crypto/rng.js';

/** All chance of a schedule, from its seed alone: no clock, no Math.random, so that a seed replays it. */
export class Dice {
  readonly rng: Rng;

  constructor(label: string) {
    this.rng = seededRng(nodePrimitives.sha256(utf8ToBytes(label)));
  }

  /** 0 … bound − 1; the bias of the modulus is of no account here. */
  below(bound: number): number {
    const [a, b, c, d] = this.rng(4) as unknown as [number, number, number, number];
    return ((a | (b << 8) | (c << 16) | (d << 24)) >>> 0) % bound;
  }

  /** least … most. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.below(2 ** 24) < probability * 2 ** 24;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  weighted<T extends { readonly weight: number }>(from: readonly T[]): T {
    let left = (this.below(2 ** 24) / 2 ** 24) * from.reduce((sum, { weight }) => sum + weight, 0);
    return from.find(({ weight }) => (left -= weight) < 0) ?? from[0]!;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let j = shuffled.length - 1; j > 0; j--) {
      const i = this.below(j + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    return shuffled;
  }
}
