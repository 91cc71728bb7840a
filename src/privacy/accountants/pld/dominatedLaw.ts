import {
  type Column,
  type Lattice,
  type LatticeLaw,
  massP,
  readAt,
  readInto,
  scaledMassQ,
} from './discretization.js';
import type { LossPair } from './lossPair.js';

/** Bisections of a cut. */
const RECUTS = 40;

/**
 * A pair that is dominated. Cells are now between the nodes' midpoints m; forgetting where in its cell an answer fell is
 * post-processing, and leaves loss log(p/q) ≈ x + O(d²). In the picture of the curve f: ℓ_m(y) = P(L > m) − y·Q(L > m) is a tangent, g(y_i) =
 * the lower of the two tangents beside y_i = e^(x_i), and chords of g lie below a tangent each, hence below f. The change of g's slope
 * at y_i is the mass q′ of the new pair, p′ = y_i·q′:
 *
 *   q′_i = q_i + (r_i⁻ − r_{i+1}⁺)/Δ_i − (r_{i−1}⁻ − r_i⁺)/Δ_{i−1},   r_i = p_i − y_i q_i = r_i⁺ − r_i⁻,   Δ_i = y_{i+1} − y_i.
 *
 * Any g ≤ f that is convex will do (wherever the cuts lie), so what remains is q′ ≥ 0. Each cell may ask a neighbour for at most half of
 * the neighbour's q; where that is too little (at atoms, at the ends) cuts are moved, and where that doesn't help P's mass is lowered, which
 * only lowers f: r_i > 0 is dropped, and for r_i < 0 the cell goes to x_{i−1}. What is outside the outer midpoints is dropped too, P and Q: f
 * is a supremum over sets. All in units of Q times e^(x_i), i.e. p′.
 */
export function dominatedLaw(pair: LossPair, lattice: Lattice, nodes: Float64Array): LatticeLaw {
  const cells = new Cells(pair, lattice, nodes);
  cells.balanceUpwards();
  cells.balanceDownwards();
  cells.giveUpTheRest();
  return { indices: nodes, masses: cells.masses(), infinite: 0 };
}

class Cells {
  readonly #pair: LossPair;
  readonly #size: number;
  /** The nodes' losses x_i. */
  readonly #at: Float64Array;
  /** Cell i lies between cuts i and i + 1. */
  readonly #cuts: Float64Array;
  readonly #column: Column;
  /** y_i·q_i, and r_i. */
  readonly #own: Float64Array;
  readonly #excess: Float64Array;
  /** Gap to the next node, as e^gap − 1 = Δ_i / y_i. */
  readonly #step: Float64Array;

  constructor(pair: LossPair, { width, offset }: Lattice, nodes: Float64Array) {
    const n = nodes.length;
    this.#pair = pair;
    this.#size = n;
    this.#at = nodes.map((k) => offset + k * width);
    this.#cuts = new Float64Array(n + 1);
    for (let i = 1; i < n; i++)
      this.#cuts[i] = offset + (((nodes[i - 1] as number) + (nodes[i] as number)) / 2) * width;
    this.#cuts[0] = offset + ((nodes[0] as number) - 0.5) * width;
    this.#cuts[n] = offset + ((nodes[n - 1] as number) + 0.5) * width;
    this.#isolate(1e-6 * width);
    this.#column = readAt(pair, this.#cuts);
    this.#own = new Float64Array(n);
    this.#excess = new Float64Array(n);
    this.#step = new Float64Array(n).fill(1);
    for (let i = 0; i < n; i++) {
      this.#measure(i);
      if (i + 1 < n) this.#step[i] = Math.expm1(((nodes[i + 1] as number) - (nodes[i] as number)) * width);
    }
  }

  /** A node that is an atom's gets a cell of its own: what lies beside the atom would ask a neighbour, and get too little. */
  #isolate(close: number): void {
    for (const atom of this.#pair.atoms)
      this.#at.forEach((x, i) => {
        if (Math.abs(atom - x) >= close) return;
        this.#cuts[i] = x - close;
        this.#cuts[i + 1] = x + close;
      });
  }

  #measure(i: number): void {
    const cut = this.#cuts[i] as number;
    const fall = -Math.expm1(cut - (this.#cuts[i + 1] as number));
    const own = Math.max(
      0,
      Math.exp((this.#at[i] as number) - cut) * scaledMassQ(this.#column, i, cut, fall),
    );
    const r = Math.max(0, massP(this.#column, i)) - own;
    this.#own[i] = own;
    // An atom on its node has none, but for rounding.
    this.#excess[i] = Math.abs(r) <= 2 ** -45 * own ? 0 : r;
  }

  /** Is there half of a neighbour's mass for cell i? */
  #isServed(i: number): boolean {
    const r = this.#excess[i] as number;
    if (r > 0) return i > 0 && r <= 0.5 * (this.#own[i - 1] as number) * (this.#step[i - 1] as number);
    if (r === 0) return true;
    const step = this.#step[i] as number;
    return i + 1 < this.#size && (-r * (1 + step)) / step <= 0.5 * (this.#own[i + 1] as number);
  }

  /** Puts the cuts `from` … `to` at one place: the cells between them are empty. */
  #recut(from: number, to: number, cut: number): void {
    for (let j = from; j <= to; j++) {
      this.#cuts[j] = cut;
      readInto(this.#pair, cut, this.#column, j);
    }
    this.#measure(from - 1);
    this.#measure(to);
  }

  /**
   * A law that begins or ends steeply has no such neighbour. There a cell's upper cut moves until the cell is balanced, over
   * other nodes if need be, whose cells are then empty: the tangent from a point of g to f.
   */
  balanceUpwards(): void {
    for (let i = 0; i + 1 < this.#size; i++) {
      if (this.#isServed(i)) continue;
      let last = i + 1;
      let low = Math.max(this.#cuts[i] as number, this.#at[i] as number);
      let high = this.#cuts[last] as number;
      if ((this.#excess[i] as number) < 0) {
        while ((this.#excess[i] as number) < 0 && last < this.#size - 1) {
          low = this.#cuts[last] as number;
          last++;
          high = this.#cuts[last] as number;
          this.#recut(i + 1, last - 1, high);
        }
        if ((this.#excess[i] as number) < 0) continue;
        last--;
      }
      for (let round = 0; round < RECUTS && high > low; round++) {
        const middle = (low + high) / 2;
        this.#recut(i + 1, last, middle);
        if ((this.#excess[i] as number) <= 0) low = middle;
        else high = middle;
      }
      this.#recut(i + 1, last, low);
    }
  }

  /** The same with lower cuts, from above. */
  balanceDownwards(): void {
    for (let i = this.#size - 1; i > 0; i--) {
      if (this.#isServed(i)) continue;
      let first = i;
      let low = this.#cuts[i] as number;
      let high = Math.min(this.#cuts[i + 1] as number, this.#at[i] as number);
      if ((this.#excess[i] as number) > 0) {
        while ((this.#excess[i] as number) > 0 && first > 1) {
          high = this.#cuts[first] as number;
          first--;
          low = this.#cuts[first] as number;
          this.#recut(first + 1, i, low);
        }
        if ((this.#excess[i] as number) > 0) continue;
        first++;
      }
      for (let round = 0; round < RECUTS && high > low; round++) {
        const middle = (low + high) / 2;
        this.#recut(first, i, middle);
        if ((this.#excess[i] as number) >= 0) high = middle;
        else low = middle;
      }
      this.#recut(first, i, high);
    }
  }

  giveUpTheRest(): void {
    for (let i = this.#size - 1; i >= 0; i--) {
      const r = this.#excess[i] as number;
      if (r >= 0 || this.#isServed(i)) continue;
      const own = this.#own[i] as number;
      if (i > 0) {
        const moved = own / (1 + (this.#step[i - 1] as number));
        // P's mass may only fall. It does where the cell begins above x_{i−1}, and cells of r_i < 0 do.
        if (moved <= own + r) this.#own[i - 1] = (this.#own[i - 1] as number) + moved;
      }
      this.#own[i] = 0;
      this.#excess[i] = 0;
    }
    for (let i = 0; i < this.#size; i++)
      if ((this.#excess[i] as number) > 0 && !this.#isServed(i)) this.#excess[i] = 0;
  }

  /** p′: cell i asks node i + 1 for y_{i+1}·r⁻/Δ_i, node i − 1 for y_{i−1}·r⁺/Δ_{i−1}. */
  masses(): Float64Array {
    return this.#own.map((own, i) => {
      const r = this.#excess[i] as number;
      const before = i > 0 ? (this.#excess[i - 1] as number) : 0;
      const after = i + 1 < this.#size ? (this.#excess[i + 1] as number) : 0;
      const step = this.#step[i] as number;
      const stepBefore = i > 0 ? (this.#step[i - 1] as number) : 1;
      let mass = own;
      if (r < 0) mass += -r / step;
      if (r > 0) mass += r * (1 + 1 / stepBefore);
      if (before < 0) mass += before * (1 + 1 / stepBefore);
      if (after > 0) mass -= after / step;
      return Math.max(0, mass);
    });
  }
}
