import { InvalidOptions } from './errors.js';
import { ganSynthesizer } from './gan/gan.js';
import { marginalsSynthesizer } from './marginals/marginals.js';
import type { Synthesizer } from './synthesizer.js';

/** Options and state are opaque to whoever runs a synthesizer by its kind: they come from it and go back to it. */
export type AnySynthesizer = Synthesizer<unknown, unknown>;

const synthesizers: ReadonlyMap<string, AnySynthesizer> = new Map(
  [ganSynthesizer, marginalsSynthesizer].map((synthesizer) => [
    synthesizer.kind,
    synthesizer as unknown as AnySynthesizer,
  ]),
);

export const synthesizerKinds: readonly string[] = [...synthesizers.keys()];

/** @throws InvalidOptions naming the kinds that there are. */
export function synthesizerOf(kind: string): AnySynthesizer {
  const synthesizer = synthesizers.get(kind);
  if (synthesizer === undefined)
    throw new InvalidOptions(
      'kind',
      `there is no synthesizer "${kind}"; there are: ${synthesizerKinds.join(', ')}`,
    );
  return synthesizer;
}

export {
  type EngineName,
  type EnginePreference,
  EngineUnavailable,
  type LearningEngine,
  startEngine,
} from './engine.js';
export { InvalidOptions, InvalidRecords, InvalidTableSchema, MalformedBytes } from './errors.js';
export type * from './synthesizer.js';
export { type CsvOptions, readCsv } from './table/csv.js';
export type { RecordSource } from './table/records.js';
export { parseTableSchema, type TableSchema } from './table/schema.js';
