import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { isConditional } from './conditions.js';
import { InvalidCondition } from './errors.js';
import { type AnySynthesizer, synthesizerKinds, synthesizerOf } from './index.js';
import type { CompletionRequest, Row, SampleRequest, SynthesisContext } from './synthesizer.js';

/** A release and what is needed to draw from it: all of it public. */
export interface Published {
  readonly context: SynthesisContext;
  /** The synthesizer's kind. */
  readonly kind: string;
  /** As the run was planned with. */
  readonly options: unknown;
  readonly release: Uint8Array;
}

/** Any text is a seed: a row's randomness is derived from all of it, at a coordinator and from a release file alike. */
export function seedOf(text: string): Uint8Array {
  return sha256(utf8ToBytes(`chorale/1 sample\0${text}`));
}

/**
 * Rows of a release. A kind that cannot hold a condition exactly is not asked to.
 * @throws InvalidOptions, InvalidCondition, here or with the first row
 */
export function sampleRows(published: Published, request: SampleRequest): AsyncIterable<Row> {
  const { context, kind, options, release } = published;
  const synthesizer = synthesizerOf(kind);
  if (isConditional(request) && synthesizer.conditional !== true)
    throw unsupported(kind, 'where and balance', ({ conditional }) => conditional === true);
  return synthesizer.sample(context, synthesizer.parseOptions(options), release, request);
}

/** Given rows completed. @throws as `sampleRows` */
export function completeRows(published: Published, request: CompletionRequest): AsyncIterable<Row> {
  const { context, kind, options, release } = published;
  const synthesizer = synthesizerOf(kind);
  if (synthesizer.complete === undefined)
    throw unsupported(kind, 'given columns', ({ complete }) => complete !== undefined);
  return synthesizer.complete(context, synthesizer.parseOptions(options), release, request);
}

function unsupported(
  kind: string,
  what: string,
  can: (synthesizer: AnySynthesizer) => boolean,
): InvalidCondition {
  const others = synthesizerKinds.filter((other) => can(synthesizerOf(other))).join(', ');
  return new InvalidCondition(
    'unsupported',
    undefined,
    `${kind} cannot hold ${what} exactly; sample all rows, or from a run of: ${others}`,
  );
}
