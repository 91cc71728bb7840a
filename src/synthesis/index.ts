import { BOOTSTRAP, NEVER_FEDERATED } from './bootstrap/bootstrap.js';
import { copulaSynthesizer } from './copula/copula.js';
import { InvalidOptions } from './errors.js';
import { ganSynthesizer } from './gan/gan.js';
import { independentSynthesizer } from './independent/independent.js';
import { marginalsSynthesizer } from './marginals/marginals.js';
import { QUALITY, qualitySynthesizer } from './quality/quality.js';
import type { Synthesizer } from './synthesizer.js';
import { vaeSynthesizer } from './vae/vae.js';

/** Options and state are opaque to whoever runs a synthesizer by its kind: they come from it and go back to it. */
export type AnySynthesizer = Synthesizer<unknown, unknown>;

const synthesizers: ReadonlyMap<string, AnySynthesizer> = new Map(
  [ganSynthesizer, marginalsSynthesizer, vaeSynthesizer, copulaSynthesizer, independentSynthesizer].map(
    (synthesizer) => [synthesizer.kind, synthesizer as unknown as AnySynthesizer],
  ),
);

/** Those that make tables. */
export const synthesizerKinds: readonly string[] = [...synthesizers.keys()];

/**
 * A kind of run: one that makes a table, or `quality`, which measures one. @throws InvalidOptions naming the kinds that there are.
 */
export function synthesizerOf(kind: string): AnySynthesizer {
  if (kind === BOOTSTRAP) throw new InvalidOptions('kind', NEVER_FEDERATED);
  const synthesizer =
    kind === QUALITY ? (qualitySynthesizer as unknown as AnySynthesizer) : synthesizers.get(kind);
  if (synthesizer === undefined)
    throw new InvalidOptions(
      'kind',
      `there is no synthesizer "${kind}"; there are: ${synthesizerKinds.join(', ')}`,
    );
  return synthesizer;
}

export { bootstrapRows } from './bootstrap/bootstrap.js';
export {
  type EngineName,
  type EnginePreference,
  EngineUnavailable,
  type LearningEngine,
  startEngine,
} from './engine.js';
export { InvalidOptions, InvalidRecords, InvalidTableSchema, MalformedBytes } from './errors.js';
export { QUALITY } from './quality/quality.js';
export { decodeReport, type QualityReport } from './quality/report.js';
export type * from './synthesizer.js';
export {
  describeConstraint,
  enforced,
  type TableConstraint,
  violations,
} from './table/constraints.js';
export { type CsvOptions, type MovedCounts, readCsv } from './table/csv.js';
export { type CsvFindings, checkCsv } from './table/csvCheck.js';
export type { RecordSource } from './table/records.js';
export { parseTableSchema, type TableSchema } from './table/schema.js';
export { unconfirmedFields, withoutMarks } from './table/unconfirmed.js';
