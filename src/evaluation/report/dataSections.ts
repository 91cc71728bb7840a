import type { Fidelity } from '../fidelity.js';
import { associationCharts, distributionChart, yardstickChart } from './charts.js';
import { count, counted, distance, percent } from './format.js';
import { html, type Markup } from './html.js';
import type { ReportData } from './reportData.js';

/** How close the table is, between the best and the least that one may expect. */
export function fidelitySection({ evaluation }: ReportData): Markup {
  const { fidelity, yardsticks, validity, exactCopies, rows } = evaluation;
  const line = (name: string, note: string, value: Fidelity, main = false): Markup => html`
    <tr class="${main ? 'main' : ''}"><th scope="row">${name}<small>${note}</small></th>
    <td class="n">${count(value.rows)}</td>
    <td class="n">${distance(value.oneWay.mean)}</td>
    <td class="n">${distance(value.oneWay.worst.totalVariation)}<small>${value.oneWay.worst.column}</small></td>
    <td class="n">${distance(value.twoWay.mean)}</td>
    <td class="n">${distance(value.twoWay.worst.totalVariation)}<small>${value.twoWay.worst.columns.join(' × ')}</small></td>
    <td class="n">${distance(value.associationError)}</td></tr>`;
  const valid =
    validity.invalidRows === 0
      ? html`<span class="ok">✓ all ${count(rows.synthetic)} synthetic rows follow the schema</span>`
      : html`<span class="warn">✗ ${counted(validity.invalidRows, 'synthetic row')} break the schema
          (${Object.entries(validity.invalidValues)
            .map(([column, found]) => `${column}: ${count(found)}`)
            .join(', ')})</span>`;
  return html`<section id="fidelity">
    <h2>How close is the synthetic table?</h2>
    <p>Total variation distance compares how often each value (1-way) or pair of values (2-way) occurs:
    0 is equal, 1 has nothing in common. Two yardsticks give it a scale. <em>Independent columns</em> gets every column
    right and every relation wrong, so a useful generator lies below it on pairs. The <em>real hold-out</em> are
    real rows that nobody trained on: nothing new can be expected to come closer. A small table is further away by
    chance alone, so tables are compared at equal size.</p>
    <figure>${yardstickChart(evaluation)}
    <figcaption>Mean 2-way total variation distance from the ${count(rows.real)}
    real training rows, three tables of ${count(yardsticks.rows)} rows each; shorter is better.</figcaption></figure>
    <div class="scroll"><table>
      <caption>Distance from the real table; smaller is better everywhere</caption>
      <thead><tr><th scope="col">Table</th><th scope="col" class="n">Rows</th><th scope="col" class="n">1-way<br>mean</th>
      <th scope="col" class="n">1-way<br>worst column</th><th scope="col" class="n">2-way<br>mean</th>
      <th scope="col" class="n">2-way<br>worst pair</th><th scope="col" class="n">Association<br>error</th></tr></thead>
      <tbody>
      <tr class="group"><th colspan="7" scope="rowgroup">At the size of the hold-out</th></tr>
      ${line('Real hold-out', 'real rows kept from every participant', yardsticks.realHoldOut)}
      ${line('Synthetic', 'the first rows of the released table', yardsticks.synthetic, true)}
      ${line('Independent columns', 'sampled from the real 1-way distributions', yardsticks.independentColumns)}
      <tr class="group"><th colspan="7" scope="rowgroup">At the size of the released table</th></tr>
      ${line('Synthetic', 'the whole released table', fidelity.synthetic, true)}
      ${line('Independent columns', 'sampled from the real 1-way distributions', fidelity.independentColumns)}
      </tbody></table></div>
    <p class="soft">Association error: mean absolute difference of Cramér’s V over all pairs.</p>
    <p>${valid}.<br>
    Smoke test for copying: ${percent(exactCopies.synthetic, 2)} of the synthetic rows equal a real training row in
    every column; of the hold-out, which cannot have been copied, ${percent(exactCopies.holdOut, 2)} do.
    A smoke test can show copying; it proves no privacy. That is what ε is for.</p>
  </section>`;
}

export function distributionsSection({ evaluation }: ReportData): Markup {
  return html`<section id="distributions">
    <h2>Distributions, real beside synthetic</h2>
    <p>Share of rows by value. Solid bars are the real table (${counted(evaluation.rows.real, 'row')}), hatched bars the synthetic
    one (${counted(evaluation.rows.synthetic, 'row')}). Numbers are grouped into the schema’s public bins.</p>
    <div class="two">${evaluation.columns.map(
      (
        column,
      ) => html`<figure><h3>${column.title}<small>distance ${distance(column.totalVariation)}</small></h3>
        ${distributionChart(column)}</figure>`,
    )}</div>
  </section>`;
}

/** Pairs in the table of the worst. */
const WORST_PAIRS = 8;

export function associationSection({ evaluation }: ReportData): Markup {
  const maps = associationCharts({
    columns: evaluation.columns.map(({ name }) => name),
    ...evaluation.association,
  });
  const position = new Map(evaluation.columns.map(({ name }, index) => [name, index]));
  const v = (matrix: readonly (readonly number[])[], [a, b]: readonly [string, string]): string =>
    (matrix[position.get(a) ?? 0]?.[position.get(b) ?? 0] ?? 0).toFixed(2);
  return html`<section id="association">
    <h2>Which columns go together?</h2>
    <p>Cramér’s V between every two columns, corrected for chance: 0 is unrelated, 1 means that one tells the other.
    The third map is synthetic minus real: blue is a relation that the synthetic table lost, orange one that it
    overstates.</p>
    <div class="three">
      <figure><h3>Real</h3>${maps.real}</figure>
      <figure><h3>Synthetic</h3>${maps.synthetic}</figure>
      <figure><h3>Difference</h3>${maps.difference}</figure>
    </div>
    <div class="scroll"><table>
      <caption>The pairs of columns that are reproduced worst, of ${count(evaluation.pairs.length)}</caption>
      <thead><tr><th scope="col">Pair</th><th scope="col" class="n">2-way distance</th><th scope="col" class="n">V real</th>
      <th scope="col" class="n">V synthetic</th></tr></thead>
      <tbody>${evaluation.pairs.slice(0, WORST_PAIRS).map(
        (pair) => html`<tr><th scope="row">${pair.columns.join(' × ')}</th>
        <td class="n">${distance(pair.totalVariation)}</td><td class="n">${v(evaluation.association.real, pair.columns)}</td>
        <td class="n">${v(evaluation.association.synthetic, pair.columns)}</td></tr>`,
      )}</tbody></table></div>
  </section>`;
}
