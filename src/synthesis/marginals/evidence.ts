import { type ParsedConditions, SHARE_ROUNDING } from '../conditions.js';
import { InvalidCondition } from '../errors.js';
import type { Block } from '../table/encoding.js';
import { marginalOf } from './model/elimination.js';
import { ImpossibleEvidence } from './model/errors.js';
import { condition, type Evidence, type Model } from './model/model.js';
import { allowedPieces, common, type Pieces, weighted, wholePieces, without } from './pieces.js';
import type { Generator } from './release.js';
import type { Unit } from './units.js';

/** The model under a request's conditions, and what may be drawn of each column within its cells. */
export interface Conditioned {
  readonly model: Model;
  /** The release's, cut where the conditions are. */
  readonly units: readonly Unit[];
  readonly pieces: readonly Pieces[];
}

/**
 * Conditions as evidence in the junction tree: of each cell of the model the part is known that they let through, which is its
 * likelihood. Rows then are drawn as always, none is thrown away, and their law is the release's own given the
 * conditions.
 * @throws InvalidCondition when the model has no such row.
 */
export function conditioned(generator: Generator, { where, balance }: ParsedConditions): Conditioned {
  const { fine } = generator;
  const block = (column: number): Block => fine.blocks[column] as Block;
  const pieces = fine.blocks.map((own, column) => {
    const allowed = where.get(column);
    return allowed === undefined ? wholePieces(own) : allowedPieces(own, allowed);
  });
  const open = balance === undefined ? [] : (pieces[balance.column] as Pieces);
  const parts = (balance?.groups ?? []).map(({ allowed }) =>
    common(open, allowedPieces(block(balance?.column as number), allowed)),
  );
  const rest = parts.reduce((left, part) => without(left, part), open);
  const units = generator.units.map((unit) =>
    unit.refined(
      unit.columns.map((column) => [
        ...(where.has(column) ? [pieces[column] as Pieces] : []),
        ...(column === balance?.column ? [...parts, rest] : []),
      ]),
    ),
  );
  const cut = { ...generator, units };
  const given = under(cut, [...where.keys()], pieces, 'the model has no row for which all of this holds');
  if (balance === undefined) return { model: given, units, pieces };
  const { column, groups } = balance;
  const shareOf = sharer(given, unitOf(cut, column), pieces);
  const shares = [...groups.map(({ share }) => share), remainder(groups.map(({ share }) => share))];
  const rebalanced = [...parts, rest].map((own, i): Pieces => {
    const share = shares[i] as number;
    if (share === 0) return own.map(() => []);
    const found = shareOf(pieces.map((kept, other) => (other === column ? own : kept)));
    if (found > 0) return weighted(own, share / found);
    const what = groups[i]?.text ?? 'the rest, which the shares leave of 1,';
    throw new InvalidCondition(
      'impossible',
      block(column).field.name,
      `${what} shall have the share ${share}, and the model has no such row under the other conditions`,
    );
  });
  const merged = open.map((_, k) => rebalanced.flatMap((own) => own[k] ?? []));
  const balanced = pieces.map((own, other) => (other === column ? merged : own));
  const columns = new Set([...where.keys(), column]);
  return { model: under(cut, [...columns], balanced, 'the shares leave no row'), units, pieces: balanced };
}

/** What rounding alone leaves is nothing. */
function remainder(shares: readonly number[]): number {
  const left = 1 - shares.reduce((sum, share) => sum + share, 0);
  return left > SHARE_ROUNDING ? left : 0;
}

/** The model given that each of the columns has one of its pieces. */
function under(
  generator: Generator,
  columns: readonly number[],
  pieces: readonly Pieces[],
  impossible: string,
): Model {
  const units = [...new Set(columns.map((column) => unitOf(generator, column)))];
  if (units.length === 0) return generator.model;
  const evidence = units.map(
    (unit): Evidence => ({ attributes: unit.columns, weights: massIn(unit, pieces) }),
  );
  try {
    return condition(generator.model, evidence);
  } catch (cause) {
    if (!(cause instanceof ImpossibleEvidence)) throw cause;
    const column = columns.length === 1 ? generator.fine.blocks[columns[0] as number]?.field.name : undefined;
    throw new InvalidCondition('impossible', column, impossible);
  }
}

/** P(the pieces of the unit's columns) under the model given its `known` pieces. */
function sharer(model: Model, unit: Unit, known: readonly Pieces[]): (pieces: readonly Pieces[]) => number {
  const marginal = marginalOf(model, unit.columns);
  const before = massIn(unit, known);
  return (pieces) => {
    const after = massIn(unit, pieces);
    let share = 0;
    for (let cell = 0; cell < marginal.length; cell++)
      if ((after[cell] as number) > 0)
        share += ((marginal[cell] as number) * (after[cell] as number)) / (before[cell] as number);
    return share / model.total;
  };
}

function massIn(unit: Unit, pieces: readonly Pieces[]): Float64Array {
  return unit.mass(unit.columns.map((column) => pieces[column] as Pieces));
}

function unitOf({ units }: Generator, column: number): Unit {
  return units.find((unit) => unit.columns.includes(column)) as Unit;
}
