import { InvalidTableSchema } from '../errors.js';
import type { CodedRow } from './codedRow.js';
import type { Field } from './field.js';

/** Limit on the combinations of columns whose lists overlap, so that they are known before a row is read. */
const MAX_JOINED = 65_536;
/** Limit on what is remembered of earlier repairs. */
const MAX_REMEMBERED = 65_536;

/** Rows of codes of some columns, by field index. */
export interface Combinations {
  readonly columns: readonly number[];
  readonly rows: readonly Float64Array[];
}

/**
 * Lists that share a column become one, of all their columns, with the rows that every list allows (the natural join of
 * relational algebra, Codd 1970), in the order of the first list, then of the next.
 * @throws InvalidTableSchema where no combination is left, or too many are.
 */
export function joined(lists: readonly Combinations[], fields: readonly Field[]): Combinations[] {
  const out: Combinations[] = [];
  for (const list of lists) {
    const touching = out.filter(({ columns }) => columns.some((column) => list.columns.includes(column)));
    // Two that did not touch each other are joined by what touches both.
    const whole = [...touching, list].reduce((left, right) => join(left, right, fields));
    out.splice(0, out.length, ...out.filter((other) => !touching.includes(other)), whole);
  }
  return out;
}

function join(left: Combinations, right: Combinations, fields: readonly Field[]): Combinations {
  const shared = right.columns.filter((column) => left.columns.includes(column));
  const added = right.columns.filter((column) => !left.columns.includes(column));
  const byShared = new Map<string, Float64Array[]>();
  for (const row of right.rows) {
    const key = keyOf(shared.map((column) => row[right.columns.indexOf(column)] as number));
    const same = byShared.get(key);
    if (same === undefined) byShared.set(key, [row]);
    else same.push(row);
  }
  const columns = [...left.columns, ...added];
  const names = () => columns.map((column) => `"${fields[column]?.name}"`).join(', ');
  const rows: Float64Array[] = [];
  for (const row of left.rows)
    for (const other of byShared.get(
      keyOf(shared.map((column) => row[left.columns.indexOf(column)] as number)),
    ) ?? []) {
      if (rows.length === MAX_JOINED)
        throw new InvalidTableSchema(
          undefined,
          `the fixed combinations of ${names()} together allow more than ${MAX_JOINED}; list fewer, or let the lists share more columns`,
        );
      rows.push(
        Float64Array.from([...row, ...added.map((column) => other[right.columns.indexOf(column)] as number)]),
      );
    }
  if (rows.length === 0)
    throw new InvalidTableSchema(
      undefined,
      `the fixed combinations of ${names()} contradict each other: no row keeps them all; correct one of the lists`,
    );
  return { columns, rows };
}

/** Codes of one list's columns as text. */
export function keyOf(codes: Iterable<number>): string {
  return [...codes].join();
}

/** What a column must be, beside its list: missing, present, or either. */
export type Presence = 'missing' | 'present' | 'either';

export function fits(code: number, presence: Presence): boolean {
  return presence === 'either' || Number.isNaN(code) === (presence === 'missing');
}

/** The allowed combination that agrees with a row in the most columns; of several the one that is listed first. */
export type Nearest = (row: CodedRow, presences: readonly Presence[]) => Float64Array;

export function nearestIn({ columns, rows }: Combinations): Nearest {
  const remembered = new Map<string, Float64Array>();
  return (row, presences) => {
    const own = columns.map((column) => row[column] as number);
    const key = `${keyOf(own)} ${presences.join()}`;
    const known = remembered.get(key);
    if (known !== undefined) return known;
    let best = rows[0] as Float64Array;
    let most = -1;
    for (const candidate of rows) {
      if (!candidate.every((code, i) => fits(code, presences[i] as Presence))) continue;
      const agreeing = own.filter((code, i) => Object.is(code, candidate[i])).length;
      if (agreeing > most) {
        most = agreeing;
        best = candidate;
      }
    }
    if (remembered.size === MAX_REMEMBERED) remembered.clear();
    remembered.set(key, best);
    return best;
  };
}
