import { seededRng } from '../synthesis/randomness.js';
import type { TableSchema } from '../synthesis/table/schema.js';
import { associationBetween } from './association.js';
import { type AttributeInference, attributeInference } from './attacks/attributes.js';
import { type PrivacyCeiling, privacyCeiling } from './attacks/ceiling.js';
import { type Closeness, closeness } from './attacks/closeness.js';
import { type CopyShares, exactCopies } from './attacks/copies.js';
import { type Membership, membership } from './attacks/membership.js';
import { gowerSpace } from './attacks/nearest.js';
import { type CodedTable, readCoded } from './codedTable.js';
import { type Discriminator, discriminator, type PropensityError, propensityError } from './discriminator.js';
import { EvaluationError } from './errors.js';
import type { ColumnEvaluation } from './evaluate.js';
import { type FidelityScores, fidelityScores } from './fidelityScores.js';
import { type GroupScores, groupScores } from './groups.js';
import type { Rows } from './jointCounts.js';
import { labelTask } from './labelTask.js';
import { cellsOfTable, type MeasuringCells, measuringCells } from './measuringCells.js';
import { type PrincipalPlane, principalPlane } from './principalComponents.js';
import { type Supports, supports } from './supports.js';
import { type CellColumns, jointShares } from './tupleDistances.js';
import { type Utility, utility } from './utility.js';
import { type Verdict, verdicts } from './verdict.js';

export interface AssessmentRequest {
  readonly schema: TableSchema;
  /** The rows that the generator learnt from. */
  readonly train: Rows;
  /** Real rows of the same origin that the generator never met: all tests on real rows are made with these. */
  readonly real: Rows;
  readonly synthetic: Rows;
  /** The column to predict; the schema's `chorale:label` if left out, and no utility where there is neither. */
  readonly label?: string;
  /** Columns whose groups are compared, beside the schema's `chorale:protected`. */
  readonly protectedColumns?: readonly string[];
  /** What the generator claims; for the ceiling of membership inference. */
  readonly privacy?: { readonly epsilon: number; readonly delta: number };
  /** Of all samples; any length. Equal tables and seed, equal assessment. */
  readonly seed: Uint8Array;
}

/** JSON. Computed from real rows without noise: showing it to somebody is a release of its own (hazard D7). */
export interface Assessment {
  readonly version: 1;
  readonly rows: { readonly train: number; readonly real: number; readonly synthetic: number };
  readonly verdicts: readonly Verdict[];
  readonly validity: {
    /** Synthetic rows with a value outside the schema; they are in no other figure. */
    readonly invalidRows: number;
    readonly invalidValues: Readonly<Record<string, number>>;
    readonly violatingRows: number;
    readonly constraints: readonly {
      readonly constraint: string;
      readonly synthetic: number;
      readonly real: number;
    }[];
  };
  readonly fidelity: FidelityScores;
  /** Worst first. */
  readonly columns: readonly ColumnEvaluation[];
  readonly supports: Supports;
  /** Bias-corrected Cramér's V between the ASSOCIATION_COLUMNS columns that are reproduced worst, in the schema's order. */
  readonly association: {
    readonly columns: readonly string[];
    readonly real: readonly (readonly number[])[];
    readonly synthetic: readonly (readonly number[])[];
    readonly error: number;
  };
  readonly plane: PrincipalPlane;
  readonly utility?: Utility;
  readonly discriminator: Discriminator;
  readonly propensity?: PropensityError;
  readonly groups: readonly GroupScores[];
  readonly attacks: {
    readonly copies: CopyShares;
    readonly closeness: Closeness;
    readonly membership: Membership;
    readonly attributes: readonly AttributeInference[];
    readonly ceiling?: PrivacyCeiling;
  };
}

/** Beyond that a heat map cannot be read. */
const ASSOCIATION_COLUMNS = 40;
/** The label and protected columns whose values are guessed. */
const MAX_SECRETS = 3;
/** Fewer rows on a side say nothing about most of these figures. */
export const FEWEST_TABLE_ROWS = 100;

/**
 * Everything that can be said about a synthetic table by whoever holds real rows. Memory is eight bytes a value; the time is that of the
 * boosted trees and of some 2·10⁸ row comparisons for the attacks. Throws EvaluationError.
 */
export async function assess(request: AssessmentRequest): Promise<Assessment> {
  const { schema, seed } = request;
  const label = columnNamed(schema, request.label ?? schema.fields.find((field) => field.label)?.name);
  const flagged = schema.fields.filter((field) => field.protected).map(({ name }) => name);
  const groupColumns = [...new Set([...flagged, ...(request.protectedColumns ?? [])])].map(
    (name) => columnNamed(schema, name)!,
  );
  const tables = {
    train: await readCoded(schema, request.train),
    holdOut: await readCoded(schema, request.real),
    synthetic: await readCoded(schema, request.synthetic),
  };
  refuseInvalid(schema, tables.train, 'training');
  refuseInvalid(schema, tables.holdOut, 'real');
  refuseSmall(tables);

  const cells = measuringCells(schema, tables.train);
  const coded = {
    train: cellsOfTable(cells, tables.train),
    holdOut: cellsOfTable(cells, tables.holdOut),
    synthetic: cellsOfTable(cells, tables.synthetic),
  };
  const columns = columnEvaluations(cells, coded);
  const task = label === undefined ? undefined : labelTask(schema, tables.train, schema.fields[label]!.name);
  const predicted = task === undefined ? undefined : utility(schema, task, tables, seed);
  const propensity = propensityError(cells, coded.train, coded.synthetic);
  const rng = seededRng(seed, 'groups');
  const tested = task && predicted && { task, test: predicted.test };
  const attacksRng = seededRng(seed, 'attacks');
  const space = gowerSpace(schema, tables.train);
  const secrets = [...new Set([...(label === undefined ? [] : [label]), ...groupColumns])].slice(
    0,
    MAX_SECRETS,
  );
  const figures = {
    version: 1 as const,
    rows: {
      train: tables.train.rows,
      real: tables.holdOut.rows,
      synthetic: tables.synthetic.rows + tables.synthetic.invalidRows,
    },
    validity: {
      invalidRows: tables.synthetic.invalidRows,
      invalidValues: invalidByColumn(schema, tables.synthetic),
      violatingRows: tables.synthetic.violatingRows,
      constraints: tables.synthetic.violations.map(({ constraint, rows }, i) => ({
        constraint,
        synthetic: rows,
        real: tables.train.violations[i]!.rows + tables.holdOut.violations[i]!.rows,
      })),
    },
    fidelity: fidelityScores(cells, coded, seed),
    columns: [...columns].sort((a, b) => b.totalVariation - a.totalVariation),
    supports: supports(cells, coded, tables, seed),
    association: associations(cells, coded, columns),
    plane: principalPlane(
      coded.train,
      coded.synthetic,
      cells.map(({ labels }) => labels.length),
      seed,
    ),
    ...(predicted === undefined ? {} : { utility: predicted.utility }),
    discriminator: discriminator(schema, tables.holdOut, tables.synthetic, seed),
    ...(propensity === undefined ? {} : { propensity }),
    groups: groupColumns.map((column) =>
      groupScores(cells, column, coded, column === label ? undefined : tested, rng),
    ),
    attacks: {
      copies: exactCopies(tables.train, tables.holdOut, tables.synthetic),
      closeness: closeness(space, tables, attacksRng),
      membership: membership(schema, space, tables, attacksRng),
      attributes: secrets.map((column) => attributeInference(schema, cells, column, tables, attacksRng)),
      ...(request.privacy && { ceiling: privacyCeiling(request.privacy.epsilon, request.privacy.delta) }),
    },
  };
  return { ...figures, verdicts: verdicts(figures) };
}

function columnEvaluations(
  cells: readonly MeasuringCells[],
  { train, synthetic }: { readonly train: CellColumns; readonly synthetic: CellColumns },
): ColumnEvaluation[] {
  const sizes = cells.map(({ labels }) => labels.length);
  return cells.map(({ name, title, kind, labels }, i) => {
    const [real, made] = [jointShares(train, sizes, [i]), jointShares(synthetic, sizes, [i])];
    const totalVariation = real.reduce((sum, share, cell) => sum + Math.abs(share - made[cell]!), 0) / 2;
    return { name, title, kind, labels, real: [...real], synthetic: [...made], totalVariation };
  });
}

function associations(
  cells: readonly MeasuringCells[],
  { train, synthetic }: { readonly train: CellColumns; readonly synthetic: CellColumns },
  columns: readonly ColumnEvaluation[],
): Assessment['association'] {
  const shown = [...columns.keys()]
    .sort((a, b) => columns[b]!.totalVariation - columns[a]!.totalVariation)
    .slice(0, ASSOCIATION_COLUMNS)
    .sort((a, b) => a - b);
  const sizes = cells.map(({ labels }) => labels.length);
  const matrix = (table: CellColumns): number[][] =>
    associationBetween(
      shown.map((i) => sizes[i]!),
      (a, b) => jointShares(table, sizes, [shown[a]!, shown[b]!]),
      table[0]!.length,
    );
  const [real, made] = [matrix(train), matrix(synthetic)];
  const differences = real.flatMap((row, i) =>
    row.slice(i + 1).map((v, j) => Math.abs(v - made[i]![i + 1 + j]!)),
  );
  const error = differences.reduce((sum, difference) => sum + difference, 0) / (differences.length || 1);
  return { columns: shown.map((i) => cells[i]!.name), real, synthetic: made, error };
}

function columnNamed(schema: TableSchema, name: string): number;
function columnNamed(schema: TableSchema, name: string | undefined): number | undefined;
function columnNamed(schema: TableSchema, name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  const column = schema.fields.findIndex((field) => field.name === name);
  if (column >= 0) return column;
  const names = schema.fields.map((field) => field.name).join(', ');
  throw new EvaluationError(
    'UnknownColumn',
    `there is no column "${name}" in the schema; there are: ${names}`,
  );
}

function refuseSmall(tables: Readonly<Record<'train' | 'holdOut' | 'synthetic', CodedTable>>): void {
  for (const [name, { rows }] of Object.entries(tables))
    if (rows < FEWEST_TABLE_ROWS)
      throw new EvaluationError(
        'EmptyTable',
        `the ${name === 'holdOut' ? 'real' : name} table has ${rows} valid rows; at least ${FEWEST_TABLE_ROWS} are needed`,
      );
}

function invalidByColumn(schema: TableSchema, table: CodedTable): Record<string, number> {
  const named = schema.fields.map(({ name }, i) => [name, table.invalidValues[i]!] as const);
  return Object.fromEntries(named.filter(([, count]) => count > 0));
}

function refuseInvalid(schema: TableSchema, table: CodedTable, name: string): void {
  if (table.invalidRows === 0) return;
  const where = Object.keys(invalidByColumn(schema, table)).join(', ');
  throw new EvaluationError(
    'RealRowOutsideSchema',
    `${table.invalidRows} rows of the ${name} table have values outside the schema (in: ${where}). ` +
      'Correct them, or widen the public bounds and categories.',
  );
}
