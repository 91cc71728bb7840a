import type { PrivacyEvent, Rational } from '../events.js';
import { parseRational } from '../rational.js';
import type { PrivacyUnit } from './caveats.js';
import { counted, figure } from './figures.js';

/** What was done, one line a mechanism; what is inside a composition is indented. */
export function describeEvent(event: PrivacyEvent, unit: PrivacyUnit): string[] {
  const nested = (heading: string, inside: PrivacyEvent): string[] => nest(heading, inside, unit);
  switch (event.kind) {
    case 'gaussian':
      return [`Gaussian noise, standard deviation ${figure(event.noiseMultiplier)} × the L2 sensitivity`];
    case 'laplace':
      return [`Laplace noise, scale ${figure(event.noiseMultiplier)} × the L1 sensitivity`];
    case 'discrete-gaussian':
      return [
        `discrete Gaussian noise of one holder on the integer grid, variance ${variance(event.variance)} grid steps²; L2 sensitivity ${figure(event.sensitivity)} grid steps; ${counted(event.dimension, 'coordinate')}`,
      ];
    case 'distributed-discrete-gaussian': {
      const { contributors, colluders, shareVariance, sensitivity, dimension } = event;
      return [
        `a sum of ${counted(contributors, 'contribution')} on the integer grid, each with discrete Gaussian noise of its own, variance ${variance(shareVariance)} grid steps²; L2 sensitivity ${figure(sensitivity)} grid steps, rounding and float error included; ${counted(dimension, 'coordinate')}; the noise of ${counted(Math.max(0, contributors - colluders), 'contributor')} counts, ${colluders.toLocaleString('en-US')} may work with the observer`,
      ];
    }
    case 'randomized-response':
      return [
        `randomised response: with probability ${figure(event.noiseParameter)} the answer is drawn evenly from all ${event.buckets.toLocaleString('en-US')} values, else it is the truth`,
      ];
    case 'local-dp-sgd':
      return [
        `${counted(event.steps, 'step')} of DP-SGD of one participant on its own rows: Gaussian noise, standard deviation ${figure(event.noiseMultiplier)} × the clipping norm, sampling rate ${figure(event.samplingRate)}`,
      ];
    case 'non-private':
      return ['something released without any protection'];
    case 'poisson-sampled':
      return nested(
        `on a Poisson sample, each ${unit} with probability ${figure(event.samplingRate)}:`,
        event.event,
      );
    case 'sampled-without-replacement':
      return nested(
        `on ${counted(event.sampleSize, unit)} drawn without replacement from ${event.populationSize.toLocaleString('en-US')}:`,
        event.event,
      );
    case 'random-allocation':
      return nested(
        `${counted(event.steps, 'step')}, each ${unit} in ${event.selections.toLocaleString('en-US')} of them, drawn evenly; one step:`,
        event.event,
      );
    case 'self-composed':
      return nested(event.count === 1 ? 'once:' : `${counted(event.count, 'time')}:`, event.event);
    case 'composed':
      return listed(event.events.flatMap(flattened), unit, (count) => `${counted(count, 'time')}:`);
    case 'parallel-composed':
      return nestedLines(
        `on disjoint sets of ${unit}s, each ${unit} in one of them:`,
        listed(event.events, unit, (count) => `on each of ${counted(count, 'set')}:`),
      );
  }
}

function nest(heading: string, event: PrivacyEvent, unit: PrivacyUnit): string[] {
  return nestedLines(heading, describeEvent(event, unit));
}

function nestedLines(heading: string, inside: readonly string[]): string[] {
  return inside.length === 1 ? [`${heading} ${inside[0]}`] : [heading, ...indent(inside)];
}

/** Equal mechanisms are said once, with their number. */
function listed(
  events: readonly PrivacyEvent[],
  unit: PrivacyUnit,
  often: (count: number) => string,
): string[] {
  const counts = new Map<string, { readonly event: PrivacyEvent; count: number }>();
  for (const event of events) {
    const key = JSON.stringify(event);
    const seen = counts.get(key);
    if (seen) seen.count += 1;
    else counts.set(key, { event, count: 1 });
  }
  const items = [...counts.values()].map(({ event, count }) => {
    if (count > 1) return nest(often(count), event, unit);
    // Only among disjoint sets is there a composition left: what is done with one of them.
    return event.kind === 'composed' ? nest('together:', event, unit) : describeEvent(event, unit);
  });
  if (items.length === 0) return ['nothing'];
  const [only, ...more] = items as [string[], ...string[][]];
  return more.length === 0 ? only : items.flatMap(([first = '', ...rest]) => [`- ${first}`, ...indent(rest)]);
}

/** A composition inside a composition is the same as its parts. */
function flattened(event: PrivacyEvent): PrivacyEvent[] {
  return event.kind === 'composed' ? event.events.flatMap(flattened) : [event];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** As exact as it is declared. */
function variance(rational: Rational): string {
  const { n, d } = parseRational(rational);
  return d === 1n ? n.toString() : `${n}/${d}`;
}
