import { seededRng } from '../synthesis/randomness.js';
import { type CodedTable, rowKeys } from './codedTable.js';
import { drawIndices } from './draws.js';
import type { MeasuringCells } from './measuringCells.js';
import { type CellColumns, jointShares } from './tupleDistances.js';

/**
 * What a generator leaves out or makes up, column by column (hazards D6, D10): a mean distance hides a rare category that is gone,
 * and a column that has one value left.
 */
export interface Supports {
  /** Columns in which all synthetic rows are in one cell, while the training rows are in several. */
  readonly collapsed: readonly {
    readonly column: string;
    readonly value: string;
    readonly realShare: number;
  }[];
  /** Cells that no synthetic row is in, where at least EXPECTED_ROWS of them should be. */
  readonly vanished: readonly CellShare[];
  /** Cells that no training row is in, and a share of the synthetic rows is. */
  readonly invented: readonly CellShare[];
  /** Share of different rows among the same number of synthetic and of training rows. */
  readonly distinctRows: { readonly rows: number; readonly synthetic: number; readonly train: number };
}

export interface CellShare {
  readonly column: string;
  readonly value: string;
  /** Of the training rows, or where invented, of the synthetic rows. */
  readonly share: number;
}

/** With so many expected, none at all has probability e^−10 = 5e-5. */
const EXPECTED_ROWS = 10;
const INVENTED_SHARE = 1e-3;

export function supports(
  cells: readonly MeasuringCells[],
  { train, synthetic }: { readonly train: CellColumns; readonly synthetic: CellColumns },
  tables: { readonly train: CodedTable; readonly synthetic: CodedTable },
  seed: Uint8Array,
): Supports {
  const sizes = cells.map(({ labels }) => labels.length);
  const rows = tables.synthetic.rows;
  const collapsed: Supports['collapsed'][number][] = [];
  const vanished: CellShare[] = [];
  const invented: CellShare[] = [];
  for (const [i, { name: column, labels }] of cells.entries()) {
    const real = jointShares(train, sizes, [i]);
    const made = jointShares(synthetic, sizes, [i]);
    const only = made.indexOf(1);
    if (only >= 0 && real[only]! < 1) {
      collapsed.push({ column, value: labels[only]!, realShare: real[only]! });
      continue;
    }
    for (const [cell, value] of labels.entries()) {
      if (made[cell] === 0 && real[cell]! * rows >= EXPECTED_ROWS)
        vanished.push({ column, value, share: real[cell]! });
      if (real[cell] === 0 && made[cell]! >= INVENTED_SHARE)
        invented.push({ column, value, share: made[cell]! });
    }
  }
  const compared = Math.min(rows, tables.train.rows);
  const distinct = (table: CodedTable, label: string): number => {
    const keys = rowKeys(table);
    const drawn = drawIndices(seededRng(seed, `distinct ${label}`), table.rows, compared);
    return new Set(Array.from(drawn, (row) => keys[row]!)).size / compared;
  };
  return {
    collapsed,
    vanished: vanished.sort((a, b) => b.share - a.share),
    invented: invented.sort((a, b) => b.share - a.share),
    distinctRows: {
      rows: compared,
      synthetic: distinct(tables.synthetic, 'synthetic'),
      train: distinct(tables.train, 'train'),
    },
  };
}
