import type { Assessment } from '../assess.js';
import { membershipChart } from './assessmentCharts.js';
import { count, distance, percent, power } from './format.js';
import { html, type Markup } from './html.js';

const SMOKE = html`<p class="smoke"><strong>Smoke test, no proof.</strong> It can show a leak. That it shows none says that these attacks found
none, not that there is none; only (ε, δ) bounds what any attack can do.</p>`;

export function copyingSection({ attacks: { copies, closeness } }: Assessment): Markup {
  const { share } = closeness;
  return html`<section id="copying">
    <h2>Are training rows copied?</h2>
    ${SMOKE}
    <div class="scroll"><table><caption>All training rows were searched</caption>
      <thead><tr><th scope="col">Measure</th><th scope="col" class="n">Found</th><th scope="col" class="n">99 % interval</th>
      <th scope="col" class="n">Without copying</th></tr></thead>
      <tbody><tr><th scope="row">Exact copies<small>synthetic rows that equal a training row in every column; beside it the same of hold-out rows</small></th>
      <td class="n">${percent(copies.synthetic.share, 2)}</td>
      <td class="n">${percent(copies.synthetic.lower, 2)} to ${percent(copies.synthetic.upper, 2)}</td>
      <td class="n">about ${percent(copies.holdOut.share, 2)}</td></tr>
      <tr><th scope="row">Closer to training rows<small>of ${count(closeness.rows)} synthetic rows, compared with all training and hold-out rows,
      brought to equal numbers of both</small></th>
      <td class="n">${percent(share.share)}</td><td class="n">${percent(share.lower)} to ${percent(share.upper)}</td>
      <td class="n">50 %</td></tr></tbody></table></div>
    <p class="soft">Median distance to the closest training row ${distance(closeness.medianToTrain)}, to the closest hold-out row
    ${distance(closeness.medianToHoldOut)} (Gower: 0 equal, 1 different in every column). Distances to the closest record are no measure of
    privacy (Yao et al. 2025).</p>
  </section>`;
}

export function membershipSection({ attacks: { membership, ceiling } }: Assessment): Markup {
  return html`<section id="membership">
    <h2>Can one tell who was in?</h2>
    ${SMOKE}
    <p>From the synthetic table, and ${count(membership.reference)} real rows for comparison, three attacks score ${count(membership.members)}
    training rows and ${count(membership.nonMembers)} hold-out rows. Half of the rows of each kind choose the threshold, the other half tell the advantage.</p>
    <div class="two"><div class="scroll"><table class="tight"><caption>Higher is worse; with 99 % intervals</caption>
      <thead><tr><th scope="col">Attack</th><th scope="col" class="n">AUC<small>DeLong</small></th><th scope="col" class="n">Advantage<small>Clopper-Pearson</small></th>
      <th scope="col" class="n">Found at 1 %<br>false alarms</th></tr></thead>
      <tbody>${membership.attacks.map(
        ({ score, auc, advantage, tprAtOnePercentFpr }) => html`<tr><th scope="row">${score}</th>
        <td class="n">${distance(auc.auc)}<small>${distance(auc.lower)} to ${distance(auc.upper)}</small></td>
        <td class="n">${percent(advantage.share)}<small>${percent(advantage.lower)} to ${percent(advantage.upper)}</small></td>
        <td class="n">${percent(tprAtOnePercentFpr)}</td></tr>`,
      )}
      <tr><th scope="row">Guessing</th><td class="n">0.500</td><td class="n">0.0 %</td><td class="n">1.0 %</td></tr>
      ${
        ceiling === undefined
          ? ''
          : html`<tr class="main"><th scope="row">Most that ε = ${ceiling.epsilon}, δ = ${power(ceiling.delta)} allows</th><td class="n">${distance(ceiling.auc)}</td>
      <td class="n">${percent(ceiling.advantage)}</td><td class="n">${percent(ceiling.tprAtOnePercentFpr)}</td></tr>`
      }</tbody></table>
      ${ceiling === undefined ? html`<p class="soft">With --epsilon and --delta, the most that they allow stands here beside.</p>` : ''}</div>
    <figure>${membershipChart(membership, ceiling)}<figcaption>ROC curves of the attacks; near the diagonal is good.</figcaption></figure></div>
  </section>`;
}

export function attributeSection({ attacks: { attributes } }: Assessment): Markup {
  return html`<section id="attributes">
    <h2>Can one guess what is left out?</h2>
    ${SMOKE}
    ${
      attributes.length === 0
        ? html`<p>Not measured: there is neither a label nor a protected column to guess.</p>`
        : html`<p>Whoever knows all other columns of a person looks up the nearest synthetic row. What succeeds for hold-out rows too is general
    knowledge; only the difference is about those who were in (Giomi et al. 2023).</p>
    <div class="scroll"><table class="tight"><caption>Right guesses, with 99 % intervals of the risk</caption>
      <thead><tr><th scope="col">Column</th><th scope="col" class="n">Training rows</th><th scope="col" class="n">Hold-out rows</th>
      <th scope="col" class="n">Always the most frequent</th><th scope="col" class="n">Risk</th></tr></thead>
      <tbody>${attributes.map(
        ({
          column,
          train,
          control,
          majority,
          risk,
        }) => html`<tr><th scope="row">${column}</th><td class="n">${percent(train.share)}</td>
        <td class="n">${percent(control.share)}</td><td class="n">${percent(majority)}</td>
        <td class="n">${percent(risk.share)}<small>${percent(risk.lower)} to ${percent(risk.upper)}</small></td></tr>`,
      )}</tbody></table></div>`
    }
  </section>`;
}
