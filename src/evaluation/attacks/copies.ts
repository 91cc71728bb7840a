import { type CodedTable, rowKeys } from '../codedTable.js';
import { clopperPearson, type Proportion } from '../proportions.js';

/**
 * Rows that equal a training row in every column, beside the same share of hold-out rows, which cannot have been copied. All training
 * rows are looked at: a sub-sample hides copies (hazard D8). A smoke test: it can show copying, and not finding any shows no privacy.
 */
export interface CopyShares {
  /** 99 % (Clopper-Pearson). */
  readonly synthetic: Proportion;
  readonly holdOut: Proportion;
}

const CONFIDENCE = 0.99;

export function exactCopies(train: CodedTable, holdOut: CodedTable, synthetic: CodedTable): CopyShares {
  const known = new Set(rowKeys(train));
  const share = (table: CodedTable): Proportion =>
    clopperPearson(rowKeys(table).filter((key) => known.has(key)).length, table.rows, CONFIDENCE);
  return { synthetic: share(synthetic), holdOut: share(holdOut) };
}
