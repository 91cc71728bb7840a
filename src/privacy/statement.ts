import { type EpsilonBounds, epsilonBounds } from './epsilonBounds.js';
import { PrivacyError } from './errors.js';
import { type PrivacyEvent, parseEvent } from './events.js';
import { eventsWithin } from './eventTree.js';
import type { Neighbouring } from './relation.js';
import {
  assumptions,
  composition,
  observers,
  type PrivacyUnit,
  type StatementSubject,
  sampling,
  unitAndRelation,
  unprotected,
} from './statement/caveats.js';
import { describeEvent } from './statement/description.js';
import { figure, roundedDown, roundedUp } from './statement/figures.js';
import { unproved } from './statement/unproved.js';

export interface StatementRequest {
  readonly delta: number;
  readonly relation?: Neighbouring;
  readonly unit?: PrivacyUnit;
}

export interface StatementSection {
  readonly heading: string;
  /** One thought a line; indented lines belong to the one above. */
  readonly lines: readonly string[];
}

/** What may be said of a composition of events: the figures, and the words that must stand beside them. */
export interface PrivacyStatement extends EpsilonBounds {
  readonly sections: readonly StatementSection[];
}

/**
 * The statement about `event` that a compliance officer can paste: plain text, sections with a heading. Throws
 * `event-malformed` for what is no event, `argument-invalid` for a δ outside (0, 1) or a unit that the event cannot have.
 */
export function explain(event: PrivacyEvent, request: StatementRequest): string {
  return statementText(statement(event, request));
}

export function statementText({ sections }: PrivacyStatement): string {
  return sections
    .map(({ heading, lines }) => [heading, ...lines.map((line) => `  ${line}`)].join('\n'))
    .join('\n\n');
}

/** As `explain`, in parts. Where no finite ε is proved there are no promises whose assumptions could be listed. */
export function statement(event: PrivacyEvent, request: StatementRequest): PrivacyStatement {
  const { delta, relation = 'add-remove', unit = 'record' } = request;
  const parsed = parseEvent(event);
  const subject = subjectOf(parsed, relation, unit);
  checkUnit(subject);
  const bounds = epsilonBounds(parsed, { delta, relation });
  const whatAndWhose: readonly StatementSection[] = [
    { heading: 'Unit and neighbouring relation', lines: unitAndRelation(subject) },
    { heading: 'Mechanisms and noise', lines: describeEvent(parsed, unit) },
  ];
  if (bounds.epsilon.upper === Number.POSITIVE_INFINITY)
    return {
      ...bounds,
      sections: [
        {
          heading: 'No guarantee',
          lines: [
            `No differential privacy is claimed: no finite ε is proved at δ = ${figure(delta)} for what was done.`,
            ...unproved(parsed, relation, delta),
          ],
        },
        ...whatAndWhose,
      ],
    };
  return {
    ...bounds,
    sections: [
      { heading: 'Guarantee', lines: guarantee(bounds, delta, subject) },
      ...whatAndWhose,
      { heading: 'Sampling', lines: sampling(subject) },
      { heading: 'Composition', lines: composition(subject) },
      { heading: 'Against whom', lines: observers(subject) },
      { heading: 'Assumptions', lines: assumptions(subject) },
      { heading: 'What is not protected', lines: unprotected(subject) },
      { heading: 'How it was computed', lines: method(bounds) },
    ],
  };
}

function subjectOf(event: PrivacyEvent, relation: Neighbouring, unit: PrivacyUnit): StatementSubject {
  const within = eventsWithin(event);
  const colluders = within.flatMap((one) =>
    one.kind === 'distributed-discrete-gaussian' ? [one.colluders] : [],
  );
  return {
    kinds: new Set(within.map(({ kind }) => kind)),
    relation,
    unit,
    // Against more than the fewest one of the sums is not covered.
    colluders: colluders.length === 0 ? 0 : colluders.reduce((a, b) => Math.min(a, b)),
  };
}

/** A participant is not a record: what the events say about records would be claimed of more than it is true of. */
function checkUnit({ kinds, relation, unit }: StatementSubject): void {
  if (unit === 'record') return;
  if (kinds.has('local-dp-sgd'))
    throw new PrivacyError(
      'argument-invalid',
      'local DP-SGD samples and clips single records: take the unit "record"',
    );
  // Whoever is not there adds no share of the noise either, and the sum has another law than the event says.
  if (relation === 'add-remove' && kinds.has('distributed-discrete-gaussian'))
    throw new PrivacyError(
      'argument-invalid',
      'a participant that leaves a distributed sum takes its noise along: for the unit "participant" take the relation "zero-out" or "replace-one"',
    );
}

/** From here on e^ε is a number that says nothing to anybody. */
const LARGE_EPSILON = 10;

function guarantee(
  { epsilon }: EpsilonBounds,
  delta: number,
  { unit, relation }: StatementSubject,
): string[] {
  const { lower, upper } = epsilon;
  return [
    `(ε, δ)-differential privacy with ε ≤ ${roundedUp(upper)} at δ = ${figure(delta)}. ${
      lower === 0 && upper > 0
        ? 'No lower end was computed: how much smaller the least such ε is, is open.'
        : `The lower end of the same computation is ${roundedDown(lower)}: tighter accounting of the same noise could not get below that.`
    }`,
    upper > LARGE_EPSILON
      ? `An ε above ${LARGE_EPSILON} bounds next to nothing for somebody who knows all but one ${unit}. Without a further argument the results should not be called private.`
      : `Whatever conclusion is drawn from the results: ${relation === 'replace-one' ? `with any one ${unit} and with another in its place` : `with and without any one ${unit}`}, its probabilities differ by a factor of at most e^ε ≤ ${roundedUp(Math.exp(upper) * (1 + 2 ** -50))}, and beyond that by at most ${figure(delta)}.`,
    `What happens with a probability of δ or less, ε does not bound: δ should be far below one over the number of ${unit}s.`,
  ];
}

function method({ epsilon, rdp }: EpsilonBounds): string[] {
  const lines =
    rdp === epsilon.upper && epsilon.upper > 0
      ? [
          'The upper end is by Rényi divergences, rounded up; privacy loss distributions gave none that is smaller.',
        ]
      : [
          'By privacy loss distributions, rounded towards more loss for the upper end and towards less for the lower; several are composed by Fourier transforms, and float errors are added.',
          ...(rdp < Number.POSITIVE_INFINITY
            ? [`A second accountant, by Rényi divergences, gives ε ≤ ${roundedUp(rdp)}.`]
            : []),
        ];
  return [...lines, 'Theorems, sources and tests: docs/privacy.md of Chorale, library chorale/privacy.'];
}
