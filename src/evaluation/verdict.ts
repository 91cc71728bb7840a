import type { Assessment } from './assess.js';
import { count, counted, percent } from './report/format.js';

export type Level = 'good' | 'watch' | 'bad';

/** One line of the table with which the page opens. */
export interface Verdict {
  readonly topic: string;
  readonly level: Level;
  /** What was found, in words. */
  readonly finding: string;
  /** What is called good, and what bad. */
  readonly thresholds: string;
  /** A smoke test can find a fault; that it finds none proves nothing (hazard D8). */
  readonly smokeTest: boolean;
}

type Figures = Omit<Assessment, 'verdicts'>;
type Finding = Omit<Verdict, 'topic' | 'smokeTest'>;

/** Chosen before any table was looked at with them; they are for people to disagree with. */
export const THRESHOLDS = {
  subsample: { good: 0.05, bad: 0.01 },
  aucLoss: { good: 0.03, bad: 0.1 },
  discriminator: { good: 0.65, bad: 0.8 },
  groupRatio: { good: 1.25, bad: 2 },
  /** Of the interval’s lower end. */
  groupErrorRise: { good: 0.01, bad: 0.05 },
  /** Beyond the luck of a split: lower ends of intervals above these. */
  membershipAuc: { good: 0.51, bad: 0.55 },
  closeness: { good: 0.5, bad: 0.6 },
  attributeRisk: { good: 0, bad: 0.05 },
} as const;

/** Groups with fewer training rows than that are not judged: their figures are mostly chance. */
export const JUDGED_GROUP_ROWS = 100;

export function verdicts(figures: Figures): Verdict[] {
  const line = (topic: string, smokeTest: boolean, finding: Finding | undefined): Verdict[] =>
    finding === undefined ? [] : [{ topic, ...finding, smokeTest }];
  return [
    ...line('Rows follow the schema', false, validity(figures)),
    ...line('Values and pairs of columns', false, fidelity(figures)),
    ...line('Nothing collapsed, vanished or made up', false, supports(figures)),
    ...line('Training a model on it', false, utility(figures)),
    ...line('Telling it from real rows', false, discriminator(figures)),
    ...line('Groups', false, groups(figures)),
    ...line('Exact copies', true, copies(figures)),
    ...line('Closeness to training rows', true, closeness(figures)),
    ...line('Membership inference', true, membership(figures)),
    ...line('Attribute inference', true, attributes(figures)),
  ];
}

/** `good` and `bad` thresholds where smaller is better. */
const below = (value: number, { good, bad }: { readonly good: number; readonly bad: number }): Level =>
  value <= good ? 'good' : value <= bad ? 'watch' : 'bad';

const three = (value: number): string => value.toFixed(3);

function validity({ validity: found, rows }: Figures): Finding {
  const faults = [
    found.invalidRows > 0 && `${counted(found.invalidRows, 'row')} with a value outside the schema`,
    found.violatingRows > 0 && `${counted(found.violatingRows, 'row')} against a constraint`,
  ].filter((fault) => fault !== false);
  return {
    level: faults.length === 0 ? 'good' : 'bad',
    finding:
      faults.length === 0
        ? `All ${count(rows.synthetic)} do.`
        : `${faults.join('; ')}, of ${count(rows.synthetic)}.`,
    thresholds: 'good: all of them; bad: any other',
  };
}

function fidelity({ fidelity: { ways } }: Figures): Finding | undefined {
  const two = ways.find((score) => score.ways === 2) ?? ways[0];
  if (two === undefined) return undefined;
  const { good, bad } = THRESHOLDS.subsample;
  const { share, bound } = two.asGoodAs;
  const level = share < bad || (share === bad && bound === 'below') ? 'bad' : share < good ? 'watch' : 'good';
  const [worst] = two.worst;
  return {
    level,
    finding:
      `Mean distance of pairs ${three(two.synthetic)} (real hold-out rows: ${three(two.holdOut)}): as good as ` +
      `${subsampleWords(two.asGoodAs)} of the training rows.` +
      (worst === undefined ? '' : ` Worst: ${worst.columns.join(' × ')}, ${three(worst.totalVariation)}.`),
    thresholds: `good: like a sub-sample of ${percent(good, 0)} or more; bad: of less than ${percent(bad, 0)}`,
  };
}

/** "a 12 % sub-sample", "more than an 80 % sub-sample". */
export function subsampleWords({ share, bound }: { readonly share: number; readonly bound: string }): string {
  const text = percent(share, share < 0.1 ? 1 : 0);
  const article = /^(8|11 |18 )/.test(text) ? 'an' : 'a';
  const size = `${article} ${text} sub-sample`;
  return bound === 'above' ? `more than ${size}` : bound === 'below' ? `less than ${size}` : size;
}

function supports({ supports: { collapsed, vanished, invented } }: Figures): Finding {
  const cell = ({ column, value, share }: { column: string; value: string; share: number }): string =>
    `${column} = ${value} (${percent(share)})`;
  const parts = [
    collapsed.length > 0 && `One value only: ${listed(collapsed.map(({ column }) => column))}.`,
    vanished.length > 0 && `Gone: ${listed(vanished.map(cell))}.`,
    invented.length > 0 && `In no training row: ${listed(invented.map(cell))}.`,
  ].filter((part) => part !== false);
  const worst = vanished[0]?.share ?? 0;
  return {
    level: collapsed.length > 0 || worst >= 0.01 ? 'bad' : parts.length > 0 ? 'watch' : 'good',
    finding: parts.length === 0 ? 'Every column keeps its values.' : parts.join(' '),
    thresholds:
      'watch: a value with 10 or more expected rows has none, or 0.1 % of the rows have one that no training row has; bad: a value of 1 % is gone, or a column has one left',
  };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}

function utility(figures: Figures): Finding | undefined {
  const best = figures.utility?.models[0];
  if (figures.utility === undefined || best === undefined) return undefined;
  const loss = best.trainedOnReal.auc - best.trainedOnSynthetic.auc;
  const { good, bad } = THRESHOLDS.aucLoss;
  return {
    level: below(loss, THRESHOLDS.aucLoss),
    finding:
      `Predicting ${figures.utility.label.title} on real rows, ${best.model} reach an AUC of ${three(best.trainedOnSynthetic.auc)} ` +
      `trained on synthetic rows, ${three(best.trainedOnReal.auc)} trained on real ones.`,
    thresholds: `good: a loss of AUC up to ${good}; bad: above ${bad}`,
  };
}

function discriminator({ discriminator: { auc } }: Figures): Finding {
  const { good, bad } = THRESHOLDS.discriminator;
  return {
    level: below(auc.auc, THRESHOLDS.discriminator),
    finding: `Boosted trees tell synthetic from real rows with an AUC of ${three(auc.auc)}; 0.5 is guessing.`,
    thresholds: `good: up to ${good}; bad: above ${bad}`,
  };
}

function groups({ groups: columns }: Figures): Finding | undefined {
  if (columns.length === 0) return undefined;
  let [ratio, rise, least] = [1, 0, 0];
  let [shrunk, worse] = ['', ''];
  for (const { title, groups: found } of columns)
    for (const { group, rows, share, prediction } of found) {
      if (rows.train < JUDGED_GROUP_ROWS) continue;
      const off = Math.max(share.synthetic / share.train, share.train / share.synthetic);
      if (off > ratio) {
        ratio = off;
        shrunk = `${title} = ${group}: ${percent(share.train)} of the training rows, ${percent(share.synthetic)} of the synthetic ones`;
      }
      const more = prediction?.errorRise;
      if (more === undefined || more.lower <= least) continue;
      [rise, least, worse] = [more.share, more.lower, `${title} = ${group}`];
    }
  const levels = [below(ratio, THRESHOLDS.groupRatio), below(least, THRESHOLDS.groupErrorRise)];
  const { groupRatio, groupErrorRise } = THRESHOLDS;
  return {
    level: levels.includes('bad') ? 'bad' : levels.includes('watch') ? 'watch' : 'good',
    finding:
      (shrunk === '' ? 'Group sizes are kept.' : `Furthest from its size: ${shrunk}.`) +
      (worse === ''
        ? ''
        : ` Error rate rises most surely for ${worse}, by ${percent(rise)} (99 %: at least ${percent(least)}).`),
    thresholds: `good: sizes within a factor of ${groupRatio.good}, error surely up by ${percent(groupErrorRise.good, 0)} at most; bad: beyond ${groupRatio.bad} or ${percent(groupErrorRise.bad, 0)}; groups of ${JUDGED_GROUP_ROWS} training rows or more`,
  };
}

function copies({ attacks: { copies: found } }: Figures): Finding {
  const more = found.synthetic.lower > found.holdOut.upper;
  return {
    level: more ? 'bad' : 'good',
    finding: `${percent(found.synthetic.share, 2)} of the synthetic rows equal a training row; of hold-out rows, ${percent(found.holdOut.share, 2)} do.`,
    thresholds: 'bad: certainly (99 % intervals apart) more than of the hold-out rows',
  };
}

function closeness({ attacks: { closeness: found } }: Figures): Finding {
  const { good, bad } = THRESHOLDS.closeness;
  return {
    level: below(found.share.lower, THRESHOLDS.closeness),
    finding: `${percent(found.share.share)} (99 %: ${percent(found.share.lower)} to ${percent(found.share.upper)}) lie closer to training than to hold-out rows; 50 % is expected.`,
    thresholds: `watch: the interval’s lower end is above ${percent(good, 0)}; bad: above ${percent(bad, 0)}`,
  };
}

function membership({ attacks: { membership: found, ceiling } }: Figures): Finding {
  const worst = found.attacks.reduce((a, b) => (b.auc.lower > a.auc.lower ? b : a));
  const { good, bad } = THRESHOLDS.membershipAuc;
  const refuted = ceiling !== undefined && worst.auc.lower > ceiling.auc;
  return {
    level: refuted ? 'bad' : below(worst.auc.lower, THRESHOLDS.membershipAuc),
    finding:
      `The best of ${found.attacks.length} attacks, ${worst.score}, tells training from hold-out rows with an AUC of ${three(worst.auc.auc)} ` +
      `(99 %: ${three(worst.auc.lower)} to ${three(worst.auc.upper)})` +
      (ceiling === undefined ? '.' : `; ε = ${ceiling.epsilon} allows up to ${three(ceiling.auc)}.`) +
      (refuted ? ' More than the stated ε allows: it does not hold.' : ''),
    thresholds: `watch: the interval’s lower end is above ${good}; bad: above ${bad}, or above what ε allows`,
  };
}

function attributes({ attacks: { attributes: found } }: Figures): Finding | undefined {
  const [first] = found;
  if (first === undefined) return undefined;
  const worst = found.reduce((a, b) => (b.risk.lower > a.risk.lower ? b : a), first);
  const { good, bad } = THRESHOLDS.attributeRisk;
  return {
    level: below(worst.risk.lower, THRESHOLDS.attributeRisk),
    finding: `${worst.column} is guessed for ${percent(worst.train.share)} of training and ${percent(worst.control.share)} of hold-out rows: a risk of ${percent(worst.risk.share)} (99 %: ${percent(worst.risk.lower)} to ${percent(worst.risk.upper)}).`,
    thresholds: `watch: the interval’s lower end is above ${percent(good, 0)}; bad: above ${percent(bad, 0)}`,
  };
}
