import type { Rng } from '../../crypto/rng.js';
import type { TableSchema } from '../../synthesis/table/schema.js';
import { type CodedTable, concatRows, selectRows } from '../codedTable.js';
import { drawIndices } from '../draws.js';
import { fitBoostedTrees } from '../models/boostedTrees.js';
import { binFeatures } from '../models/features.js';
import { clopperPearson } from '../proportions.js';
import { type AucInterval, aucInterval, type RocPoint, rocCurve, thinned, Z99 } from '../rocCurve.js';
import { type GowerSpace, nearest } from './nearest.js';

export type MembershipScore = 'nearness' | 'relative nearness' | 'density ratio';

/** How well a score of a row, computed from the synthetic table, tells training rows from hold-out rows. */
export interface MembershipAttack {
  readonly score: MembershipScore;
  /** ½: not at all. 99 % (DeLong). */
  readonly auc: AucInterval;
  /**
   * TPR − FPR at a threshold chosen on one half of the rows, found on the other half; the interval takes the corners of two 99.5 %
   * intervals (Clopper-Pearson), so it holds with 99 %.
   */
  readonly advantage: { readonly share: number; readonly lower: number; readonly upper: number };
  readonly tprAtOnePercentFpr: number;
  readonly roc: readonly RocPoint[];
}

export interface Membership {
  readonly members: number;
  readonly nonMembers: number;
  /** Hold-out rows that the attacker is given beside the synthetic table, to know what is common anyway. */
  readonly reference: number;
  readonly attacks: readonly MembershipAttack[];
}

const ROWS = 3000;
const CLASSIFIER_ROWS = 20_000;
const ROC_POINTS = 120;

/**
 * Three attackers that see the synthetic table and reference rows. 'nearness': a member lies near a synthetic row (Hilprecht, Härterich,
 * Bernau 2019; Chen et al. 2020). 'relative nearness' and 'density ratio': nearer than to real rows in general, by distances and by
 * boosted trees (van Breugel, Sun, Qian, van der Schaar 2023, DOMIAS). Stronger attackers exist: a failure of these proves no privacy.
 */
export function membership(
  schema: TableSchema,
  space: GowerSpace,
  tables: { readonly train: CodedTable; readonly holdOut: CodedTable; readonly synthetic: CodedTable },
  rng: Rng,
): Membership {
  const { train, holdOut, synthetic } = tables;
  const shuffled = drawIndices(rng, holdOut.rows);
  const reference = selectRows(holdOut, shuffled.subarray(0, holdOut.rows >>> 1));
  const nonMembers = selectRows(holdOut, shuffled.subarray(holdOut.rows >>> 1).subarray(0, ROWS));
  const members = selectRows(train, drawIndices(rng, train.rows, ROWS));
  const rows = concatRows(members, nonMembers);
  const isMember = new Uint8Array(rows.rows).fill(1, 0, members.rows);

  const encoded = space.encode(rows);
  const toSynthetic = nearest(encoded, space.encode(synthetic)).distances;
  const toReference = nearest(encoded, space.encode(reference)).distances;
  // A quarter of one differing column keeps the ratio finite at a copy.
  const least = 0.25 / encoded.width;
  const relative = toSynthetic.map((d, i) => Math.log((toReference[i]! + least) / (d + least)));

  const drawn = selectRows(
    synthetic,
    drawIndices(rng, synthetic.rows, Math.max(reference.rows, CLASSIFIER_ROWS)),
  );
  const both = concatRows(reference, drawn);
  const binning = binFeatures(schema, both, []);
  const scorer = fitBoostedTrees(
    binning,
    binning.apply(both),
    new Uint8Array(both.rows).fill(1, reference.rows),
  );
  const attack = (score: MembershipScore, scores: Float64Array): MembershipAttack => {
    const roc = rocCurve(scores, isMember);
    return {
      score,
      auc: aucInterval(scores, isMember, Z99),
      advantage: advantageOf(scores, isMember),
      tprAtOnePercentFpr: Math.max(...roc.filter(({ fpr }) => fpr <= 0.01).map(({ tpr }) => tpr)),
      roc: thinned(roc, ROC_POINTS),
    };
  };
  return {
    members: members.rows,
    nonMembers: nonMembers.rows,
    reference: reference.rows,
    attacks: [
      attack(
        'nearness',
        toSynthetic.map((d) => -d),
      ),
      attack('relative nearness', relative),
      attack('density ratio', scorer(binning.apply(rows))),
    ],
  };
}

/** Rows were drawn at random, so every second one is a random half. */
export function advantageOf(scores: Float64Array, isMember: Uint8Array): MembershipAttack['advantage'] {
  const half = (odd: number): { readonly scores: Float64Array; readonly members: Uint8Array } => ({
    scores: scores.filter((_, i) => i % 2 === odd),
    members: isMember.filter((_, i) => i % 2 === odd),
  });
  const [chosenOn, foundOn] = [half(0), half(1)];
  let [best, threshold] = [0, Number.POSITIVE_INFINITY];
  for (const { gain, score } of gains(chosenOn.scores, chosenOn.members))
    if (gain > best) [best, threshold] = [gain, score];
  const count = (member: number, above: boolean): number =>
    foundOn.scores.filter((s, i) => foundOn.members[i] === member && (!above || s >= threshold)).length;
  const tpr = clopperPearson(count(1, true), count(1, false), 0.995);
  const fpr = clopperPearson(count(0, true), count(0, false), 0.995);
  return { share: tpr.share - fpr.share, lower: tpr.lower - fpr.upper, upper: tpr.upper - fpr.lower };
}

/** TPR − FPR of "at least this score", for every score there is. */
function gains(
  scores: Float64Array,
  members: Uint8Array,
): { readonly gain: number; readonly score: number }[] {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!);
  const n = members.reduce((sum, one) => sum + one, 0);
  const m = members.length - n;
  let gain = 0;
  const found: { readonly gain: number; readonly score: number }[] = [];
  for (const [i, row] of order.entries()) {
    gain += members[row] === 1 ? 1 / n : -1 / m;
    if (scores[order[i + 1] ?? -1] !== scores[row]) found.push({ gain, score: scores[row]! });
  }
  return found;
}
