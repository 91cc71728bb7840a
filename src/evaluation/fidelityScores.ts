import { seededRng } from '../synthesis/randomness.js';
import { drawIndices } from './draws.js';
import type { MeasuringCells } from './measuringCells.js';
import {
  type CellColumns,
  chooseTuples,
  coarsen,
  MAX_PAIRS,
  MAX_TRIPLES,
  mean,
  selectCells,
  type Tuple,
  tupleDistances,
} from './tupleDistances.js';

/** Which share of the training rows, drawn at random, is as far from all of them as a table is. */
export interface SubsampleShare {
  readonly share: number;
  /** 'above': the table is closer than a sub-sample of `share`; 'below': further away than one of `share`. */
  readonly bound: 'at' | 'above' | 'below';
}

export interface WayScore {
  readonly ways: 1 | 2 | 3;
  /** Tuples of columns that were compared. */
  readonly tuples: number;
  /** Mean total variation distance from the training rows. */
  readonly synthetic: number;
  readonly holdOut: number;
  /** As many rows as the synthetic table, but for the limit of the training rows: what sampling error alone is. */
  readonly subsamples: readonly { readonly share: number; readonly distance: number }[];
  readonly asGoodAs: SubsampleShare;
  /** Worst first, the first WORST of them. */
  readonly worst: readonly { readonly columns: readonly string[]; readonly totalVariation: number }[];
}

export interface FidelityScores {
  readonly ways: readonly WayScore[];
  /** 1000 · (1 − mean 3-way distance), after NIST's k-marginal score (2018 challenge), on coarse cells. */
  readonly kMarginalScore: { readonly synthetic: number; readonly holdOut: number };
}

const SHARES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];
/** A sub-sample of fewer rows says nothing. */
const FEWEST_ROWS = 20;
const WORST = 20;

export interface FidelityTables {
  readonly train: CellColumns;
  readonly holdOut: CellColumns;
  readonly synthetic: CellColumns;
}

/** One-, two- and (on coarse cells) three-way distances, each with its yardstick. Equal seed, equal figures. */
export function fidelityScores(
  cells: readonly MeasuringCells[],
  tables: FidelityTables,
  seed: Uint8Array,
): FidelityScores {
  const rows = tables.train[0]!.length;
  const shares = SHARES.filter((share) => share * rows >= FEWEST_ROWS);
  const rng = seededRng(seed, 'sub-samples');
  const draws = shares.map((share) => drawIndices(rng, rows, Math.round(share * rows)));
  const coarse = coarsen(cells);
  const fine = cells.map(({ labels }) => labels.length);
  const chosen = seededRng(seed, 'tuples');
  const ways = ([1, 2, 3] as const)
    .filter((ways) => ways <= cells.length)
    .map((ways): WayScore => {
      const at = (table: CellColumns): CellColumns => (ways === 3 ? coarse.of(table) : table);
      const tuples = chooseTuples(cells.length, ways, ways === 3 ? MAX_TRIPLES : MAX_PAIRS, chosen);
      const train = at(tables.train);
      const [synthetic, holdOut, ...samples] = tupleDistances(
        train,
        [at(tables.synthetic), at(tables.holdOut), ...draws.map((draw) => selectCells(train, draw))],
        ways === 3 ? coarse.sizes : fine,
        tuples,
      );
      const subsamples = samples.map((distances, i) => ({ share: shares[i]!, distance: mean(distances) }));
      return {
        ways,
        tuples: tuples.length,
        synthetic: mean(synthetic!),
        holdOut: mean(holdOut!),
        subsamples,
        asGoodAs: subsampleShare(subsamples, mean(synthetic!)),
        worst: worstOf(cells, tuples, synthetic!),
      };
    });
  const three = ways.find((score) => score.ways === 3) ?? ways.at(-1)!;
  return {
    ways,
    kMarginalScore: {
      synthetic: 1000 * (1 - three.synthetic),
      holdOut: 1000 * (1 - three.holdOut),
    },
  };
}

/**
 * Interpolated on logarithms: the distance of a sample of share x falls like √((1 − x)/x) once its cells are filled, and more slowly
 * before that, so a straight line between two neighbours is close.
 */
export function subsampleShare(
  subsamples: readonly { readonly share: number; readonly distance: number }[],
  distance: number,
): SubsampleShare {
  const [smallest, largest] = [subsamples[0], subsamples.at(-1)];
  if (smallest === undefined || largest === undefined) return { share: 1, bound: 'below' };
  if (distance >= smallest.distance) return { share: smallest.share, bound: 'below' };
  if (distance <= largest.distance) return { share: largest.share, bound: 'above' };
  const next = subsamples.findIndex((sample) => sample.distance <= distance);
  const [from, to] = [subsamples[next - 1]!, subsamples[next]!];
  const part = Math.log(from.distance / distance) / Math.log(from.distance / to.distance);
  return { share: from.share * (to.share / from.share) ** part, bound: 'at' };
}

function worstOf(
  cells: readonly MeasuringCells[],
  tuples: readonly Tuple[],
  distances: Float64Array,
): WayScore['worst'] {
  return [...tuples.keys()]
    .sort((a, b) => distances[b]! - distances[a]!)
    .slice(0, WORST)
    .map((t) => ({
      columns: tuples[t]!.map((column) => cells[column]!.name),
      totalVariation: distances[t]!,
    }));
}
