import { type LossPair, noTails, type Tails } from './lossPair.js';

/** A law on the lattice offset + k·width. */
export interface LatticeLaw {
  /** Ascending integers k. */
  readonly indices: Float64Array;
  readonly masses: Float64Array;
  /** P's mass with an infinite loss. */
  readonly infinite: number;
}

export interface Lattice {
  readonly width: number;
  readonly offset: number;
}

/** Tails at ascending thresholds. */
export interface Column {
  readonly pAbove: Float64Array;
  readonly pBelow: Float64Array;
  readonly scaledAbove: Float64Array;
  readonly scaledBelow: Float64Array;
}

export function readAt(pair: LossPair, thresholds: Float64Array): Column {
  const n = thresholds.length;
  const column = {
    pAbove: new Float64Array(n),
    pBelow: new Float64Array(n),
    scaledAbove: new Float64Array(n),
    scaledBelow: new Float64Array(n),
  };
  for (let i = 0; i < n; i++) readInto(pair, thresholds[i] as number, column, i);
  return column;
}

const tails: Tails = noTails();

export function readInto(pair: LossPair, threshold: number, column: Column, i: number): void {
  pair.tails(threshold, tails);
  column.pAbove[i] = tails.pAbove;
  column.pBelow[i] = tails.pBelow;
  column.scaledAbove[i] = tails.scaledAbove;
  column.scaledBelow[i] = tails.scaledBelow;
}

/** P's mass between thresholds i and i + 1, from the smaller tails. */
export function massP(column: Column, i: number): number {
  const above = column.pAbove[i] as number;
  return above < 0.5
    ? above - (column.pAbove[i + 1] as number)
    : (column.pBelow[i + 1] as number) - (column.pBelow[i] as number);
}

/**
 * Q's mass between thresholds x = x_i and x_{i+1}, times e^x; `fall` is 1 − e^(x_i − x_{i+1}). Neighbours are subtracted as they are, so that
 * the rounding of e^(x_i − x_{i+1}) doesn't add up over thousands of cells.
 */
export function scaledMassQ(column: Column, i: number, x: number, fall: number): number {
  if (x >= 0) {
    const next = column.scaledAbove[i + 1] as number;
    return (column.scaledAbove[i] as number) - next + fall * next;
  }
  const next = column.scaledBelow[i + 1] as number;
  return next - (column.scaledBelow[i] as number) - fall * next;
}

/**
 * Connect-the-dots (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi 2022): the hockey-stick curve, as a function of e^ε, is replaced by
 * its chords between lattice points: above the convex curve, hence a pair that dominates, and the best one on these points. A cell
 * [x, x + d] with masses p, q sends (p − e^x q)/(1 − e^−d) to its right end and the rest to its left: p and q are both kept. What is above
 * the last node has infinite loss; what is below the first gets the first node's. `nodes` are lattice indices, ascending.
 */
export function dominatingLaw(pair: LossPair, lattice: Lattice, nodes: Float64Array): LatticeLaw {
  const n = nodes.length;
  const at = nodes.map((k) => lattice.offset + k * lattice.width);
  const column = readAt(pair, at);
  const masses = new Float64Array(n);
  masses[0] = column.pBelow[0] as number;
  for (let i = 0; i + 1 < n; i++) {
    const fall = -Math.expm1(((nodes[i] as number) - (nodes[i + 1] as number)) * lattice.width);
    const p = Math.max(0, massP(column, i));
    const q = scaledMassQ(column, i, at[i] as number, fall);
    const right = Math.min(p, Math.max(0, (p - q) / fall));
    masses[i] = (masses[i] as number) + (p - right);
    masses[i + 1] = right;
  }
  return { indices: nodes, masses, infinite: column.pAbove[n - 1] as number };
}
