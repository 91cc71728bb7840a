import type { Assessment } from '../assess.js';
import type { ModelScore } from '../classScores.js';
import type { GroupScores } from '../groups.js';
import { type NamedCurve, rocChart } from './assessmentCharts.js';
import { COLOURS } from './chart.js';
import { count, distance, percent } from './format.js';
import { html, type Markup } from './html.js';

/** Does it train a model? */
export function utilitySection({ utility }: Assessment): Markup {
  if (utility === undefined)
    return html`<section id="utility"><h2>Does it train a model?</h2>
      <p>Not measured: no column is the label. Name one with --label, or with chorale:label in the schema.</p></section>`;
  const { label, rows, models } = utility;
  const binary = label.classes.length === 2;
  const [trees] = models;
  const line = (model: string, source: string, score: ModelScore, main: boolean): Markup => html`
    <tr class="${main ? 'main' : ''}"><th scope="row">${model}<small>trained on ${source}</small></th><td class="n">${distance(score.auc)}</td>
    <td class="n">${distance(score.f1)}</td><td class="n">${percent(score.accuracy)}</td></tr>`;
  const curves: NamedCurve[] = binary
    ? models.flatMap(({ model, trainedOnSynthetic, trainedOnReal }, i) => {
        const dash = i === 0 ? {} : { dash: [6, 4] };
        const points = (score: ModelScore) => score.roc[0]?.points ?? [];
        return [
          { name: `${model}, on real`, points: points(trainedOnReal), color: COLOURS.real, ...dash },
          {
            name: `${model}, on synthetic`,
            points: points(trainedOnSynthetic),
            color: COLOURS.synthetic,
            ...dash,
          },
        ];
      })
    : [];
  return html`<section id="utility">
    <h2>Does it train a model?</h2>
    <p>${label.title} predicted from all other columns, by the same models with the same fixed parameters, trained once on
    ${count(rows.synthetic)} synthetic and once on ${count(rows.train)} training rows, and tested on ${count(rows.test)} real hold-out
    rows that neither the generator nor a model has met. ${
      binary
        ? `Positive class: ${label.classes[1]!}.`
        : 'AUC and F1 are means over the classes, each against the others.'
    }</p>
    <div class="two"><div>
    <div class="scroll"><table><caption>On the hold-out rows; more is better</caption>
      <thead><tr><th scope="col">Model</th><th scope="col" class="n">AUC</th><th scope="col" class="n">F1</th>
      <th scope="col" class="n">Accuracy</th></tr></thead>
      <tbody>${models.map(
        ({
          model,
          trainedOnSynthetic,
          trainedOnReal,
        }) => html`${line(model, 'synthetic rows', trainedOnSynthetic, true)}
        ${line(model, 'real rows', trainedOnReal, false)}`,
      )}</tbody></table></div>
    ${trees === undefined ? '' : perClass(trees)}
    </div><div>
    ${
      binary
        ? html`<figure>${rocChart(`ROC curves of predicting ${label.title}`, curves)}
          <figcaption>ROC curves on the hold-out rows; blue trained on real rows, orange on synthetic ones.</figcaption></figure>`
        : classCharts(utility)
    }
    </div></div>
  </section>`;
}

/** A mean hides a class that cannot be learnt (hazard D11). */
function perClass({
  trainedOnSynthetic,
  trainedOnReal,
}: NonNullable<Assessment['utility']>['models'][number]): Markup {
  return html`<div class="scroll"><table><caption>By class, boosted trees: trained on synthetic rows / on real rows</caption>
    <thead><tr><th scope="col">Class</th><th scope="col" class="n">Rows</th><th scope="col" class="n">AUC</th>
    <th scope="col" class="n">Precision</th><th scope="col" class="n">Recall</th></tr></thead>
    <tbody>${trainedOnSynthetic.classes.map((made) => {
      const real = trainedOnReal.classes.find((score) => score.class === made.class) ?? made;
      return html`<tr><th scope="row">${made.class}</th><td class="n">${count(made.rows)}</td>
      <td class="n">${distance(made.auc.auc)} / ${distance(real.auc.auc)}</td>
      <td class="n">${percent(made.precision)} / ${percent(real.precision)}</td>
      <td class="n">${percent(made.recall)} / ${percent(real.recall)}</td></tr>`;
    })}</tbody></table></div>`;
}

/** Of many classes the most frequent. */
const CLASS_CHARTS = 2;

function classCharts({ models: [trees] }: NonNullable<Assessment['utility']>): Fragments {
  if (trees === undefined) return [];
  const { trainedOnSynthetic: made, trainedOnReal: real } = trees;
  const frequent = [...made.classes].sort((a, b) => b.rows - a.rows).slice(0, CLASS_CHARTS);
  return frequent.map(({ class: name }) => {
    const points = (score: ModelScore) => score.roc.find((curve) => curve.class === name)?.points ?? [];
    return html`<figure><h3>${name}<small>boosted trees, against the other classes</small></h3>
      ${rocChart(`ROC curves of the class ${name}`, [
        { name: 'trained on real', points: points(real), color: COLOURS.real },
        { name: 'trained on synthetic', points: points(made), color: COLOURS.synthetic, dash: [6, 4] },
      ])}</figure>`;
  });
}
type Fragments = readonly Markup[];

export function discriminatorSection({ discriminator, propensity }: Assessment): Markup {
  const { auc, rows } = discriminator;
  return html`<section id="discriminator">
    <h2>Can it be told from real rows?</h2>
    <p>Boosted trees learn to tell ${count(rows)} synthetic from ${count(rows)} real hold-out rows, and judge rows that they have not met
    (five-fold). Their AUC is <strong>${distance(auc.auc)}</strong> (95 %: ${distance(auc.lower)} to ${distance(auc.upper)});
    0.5 is guessing, 1 is certain. Any difference counts, also one that nobody would mind, so this is the strictest figure here.</p>
    ${
      propensity === undefined
        ? ''
        : html`<p>Propensity score mean squared error (Snoke et al. 2018, logistic regression on single columns):
    ${propensity.pmse.toExponential(2)}, where ${propensity.expected.toExponential(2)} ± ${propensity.deviation.toExponential(1)} is expected of a
    right synthesis: ${propensity.ratio.toFixed(1)} times as much. Noise for privacy alone makes it more than one.</p>`
    }
  </section>`;
}

/** Groups in a table. */
const SHOWN_GROUPS = 15;

export function groupsSection({ groups }: Assessment): Markup {
  return html`<section id="groups">
    <h2>Does it serve every group?</h2>
    ${
      groups.length === 0
        ? html`<p>Not measured: no column is protected. Name columns with --protected, or with chorale:protected in the schema.</p>`
        : html`<p>A mean hides a rare group that vanished or that a model fails. Pair distances of a group are of as many synthetic as
      hold-out rows, on coarse cells; they and the predictions are left out for groups of fewer than 50 rows. Predictions are
      the boosted trees’: trained on synthetic rows / on real rows; the group with the most errors is marked.</p>${groups.map(groupTable)}`
    }
  </section>`;
}

function groupTable({ title, groups, fairness }: GroupScores): Markup {
  const shown = [...groups].sort((a, b) => b.rows.train - a.rows.train).slice(0, SHOWN_GROUPS);
  const both = (
    made: number | undefined,
    real: number | undefined,
    text: (value: number) => string,
  ): string =>
    made === undefined && real === undefined
      ? '–'
      : `${made === undefined ? '–' : text(made)} / ${real === undefined ? '–' : text(real)}`;
  const errors = groups.flatMap(({ prediction }) =>
    prediction === undefined ? [] : [prediction.onSynthetic.error],
  );
  const worst = Math.max(...errors);
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  return html`<h3>${title}</h3><div class="scroll"><table>
    <thead><tr><th scope="col">Group</th><th scope="col" class="n">Training<br>rows</th><th scope="col" class="n">Synthetic<br>rows</th>
    <th scope="col" class="n">Pair distance<br>synthetic / hold-out</th><th scope="col" class="n">Error rate</th>
    <th scope="col" class="n">AUC</th><th scope="col" class="n">True<br>positives</th><th scope="col" class="n">Predicted<br>positive</th></tr></thead>
    <tbody>${shown.map(
      ({
        group,
        share,
        twoWay,
        prediction,
      }) => html`<tr class="${prediction?.onSynthetic.error === worst && errors.length > 1 ? 'main' : ''}">
      <th scope="row">${group}</th><td class="n">${percent(share.train)}</td>
      <td class="n">${share.train > 0 && share.synthetic === 0 ? html`<span class="warn">none</span>` : percent(share.synthetic)}</td>
      <td class="n">${both(twoWay?.synthetic, twoWay?.holdOut, distance)}</td>
      <td class="n">${both(prediction?.onSynthetic.error, prediction?.onReal.error, percent)}</td>
      <td class="n">${both(prediction?.onSynthetic.auc, prediction?.onReal.auc, distance)}</td>
      <td class="n">${both(prediction?.onSynthetic.truePositiveRate, prediction?.onReal.truePositiveRate, percent)}</td>
      <td class="n">${both(prediction?.onSynthetic.selectionRate, prediction?.onReal.selectionRate, percent)}</td></tr>`,
    )}</tbody></table></div>
    <p class="soft">${groups.length > shown.length ? `${groups.length - shown.length} smaller groups are in the JSON. ` : ''}${
      errors.length > 1
        ? `Error rate when trained on synthetic rows: worst group ${percent(worst)}, mean of the groups ${percent(mean)}. `
        : ''
    }${
      fairness === undefined
        ? ''
        : `Largest difference between groups, trained on synthetic / on real rows: predicted positive (demographic parity) ${both(
            fairness.onSynthetic.demographicParity,
            fairness.onReal.demographicParity,
            percent,
          )}; true or false positive rate (equalised odds) ${both(
            fairness.onSynthetic.equalizedOdds,
            fairness.onReal.equalizedOdds,
            percent,
          )}.`
    }</p>`;
}
