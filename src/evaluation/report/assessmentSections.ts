import type { Assessment } from '../assess.js';
import type { ColumnEvaluation } from '../evaluate.js';
import { type Level, subsampleWords } from '../verdict.js';
import { planeChart, subsampleChart } from './assessmentCharts.js';
import { associationCharts, distributionChart } from './charts.js';
import { count, counted, distance, percent } from './format.js';
import { html, type Markup } from './html.js';

export const LEVELS: Readonly<Record<Level, Markup>> = {
  good: html`<span class="level ok">✓ good</span>`,
  watch: html`<span class="level watch">! watch</span>`,
  bad: html`<span class="level warn">✗ bad</span>`,
};

export function verdictSection({ verdicts }: Assessment): Markup {
  return html`<section id="verdict">
    <h2>In short</h2>
    <div class="scroll"><table class="verdicts">
      <caption>What was found, and what is called good or bad here</caption>
      <thead><tr><th scope="col">Question</th><th scope="col">Verdict</th><th scope="col">Found</th></tr></thead>
      <tbody>${verdicts.map(
        ({ topic, level, finding, thresholds, smokeTest }) => html`<tr><th scope="row">${topic}
        ${smokeTest ? html`<small>smoke test, no proof</small>` : ''}</th><td>${LEVELS[level]}</td>
        <td>${finding}<small>${thresholds}</small></td></tr>`,
      )}</tbody></table></div>
    <p class="soft">The thresholds are the house’s own, the same for every table. A smoke test can find a leak; that it
    finds none proves no privacy: that is what ε is for.</p>
  </section>`;
}

const WAYS = ['', 'Single columns', 'Pairs', 'Triples, on coarse cells'];
/** Tuples in a table of the worst. */
const WORST = 8;

export function fidelitySection({ fidelity, rows }: Assessment): Markup {
  const pairs = fidelity.ways.find(({ ways }) => ways === 2);
  return html`<section id="fidelity">
    <h2>How close is the synthetic table?</h2>
    <p>Total variation distance from the ${count(rows.train)} training rows: half the sum of the differences between the
    shares of all values (or pairs, or triples of values); 0 is equal, 1 has nothing in common. Numbers are compared on
    cells of about equal mass, with values that many rows hold in cells of their own. Sampling alone makes a table differ, so
    each distance is held against random sub-samples of the training rows.</p>
    <figure>${subsampleChart(fidelity)}
    <figcaption>Where an orange mark meets its line is the sub-sample that is as far from the training rows as the
    synthetic table is: further right is better.</figcaption></figure>
    <div class="scroll"><table>
      <caption>Mean distance from the training rows; smaller is better</caption>
      <thead><tr><th scope="col"></th><th scope="col" class="n">Compared</th><th scope="col" class="n">Synthetic</th>
      <th scope="col" class="n">Real hold-out (${count(rows.real)} rows)</th><th scope="col">As good as</th></tr></thead>
      <tbody>${fidelity.ways.map(
        (score) => html`<tr><th scope="row">${WAYS[score.ways]!}</th><td class="n">${count(score.tuples)}</td>
        <td class="n">${distance(score.synthetic)}</td><td class="n">${distance(score.holdOut)}</td>
        <td>${subsampleWords(score.asGoodAs)}</td></tr>`,
      )}</tbody></table></div>
    <p>k-marginal score after NIST, 1000 · (1 − mean distance of triples): ${count(fidelity.kMarginalScore.synthetic)};
    the real hold-out has ${count(fidelity.kMarginalScore.holdOut)}.</p>
    ${
      pairs === undefined
        ? ''
        : html`<div class="scroll"><table><caption>The pairs of columns that are reproduced worst, of ${count(pairs.tuples)}</caption>
      <thead><tr><th scope="col">Pair</th><th scope="col" class="n">Distance</th></tr></thead>
      <tbody>${pairs.worst.slice(0, WORST).map(
        (pair) => html`<tr><th scope="row">${pair.columns.join(' × ')}</th>
        <td class="n">${distance(pair.totalVariation)}</td></tr>`,
      )}</tbody></table></div>`
    }
  </section>`;
}

/** Columns on the page, and cells in a chart; the JSON has all. */
const SHOWN_COLUMNS = 24;
const SHOWN_CELLS = 20;

export function distributionsSection({ columns, rows }: Assessment): Markup {
  const shown = columns.slice(0, SHOWN_COLUMNS);
  const rest = columns.length - shown.length;
  return html`<section id="distributions">
    <h2>Distributions, worst first</h2>
    <p>Share of rows by value. Solid bars are the training rows (${count(rows.train)}), hatched bars the synthetic ones
    (${count(rows.synthetic)}).${rest > 0 ? ` ${counted(rest, 'further column')}, closer than these, are in the JSON.` : ''}</p>
    <div class="two">${shown.map(
      (
        column,
      ) => html`<figure><h3>${column.title}<small>distance ${distance(column.totalVariation)}</small></h3>
        ${distributionChart(shownCells(column))}</figure>`,
    )}</div>
  </section>`;
}

/** Of many categories those with the largest shares, and the others together. */
function shownCells(column: ColumnEvaluation): ColumnEvaluation {
  const { labels, real, synthetic } = column;
  if (labels.length <= SHOWN_CELLS) return column;
  const order = [...labels.keys()].sort(
    (a, b) => Math.max(real[b]!, synthetic[b]!) - Math.max(real[a]!, synthetic[a]!),
  );
  const [kept, others] = [order.slice(0, SHOWN_CELLS - 1), order.slice(SHOWN_CELLS - 1)];
  const shares = (of: readonly number[]): number[] => [
    ...kept.map((cell) => of[cell]!),
    others.reduce((sum, cell) => sum + of[cell]!, 0),
  ];
  return {
    ...column,
    labels: [...kept.map((cell) => labels[cell]!), `${others.length} others`],
    real: shares(real),
    synthetic: shares(synthetic),
  };
}

export function associationSection({ association }: Assessment): Markup {
  const maps = associationCharts(association);
  return html`<section id="association">
    <h2>Which columns go together?</h2>
    <p>Cramér’s V between every two columns, corrected for chance: 0 is unrelated, 1 means that one tells the other. The third
    map is synthetic minus real: blue is a relation that the synthetic table lost, orange one that it overstates. Mean
    difference: ${distance(association.error)}.</p>
    <div class="three">
      <figure><h3>Real</h3>${maps.real}</figure>
      <figure><h3>Synthetic</h3>${maps.synthetic}</figure>
      <figure><h3>Difference</h3>${maps.difference}</figure>
    </div>
  </section>`;
}

export function planeSection({ plane }: Assessment): Markup {
  return html`<section id="plane">
    <h2>Both tables in one plane</h2>
    <p>The two directions in which the real rows spread most (principal components of their one-hot cells), and ${count(plane.real.length)}
    random rows of each table on them. The clouds should have the same shape, the same clusters and no cluster of their own.</p>
    <div class="two">
      <figure><h3>Real</h3>${planeChart(plane, 'real')}</figure>
      <figure><h3>Synthetic</h3>${planeChart(plane, 'synthetic')}</figure>
    </div>
  </section>`;
}

export function validitySection({ validity, supports, rows }: Assessment): Markup {
  const list = (title: string, items: readonly string[]): Markup =>
    html`<h3>${title}</h3>${
      items.length === 0
        ? html`<p>None.</p>`
        : html`<ul>${items.slice(0, SHOWN_CELLS).map((item) => html`<li>${item}</li>`)}
      ${items.length > SHOWN_CELLS ? html`<li>and ${items.length - SHOWN_CELLS} more, in the JSON</li>` : ''}</ul>`
    }`;
  const { distinctRows } = supports;
  return html`<section id="validity">
    <h2>Is every row possible, and is anything gone?</h2>
    <div class="two"><div>
    ${list(
      'Values outside the schema',
      Object.entries(validity.invalidValues).map(
        ([column, values]) => `${column}: ${counted(values, 'value')}`,
      ),
    )}
    ${list(
      'Constraints that are broken',
      validity.constraints
        .filter(({ synthetic, real }) => synthetic + real > 0)
        .map(
          ({ constraint, synthetic, real }) =>
            `${constraint}: ${counted(synthetic, 'synthetic row')}, ${counted(real, 'real row')}`,
        ),
    )}
    <p class="soft">${
      validity.constraints.length === 0
        ? 'The schema states no constraints.'
        : `The schema states ${counted(validity.constraints.length, 'constraint')}.`
    } ${counted(validity.invalidRows, 'row')} of ${count(rows.synthetic)} have an invalid value; they are in no other figure.</p>
    <p>Among ${count(distinctRows.rows)} rows, ${percent(distinctRows.synthetic)} of the synthetic ones differ from each other, and
    ${percent(distinctRows.train)} of the training ones.</p>
    </div><div>
    ${list(
      'Columns with one value left',
      supports.collapsed.map(
        ({ column, value, realShare }) =>
          `${column}: always ${value}; it is ${percent(realShare)} of the training rows`,
      ),
    )}
    ${list(
      'Values that no synthetic row has, where ten or more would be expected',
      supports.vanished.map(
        ({ column, value, share }) => `${column} = ${value} (${percent(share, 2)} of the training rows)`,
      ),
    )}
    ${list(
      'Values that no training row has',
      supports.invented.map(
        ({ column, value, share }) => `${column} = ${value} (${percent(share, 2)} of the synthetic rows)`,
      ),
    )}
    </div></div>
  </section>`;
}
