import { type Command, Option } from 'commander';
import type { Neighbouring, PrivacyUnit } from '../../privacy/index.js';
import { isJson } from '../connection.js';
import { CliError, EXIT } from '../exits.js';
import { wholeNumber } from './coordinator.js';
import { answered, eventOf } from './privacyEvents.js';
import {
  delta,
  epsilonOrZero,
  MAX_DISTINCT_MECHANISMS,
  MAX_EVENTS_BYTES,
  MAX_POINTS,
  MAX_STEPS,
  type MechanismOptions,
  NOISE,
  positive,
  rate,
  type Target,
  thousands,
  withMechanism,
  withRelation,
  withTarget,
} from './privacyOptions.js';

export function registerPrivacy(program: Command): void {
  const privacy = program
    .command('privacy')
    .description('what noise costs and what a budget buys: ε, δ, noise, steps; needs no coordinator')
    .addHelpText(
      'after',
      `
Examples:
  $ chorale privacy epsilon --noise-multiplier 1 --sampling-rate 0.01 --steps 1000 --delta 1e-5
  $ chorale privacy delta --epsilon 2 --events events.json --relation replace-one
  $ chorale privacy noise --epsilon 3 --delta 1e-5 --sampling-rate 0.01 --steps 1000
  $ chorale privacy explain --events events.json --delta 1e-6

An events file is an event as docs/privacy.md describes them, or an array of them, as JSON:
  {"version":1,"kind":"self-composed","count":1000,"event":{"version":1,"kind":"poisson-sampled",
   "samplingRate":0.01,"event":{"version":1,"kind":"gaussian","noiseMultiplier":1}}}

Bounds: ${thousands(MAX_STEPS)} steps, events files of ${MAX_EVENTS_BYTES / 2 ** 20} MiB with ${MAX_DISTINCT_MECHANISMS} distinct mechanisms, ${thousands(MAX_POINTS)} points of a curve.
The largest of these take half a minute. In JSON, ∞ is the text "Infinity".
Exit codes: 2 the options are wrong; 3 the events file is refused, or no noise, no step or no curve fits.`,
    );

  withMechanism(privacy.command('epsilon'))
    .description('the interval that holds ε, at δ')
    .requiredOption('--delta <number>', 'above 0, below 1', delta)
    .action(async (options: MechanismOptions & { delta: number }, command: Command) => {
      const { epsilonBounds, roundedDown, roundedUp } = await import('../../privacy/index.js');
      const event = await eventOf(options);
      const { epsilon, rdp } = await answered(() => epsilonBounds(event, options));
      printFigures(
        command,
        { epsilon, rdp },
        epsilon.upper === Number.POSITIVE_INFINITY
          ? `ε = ∞: no finite ε is proved at δ = ${options.delta} (${options.relation}).`
          : `ε ≤ ${roundedUp(epsilon.upper)}, and no less than ${roundedDown(epsilon.lower)}, at δ = ${options.delta} (${options.relation}).\nBy Rényi divergences alone: ε ≤ ${rdp === Number.POSITIVE_INFINITY ? '∞' : roundedUp(rdp)}.`,
      );
    });

  withMechanism(privacy.command('delta'))
    .description('the interval that holds δ, at ε')
    .requiredOption('--epsilon <number>', '0 or more', epsilonOrZero)
    .action(async (options: MechanismOptions & { epsilon: number }, command: Command) => {
      const { deltaBounds, roundedDown, roundedUp } = await import('../../privacy/index.js');
      const event = await eventOf(options);
      const { delta, rdp } = await answered(() => deltaBounds(event, options));
      const { epsilon, relation } = options;
      printFigures(
        command,
        { delta, rdp },
        `δ ≤ ${roundedUp(delta.upper)}, and no less than ${roundedDown(delta.lower)}, at ε = ${epsilon} (${relation}).\nBy Rényi divergences alone: δ ≤ ${roundedUp(rdp)}.`,
      );
    });

  withRelation(withTarget(privacy.command('noise')))
    .description('the least noise multiplier with which so many steps fit ε at δ')
    .option('--sampling-rate <number>', 'Poisson sampling rate of a step', rate, 1)
    .option('--steps <number>', 'steps that shall fit', wholeNumber(1, MAX_STEPS), 1)
    .action(
      async (
        options: Target & { samplingRate: number; steps: number; relation: Neighbouring },
        command: Command,
      ) => {
        const { noiseFor } = await import('../../privacy/index.js');
        const noiseMultiplier = await answered(() => noiseFor(options));
        printFigures(
          command,
          { noiseMultiplier },
          `Noise multiplier ${noiseMultiplier}: ${thousands(options.steps)} steps at sampling rate ${options.samplingRate} then cost ε ≤ ${options.epsilon} at δ = ${options.delta} (${options.relation}).`,
        );
      },
    );

  withRelation(withTarget(privacy.command('steps')))
    .description('the most steps of some noise that fit ε at δ')
    .requiredOption('--noise-multiplier <number>', NOISE, positive)
    .option('--sampling-rate <number>', 'Poisson sampling rate of a step', rate, 1)
    .action(
      async (
        options: Target & { noiseMultiplier: number; samplingRate: number; relation: Neighbouring },
        command: Command,
      ) => {
        const { stepsFor } = await import('../../privacy/index.js');
        const steps = await answered(() => stepsFor(options));
        const { epsilon, delta, noiseMultiplier, samplingRate, relation } = options;
        const target = `ε ≤ ${epsilon} at δ = ${delta} (${relation})`;
        if (steps === 0)
          throw new CliError(
            `Not even one step with noise multiplier ${noiseMultiplier} fits ${target}: raise ε, δ or the noise, or sample less.`,
            EXIT.refused,
            'NoStepFits',
          );
        printFigures(
          command,
          { steps },
          `${thousands(steps)} steps with noise multiplier ${noiseMultiplier} at sampling rate ${samplingRate} cost ${target}.`,
        );
      },
    );

  withMechanism(privacy.command('curve'))
    .description('δ over ε, as CSV; with --json a JSON object a line')
    .option('--points <number>', 'values of ε', wholeNumber(2, MAX_POINTS), 50)
    .action(async (options: MechanismOptions & { points: number }, command: Command) => {
      const { privacyCurve } = await import('../../privacy/index.js');
      const event = await eventOf(options);
      const curve = await answered(() => privacyCurve(event, options));
      if (curve.length === 0)
        throw new CliError(
          'There is no curve: no finite ε is proved for what was done.',
          EXIT.refused,
          'NoCurve',
        );
      if (isJson(command)) for (const point of curve) console.log(figuresJson({ ...point }));
      else {
        console.log('epsilon,deltaLower,deltaUpper');
        for (const { epsilon, deltaLower, deltaUpper } of curve)
          console.log(`${epsilon},${deltaLower},${deltaUpper}`);
      }
    });

  withMechanism(privacy.command('explain'))
    .description('the statement in prose, to be pasted: unit, noise, assumptions, ε, what is not protected')
    .requiredOption('--delta <number>', 'above 0, below 1', delta)
    .addOption(
      new Option('--unit <unit>', 'whose contribution the sensitivities bound')
        .choices(['record', 'participant'])
        .default('record'),
    )
    .action(async (options: MechanismOptions & { delta: number; unit: PrivacyUnit }, command: Command) => {
      const { statement, statementText } = await import('../../privacy/index.js');
      const event = await eventOf(options);
      const said = await answered(() => statement(event, options));
      const { epsilon, rdp } = said;
      const { delta, relation, unit } = options;
      printFigures(
        command,
        { epsilon, rdp, delta, relation, unit, event, statement: statementText(said) },
        statementText(said),
      );
    });
}

/** JSON has no Infinity, and null would pass for a small number in a comparison. */
function figuresJson(figures: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(figures, (_, value: unknown) =>
    value === Number.POSITIVE_INFINITY ? 'Infinity' : value,
  );
}

function printFigures(command: Command, figures: Readonly<Record<string, unknown>>, text: string): void {
  console.log(isJson(command) ? figuresJson(figures) : text);
}
