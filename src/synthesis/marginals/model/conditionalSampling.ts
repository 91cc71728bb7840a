import type { ConditionalPlan, InformedClique } from './conditionalPlan.js';
import { ImpossibleEvidence, InvalidModelInput } from './errors.js';
import { multiplyExpanded, type Projection } from './projection.js';
import { type CliqueDraw, drawResidual, firstAbove, rowsOf, writeCell } from './sampling.js';

/** A clique under a row's evidence. */
interface Weighed {
  /** Running sums of the cells' weights within each block. */
  readonly cumulative: Float64Array;
  /** P(what is given at and below the clique | block), up to a constant. */
  readonly message: Float64Array;
}

/** Cells of weights kept for rows to come, over all cliques and the call: 64 MiB. */
const CACHE_CELLS = 2 ** 23;

/**
 * Exact samples of the other attributes given each row's own values, by the pass of belief propagation that the evidence calls
 * for: upwards each informed clique's cells that agree with the row are weighed by the messages from below, downwards
 * they are drawn from. A clique's weights depend on no more than the values given at and below it, and are kept for
 * the next row with the same ones; what is kept never changes a row.
 * @param values rows × given, in the order of the plan's `given`.
 * @param uniforms in the open interval (0, 1), row after row, `draws` each.
 * @returns rows × attributes, the given ones included.
 * @throws ImpossibleEvidence naming the row. What the evidence so far makes 10³⁰⁰ times less likely than another cell of the same
 * clique counts as impossible, since the weights are doubles.
 * @throws InvalidModelInput
 */
export function sampleRowsGiven(
  plan: ConditionalPlan,
  values: Uint16Array,
  uniforms: Float64Array,
): Uint16Array {
  const { given, draws, unconditional, informed } = plan;
  const { sizes } = unconditional.domain;
  const rows = rowsOf(uniforms, draws);
  if (values.length !== rows * given.length)
    throw new InvalidModelInput('values', `${values.length} are not ${rows} rows of ${given.length}`);
  const out = new Uint16Array(rows * sizes.length);
  const weigh = weigher(plan, values);
  const weighed = new Array<Weighed | undefined>(draws);
  for (let row = 0; row < rows; row++) {
    const at = row * sizes.length;
    for (const [place, attribute] of given.entries()) {
      const value = values[row * given.length + place] as number;
      if (value >= (sizes[attribute] as number))
        throw new InvalidModelInput('values', `row ${row}: no such value of attribute ${attribute}`);
      out[at + attribute] = value;
    }
    for (let c = draws - 1; c >= 0; c--) if (informed[c] !== undefined) weighed[c] = weigh(c, row, weighed);
    for (let c = 0; c < draws; c++) {
      const clique = informed[c];
      const uniform = uniforms[row * draws + c] as number;
      if (clique !== undefined) drawWeighed(clique, weighed[c] as Weighed, uniform, out, at);
      else drawResidual(unconditional.cliques[c] as CliqueDraw, unconditional.cumulative, uniform, out, at);
    }
  }
  return out;
}

function drawWeighed(
  clique: InformedClique,
  { cumulative }: Weighed,
  uniform: number,
  out: Uint16Array,
  at: number,
): void {
  let block = 0;
  for (let i = 0; i < clique.separator.length; i++)
    block += (clique.separatorStrides[i] as number) * (out[at + (clique.separator[i] as number)] as number);
  const begin = block * clique.blockCells;
  const end = begin + clique.blockCells;
  const target = uniform * (cumulative[end - 1] as number);
  writeCell(
    firstAbove(cumulative, begin, end, target) - begin,
    clique.residual,
    clique.residualSizes,
    out,
    at,
  );
}

/** A clique's weights in a row, its children's being in `weighed`. */
function weigher(
  { informed, conditionals, given }: ConditionalPlan,
  values: Uint16Array,
): (c: number, row: number, weighed: readonly (Weighed | undefined)[]) => Weighed {
  const children = informed.map((_, c) =>
    [...informed.keys()].filter((child) => informed[child]?.parent === c),
  );
  const kept = informed.map(() => new Map<number, Weighed>());
  const scratch = informed.map((clique) => (clique === undefined ? undefined : emptyWeighed(clique)));
  const share = CACHE_CELLS / Math.max(1, scratch.filter((own) => own !== undefined).length);
  const room = informed.map(() => share);
  return (c, row, weighed) => {
    const clique = informed[c] as InformedClique;
    const of = row * given.length;
    let key = 0;
    for (let i = 0; i < clique.seen.length; i++)
      key = key * (clique.seenSizes[i] as number) + (values[of + (clique.seen[i] as number)] as number);
    const cacheable = clique.seenValues <= Number.MAX_SAFE_INTEGER;
    const found = cacheable ? kept[c]?.get(key) : undefined;
    if (found !== undefined) return found;
    const keep = cacheable && (room[c] as number) >= clique.cellCount + clique.blocks;
    const own = keep ? emptyWeighed(clique) : (scratch[c] as Weighed);
    let base = clique.offset;
    for (let i = 0; i < clique.given.length; i++)
      base += (clique.givenStrides[i] as number) * (values[of + (clique.given[i] as number)] as number);
    gather(clique.cells, conditionals, base, own.cumulative);
    for (const child of children[c] as number[]) {
      const { fromParent } = informed[child] as InformedClique;
      multiplyExpanded(fromParent, (weighed[child] as Weighed).message, own.cumulative);
      rescale(own.cumulative);
    }
    if (!accumulate(clique, own)) throw new ImpossibleEvidence(row);
    if (keep) {
      kept[c]?.set(key, own);
      room[c] = (room[c] as number) - clique.cellCount - clique.blocks;
    }
    return own;
  };
}

function emptyWeighed({ cellCount, blocks }: InformedClique): Weighed {
  return { cumulative: new Float64Array(cellCount), message: new Float64Array(blocks) };
}

function gather({ head, tail }: Projection, source: Float64Array, base: number, target: Float64Array): void {
  let i = 0;
  for (let h = 0; h < head.length; h++)
    for (let t = 0; t < tail.length; t++)
      target[i++] = source[base + (head[h] as number) + (tail[t] as number)] as number;
}

/** Weights become running sums, their ends the message, 1 at most. False when all are 0. */
function accumulate({ blocks, blockCells }: InformedClique, { cumulative, message }: Weighed): boolean {
  let possible = false;
  for (let block = 0, i = 0; block < blocks; block++) {
    let sum = 0;
    for (const end = i + blockCells; i < end; i++) cumulative[i] = sum += cumulative[i] as number;
    message[block] = sum;
    possible ||= sum > 0;
  }
  if (!possible) return false;
  rescale(message);
  return true;
}

/** To a largest of 1, so that the product of many small numbers stays one. */
function rescale(weights: Float64Array): void {
  let largest = 0;
  for (let i = 0; i < weights.length; i++)
    if ((weights[i] as number) > largest) largest = weights[i] as number;
  if (largest === 0) return;
  for (let i = 0; i < weights.length; i++) weights[i] = (weights[i] as number) / largest;
}
