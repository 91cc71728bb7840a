import type { Row } from '../synthesis/synthesizer.js';
import type { TableSchema } from '../synthesis/table/schema.js';
import { associationMatrix } from './association.js';
import { type ColumnCells, columnCells } from './cells.js';
import { EvaluationError } from './errors.js';
import { columnDistances, type Fidelity, fidelity, type PairDistance, pairDistances } from './fidelity.js';
import { JointCounts, type Rows } from './jointCounts.js';
import { independentColumns } from './yardsticks.js';

export interface EvaluationRequest {
  readonly schema: TableSchema;
  /** The rows that the generator learnt from. */
  readonly real: Rows;
  /** Real rows of the same origin that the generator never met. */
  readonly holdOut: Rows;
  readonly synthetic: Rows;
  /** Of the sampled yardstick; any length. */
  readonly seed: Uint8Array;
}

export interface ColumnEvaluation {
  readonly name: string;
  readonly title: string;
  readonly kind: ColumnCells['kind'];
  readonly labels: readonly string[];
  /** Shares by cell, adding up to 1. */
  readonly real: readonly number[];
  readonly synthetic: readonly number[];
  readonly totalVariation: number;
}

/** JSON. Computed from real rows without noise: publishing it is a release of its own (hazard D7). */
export interface Evaluation {
  readonly version: 1;
  readonly rows: { readonly real: number; readonly holdOut: number; readonly synthetic: number };
  readonly columns: readonly ColumnEvaluation[];
  /** Every pair of columns, worst first. */
  readonly pairs: readonly PairDistance[];
  /** Bias-corrected Cramér's V, columns × columns. */
  readonly association: { readonly real: readonly number[][]; readonly synthetic: readonly number[][] };
  /** The whole synthetic table, and as many rows of independent columns. */
  readonly fidelity: { readonly synthetic: Fidelity; readonly independentColumns: Fidelity };
  /**
   * Three tables of the same size, that of the hold-out: a small table is further away by sampling error alone, so
   * only equal sizes can be compared. `synthetic` is the first rows of the synthetic table.
   */
  readonly yardsticks: {
    readonly rows: number;
    readonly synthetic: Fidelity;
    readonly independentColumns: Fidelity;
    readonly realHoldOut: Fidelity;
  };
  /** Synthetic rows with a value that the schema does not allow, and where. Should be 0. */
  readonly validity: {
    readonly invalidRows: number;
    readonly invalidValues: Readonly<Record<string, number>>;
  };
  /**
   * Share of rows that equal a row the generator learnt from, beside the same share of the hold-out. A smoke test:
   * it can show copying, and its absence shows no privacy (hazard D8).
   */
  readonly exactCopies: { readonly synthetic: number; readonly holdOut: number };
}

/** One pass over each table; memory grows with the cells of the schema and one short key per real row. */
export async function evaluate(request: EvaluationRequest): Promise<Evaluation> {
  const columns = columnCells(request.schema);
  const key = (row: Row): string => JSON.stringify(columns.map(({ name }) => row[name] ?? null));

  const real = new JointCounts(columns);
  const known = new Set<string>();
  for await (const row of request.real) if (real.add(row)) known.add(key(row));
  const holdOut = new JointCounts(columns);
  let holdOutCopies = 0;
  for await (const row of request.holdOut) if (holdOut.add(row) && known.has(key(row))) holdOutCopies++;
  refuseInvalid(real, 'real');
  refuseInvalid(holdOut, 'hold-out');

  const synthetic = new JointCounts(columns);
  const prefix = new JointCounts(columns);
  let copies = 0;
  for await (const row of request.synthetic) {
    if (prefix.rows < holdOut.rows) prefix.add(row);
    if (synthetic.add(row) && known.has(key(row))) copies++;
  }

  const distances = columnDistances(real, synthetic);
  return {
    version: 1,
    rows: { real: real.rows, holdOut: holdOut.rows, synthetic: synthetic.rows + synthetic.invalidRows },
    columns: columns.map(({ name, title, kind, labels }, i) => ({
      name,
      title,
      kind,
      labels,
      real: [...real.marginal(i)],
      synthetic: [...synthetic.marginal(i)],
      totalVariation: distances[i]!,
    })),
    pairs: pairDistances(real, synthetic),
    association: { real: associationMatrix(real), synthetic: associationMatrix(synthetic) },
    fidelity: {
      synthetic: fidelity(real, synthetic),
      independentColumns: fidelity(real, independentColumns(real, synthetic.rows, request.seed)),
    },
    yardsticks: {
      rows: holdOut.rows,
      synthetic: fidelity(real, prefix),
      independentColumns: fidelity(real, independentColumns(real, holdOut.rows, request.seed)),
      realHoldOut: fidelity(real, holdOut),
    },
    validity: { invalidRows: synthetic.invalidRows, invalidValues: invalidByColumn(synthetic) },
    exactCopies: { synthetic: copies / synthetic.rows, holdOut: holdOutCopies / holdOut.rows },
  };
}

function invalidByColumn(counts: JointCounts): Record<string, number> {
  const named = counts.columns.map(({ name }, i) => [name, counts.invalidValues[i]!] as const);
  return Object.fromEntries(named.filter(([, count]) => count > 0));
}

function refuseInvalid(counts: JointCounts, table: string): void {
  if (counts.invalidRows === 0) return;
  const where = Object.keys(invalidByColumn(counts)).join(', ');
  throw new EvaluationError(
    'RealRowOutsideSchema',
    `${counts.invalidRows} rows of the ${table} table have values outside the schema (in: ${where}). ` +
      'Validate them before the evaluation, or widen the public bounds and categories.',
  );
}
