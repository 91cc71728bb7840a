import type { PrivacyEvent } from '../events.js';
import type { Neighbouring } from '../relation.js';
import { counted } from './figures.js';

/** What the words of a statement depend on beside its figures. */
export interface StatementSubject {
  readonly kinds: ReadonlySet<PrivacyEvent['kind']>;
  readonly relation: Neighbouring;
  readonly unit: PrivacyUnit;
  /** Colluders that every distributed sum reckons with. */
  readonly colluders: number;
}

/** Whose addition, removal or replacement the events' sensitivities are for. */
export type PrivacyUnit = 'record' | 'participant';

/** Events whose noise is measured against a bound on what one unit contributes. */
const SUMS = [
  'gaussian',
  'laplace',
  'discrete-gaussian',
  'distributed-discrete-gaussian',
  'local-dp-sgd',
] as const satisfies readonly PrivacyEvent['kind'][];

const uses = ({ kinds }: StatementSubject, ...wanted: PrivacyEvent['kind'][]): boolean =>
  wanted.some((kind) => kinds.has(kind));

export function unitAndRelation(subject: StatementSubject): string[] {
  const { relation, unit } = subject;
  const neighbours: Readonly<Record<Neighbouring, string>> = {
    'add-remove': `add or remove. Two data sets are neighbours if one of them has one ${unit} more.`,
    'replace-one': `replace one. Two data sets are neighbours if one ${unit} has been exchanged for another. How many there are is taken to be public.${uses(subject, ...SUMS) ? ' A sum can move twice as far as under add or remove, and is charged for that.' : ''}`,
    'zero-out': `zero out. Two data sets are neighbours if in one of them one ${unit} contributes nothing. How many there are is taken to be public.`,
  };
  return [
    unit === 'record'
      ? 'Unit: one record. For somebody with k records ε can be k times as large, and δ k·e^((k − 1)ε) times as large.'
      : 'Unit: one participant, with all its records. The declared sensitivity has to be that of a whole participant, and where there is sampling, participants are sampled.',
    `Relation: ${neighbours[relation]}`,
  ];
}

/** Amplification by sampling is only as true as the sampling. */
export function sampling(subject: StatementSubject): string[] {
  const { unit, relation } = subject;
  const lines: string[] = [];
  if (uses(subject, 'poisson-sampled', 'local-dp-sgd'))
    lines.push(
      `Poisson: whether a ${unit} is in a step is drawn for each ${unit} and each step independently, with exactly the stated probability. Shuffled data sets and batches of a fixed size are not that: for those the true ε can be many times larger.`,
      'Nobody but whoever draws a sample learns what is in it, or how much; an empty sample is answered with noise like any other.',
    );
  if (uses(subject, 'sampled-without-replacement'))
    lines.push(
      `Without replacement: all sets of the stated size are equally likely, each step draws afresh, and nobody else learns the set. The stated number of all ${unit}s is public${relation === 'add-remove' ? ', and there are never fewer' : ''}.`,
    );
  if (uses(subject, 'random-allocation'))
    lines.push(
      `Random allocation: which steps a ${unit} takes part in is drawn evenly, for each ${unit} independently, and stays secret.`,
    );
  if (lines.length > 0 && unit === 'participant' && uses(subject, 'distributed-discrete-gaussian'))
    lines.push('A participant that is not drawn adds its share of the noise all the same.');
  return lines.length === 0 ? ['No amplification by sampling is claimed.'] : lines;
}

export function composition(subject: StatementSubject): string[] {
  const lines = [
    'The figures are for everything listed above together. A question may depend on earlier results; noise, sampling rates and the number of steps were fixed before the first.',
    'Stopping early is covered. Going on for longer, or with less noise, because of what was seen is not: that needs a filter (docs/privacy.md).',
  ];
  if (uses(subject, 'parallel-composed'))
    lines.push(
      `Disjoint sets: the set to which a ${subject.unit} belongs depends on that ${subject.unit} alone, and none is in two.`,
    );
  return lines;
}

export function observers(subject: StatementSubject): string[] {
  const { colluders } = subject;
  const lines: string[] = [];
  if (uses(subject, 'distributed-discrete-gaussian'))
    lines.push(
      colluders === 0
        ? 'Distributed noise: against everybody who sees the sums and knows nobody’s noise. A contributor knows its own and could subtract it: for protection against one, the event has to reckon with at least 1 colluder.'
        : `Distributed noise: against whoever adds the contributions up, together with up to ${counted(colluders, 'contributor')} who ${colluders === 1 ? 'knows its' : 'know their'} own noise. Against outsiders, who know no noise, ε is smaller.`,
      'Single contributions are never seen in the clear: secure aggregation holds. Were it broken, only a contributor’s own share of the noise would protect its records.',
    );
  if (uses(subject, 'gaussian', 'laplace'))
    lines.push(
      'Central noise: against everybody who sees the results, with any knowledge and any computing power. Not against whoever holds the records, computes the sums or knows the noise.',
    );
  if (uses(subject, 'local-dp-sgd', 'discrete-gaussian'))
    lines.push(
      'Noise of one holder: against everybody but the one that holds the records and adds the noise.',
    );
  if (uses(subject, 'randomized-response'))
    lines.push('Randomised response: against everybody, whoever collects the answers included.');
  return lines.length === 0 ? ['Nothing was released.'] : lines;
}

export function assumptions(subject: StatementSubject): string[] {
  const { unit, colluders } = subject;
  const distributed = uses(subject, 'distributed-discrete-gaussian');
  const lines = [
    distributed
      ? `Every contributor${colluders === 0 ? '' : ` but the ${colluders.toLocaleString('en-US')} that may collude`} adds its share of the noise, as declared. Nothing proves that one did.`
      : 'The noise is added as declared, before anything is seen.',
  ];
  if (uses(subject, ...SUMS))
    lines.push(
      `Sensitivity: whoever holds the records clips what one ${unit} contributes to the declared bound, rounding and float error included. ${distributed ? 'A sum does not show whether a contributor did.' : 'The result does not show whether that was done.'}`,
    );
  if (uses(subject, 'randomized-response'))
    lines.push(`Each ${unit} gives one answer; asking again is another event.`);
  lines.push(
    'Randomness: noise and samples come from a cryptographic generator, are never used twice, and no observer knows them.',
  );
  if (uses(subject, 'gaussian', 'laplace', 'local-dp-sgd'))
    lines.push(
      'Continuous noise is taken to be real numbers. Noise drawn and added in floating point can leak more (Mironov 2012); in practice it has to be drawn on a grid.',
    );
  lines.push(
    'Nothing else about the records was released: bounds, categories, clipping norms, hyper-parameters and the choice among several runs came from public knowledge, or are in the list above.',
  );
  return lines;
}

export function unprotected(subject: StatementSubject): string[] {
  const { unit, relation } = subject;
  const lines = [
    'What is true of a whole population, and can be concluded about somebody who never took part.',
    unit === 'record'
      ? 'People with several records, households, and a participant as such: what it holds, how much, or that it took part.'
      : 'That a participant took part, where its participation is announced.',
  ];
  if (relation !== 'add-remove') lines.push(`How many ${unit}s there are.`);
  lines.push(
    'The same records in other releases: their ε and δ add to these.',
    'Records at rest, logs, timing and traffic: the guarantee is about what was released, not about the machines.',
    uses(subject, 'distributed-discrete-gaussian')
      ? 'Correctness: a contributor can spoil a sum unseen. Quality: small groups can vanish in the noise.'
      : 'Quality: small groups can vanish in the noise.',
  );
  return lines;
}
