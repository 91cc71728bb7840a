import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Neighbouring } from '../../privacy/index.js';
import { wholeNumber } from './coordinator.js';

/** Together they keep every command below a minute of one core, nearly all within a second; each refusal names its bound. */
export const MAX_STEPS = 10_000_000;
export const MAX_DISTINCT_MECHANISMS = 64;
export const MAX_EVENTS_BYTES = 4 * 2 ** 20;
export const MAX_POINTS = 1000;

export interface MechanismOptions {
  readonly noiseMultiplier?: number;
  readonly samplingRate: number;
  readonly steps: number;
  readonly events?: string;
  readonly relation: Neighbouring;
}

export interface Target {
  readonly epsilon: number;
  readonly delta: number;
}

export const NOISE = 'standard deviation of the Gaussian noise / L2 sensitivity';

export function withRelation(command: Command): Command {
  return command.addOption(
    new Option('--relation <relation>', 'which data sets are neighbours')
      .choices(['add-remove', 'replace-one', 'zero-out'])
      .default('add-remove'),
  );
}

export function withTarget(command: Command): Command {
  return command
    .requiredOption('--epsilon <number>', 'above 0', positive)
    .requiredOption('--delta <number>', 'above 0, below 1', delta);
}

export function withMechanism(command: Command): Command {
  return withRelation(
    command
      .option('--noise-multiplier <number>', NOISE, positive)
      .option('--sampling-rate <number>', 'Poisson sampling rate of a step', rate, 1)
      .option('--steps <number>', 'how often', wholeNumber(1, MAX_STEPS), 1)
      .addOption(
        new Option('--events <file>', 'what was done, as JSON; - for standard input').conflicts([
          'noiseMultiplier',
          'samplingRate',
          'steps',
        ]),
      ),
  );
}

function number(text: string): number {
  // Number('') is 0, and hexadecimal is for nobody here.
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}

function numberThat(holds: (value: number) => boolean, wanted: string): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (!holds(value)) throw new InvalidArgumentError(`${wanted} is wanted.`);
    return value;
  };
}

export function delta(text: string): number {
  return numberThat((value) => value > 0 && value < 1, 'a number above 0 and below 1')(text);
}

export function rate(text: string): number {
  return numberThat((value) => value > 0 && value <= 1, 'a number above 0, at most 1')(text);
}

export function positive(text: string): number {
  return numberThat((value) => value > 0 && value < Number.POSITIVE_INFINITY, 'a number above 0')(text);
}

export function epsilonOrZero(text: string): number {
  return numberThat((value) => value >= 0 && value < Number.POSITIVE_INFINITY, 'a number, 0 or more,')(text);
}

export function thousands(value: number): string {
  return value.toLocaleString('en-US');
}
