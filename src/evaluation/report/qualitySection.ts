import type { CustomSeriesRenderItem } from 'echarts';
import { axisLine, axisName, axisText, COLOURS, chart, splitLine } from './chart.js';
import { count, counted, distance, epsilon, percent } from './format.js';
import { html, type Markup } from './html.js';

export interface MeasuredFigure {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** One release, as the federation measured it: every figure of one noisy sum. */
export interface MeasuredRelease {
  readonly runId: string;
  readonly synthesizer: string;
  /** Spent by the run's own sums, at the page's δ, and by the sum that measured it. */
  readonly epsilon: number | null;
  readonly epsilonOfMeasurement: number | null;
  readonly contributors: number;
  readonly confidence: number;
  readonly records: MeasuredFigure;
  readonly oneWay: { readonly mean: MeasuredFigure; readonly sampling: number };
  readonly twoWay: {
    readonly cells: number;
    readonly mean: MeasuredFigure;
    readonly sampling: number;
    readonly independentColumns: MeasuredFigure;
    readonly worst: readonly {
      readonly columns: readonly [string, string];
      readonly distance: MeasuredFigure;
    }[];
  };
  readonly label: { readonly column: string; readonly area: MeasuredFigure } | null;
  readonly attackAdvantage: MeasuredFigure;
}

/** What is published of the releases' quality; the page's exact figures are not (hazard D7). */
export function qualitySection(measured: readonly MeasuredRelease[], evaluated?: string): Markup {
  const [first] = measured;
  if (first === undefined) return html``;
  const label = measured.find((release) => release.label !== null)?.label?.column;
  const hasLabel = label !== undefined;
  return html`<section id="quality">
    <h2>Quality, measured by a noisy sum in the federation</h2>
    <p>Nobody has the real table. Each member counted its own held-out rows, which nobody trained on, about ${count(first.records.estimate)} in all:
    in the cells of every column and pair${hasLabel ? ', by the score of a classifier that was trained on synthetic rows' : ''} and by their distance to synthetic rows.
    One secure sum of these counts, with noise, was opened for each release, with its own ε in the ledger. <strong>These are the figures that are
    published</strong>; intervals are of ${percent(first.confidence, 0)}.</p>
    <figure>${distanceChart(measured)}
    <figcaption>Mean total variation over pairs of columns, on at most ${count(first.twoWay.cells)} cells a column; 0 is equal, shorter is better. Lines are the
    intervals that the noise leaves. The yardsticks come of the same sums: real columns taken as independent, and what a perfect table
    would show on so few rows.</figcaption></figure>
    <div class="scroll"><table>
      <caption>Both releases of this federation, under one limit</caption>
      <thead><tr><th scope="col">Release</th><th scope="col" class="n">ε of<br>its sums</th><th scope="col" class="n">ε of this<br>measurement</th>
      <th scope="col" class="n">Single columns</th><th scope="col" class="n">Pairs of columns</th>
      ${hasLabel ? html`<th scope="col" class="n">Area under ROC<br>for ${label}</th>` : ''}<th scope="col" class="n">Attack advantage</th></tr></thead>
      <tbody>${measured.map(
        (
          release,
        ) => html`<tr><th scope="row">${release.synthesizer}<small>run ${release.runId}, ${counted(release.contributors, 'member')} counted</small></th>
        <td class="n">${epsilon(release.epsilon)}</td><td class="n">${epsilon(release.epsilonOfMeasurement)}</td>
        <td class="n">${figure(release.oneWay.mean)}</td><td class="n">${figure(release.twoWay.mean)}</td>
        ${hasLabel ? html`<td class="n">${release.label === null ? '–' : figure(release.label.area)}</td>` : ''}
        <td class="n">${figure(release.attackAdvantage)}</td></tr>`,
      )}
      <tr class="group"><th colspan="${hasLabel ? 7 : 6}" scope="rowgroup">Yardsticks</th></tr>
      <tr><th scope="row">Independent columns<small>the real columns, every relation lost</small></th><td class="n">–</td><td class="n">–</td>
        <td class="n">–</td><td class="n">${figure(first.twoWay.independentColumns)}</td>${hasLabel ? html`<td class="n">0.500</td>` : ''}<td class="n">–</td></tr>
      <tr><th scope="row">A perfect table<small>as far as so few held-out rows can tell</small></th><td class="n">–</td><td class="n">–</td>
        <td class="n">${distance(first.oneWay.sampling)}</td><td class="n">${distance(first.twoWay.sampling)}</td>${hasLabel ? html`<td class="n">–</td>` : ''}<td class="n">0.000</td></tr>
      </tbody></table></div>
    <p>${measured.map(({ synthesizer, twoWay: { worst } }) =>
      worst[0] === undefined
        ? html``
        : html`Furthest of all pairs for ${synthesizer}: ${worst[0].columns.join(' × ')}, ${distance(worst[0].distance.estimate)} (${distance(worst[0].distance.lower)} to ${distance(worst[0].distance.upper)}). `,
    )}</p>
    <p class="soft">Attack advantage: how much better than chance the nearest of the published synthetic rows tells a training row from a held-out one. A smoke test
    of copying; it proves no privacy. That is what ε is for.</p>
    <p><strong>All other figures of real rows on this page have no noise.</strong> They are the demo’s own, for you at this machine: no deployment could reckon them,
    and publishing them would be a release of its own.${evaluated === undefined ? '' : ` They are about the table of ${evaluated}.`}</p>
  </section>`;
}

function figure({ estimate, lower, upper }: MeasuredFigure): Markup {
  return html`${distance(estimate)}<small>${distance(lower)} to ${distance(upper)}</small>`;
}

/** A point and its interval a line, releases first, yardsticks below. */
function distanceChart(measured: readonly MeasuredRelease[]): Markup {
  const first = measured[0] as MeasuredRelease;
  const perfect = first.twoWay.sampling;
  const lines = [
    ...measured.map(({ synthesizer, twoWay }) => ({
      name: synthesizer,
      ...twoWay.mean,
      colour: COLOURS.synthetic,
    })),
    { name: 'independent columns', ...first.twoWay.independentColumns, colour: COLOURS.soft },
    { name: 'a perfect table', estimate: perfect, lower: perfect, upper: perfect, colour: COLOURS.real },
  ];
  const whisker: CustomSeriesRenderItem = (_, api) => {
    const row = api.value(0);
    const [x1, y] = api.coord([api.value(1), row]) as [number, number];
    const [x2] = api.coord([api.value(2), row]) as [number, number];
    const style = { stroke: COLOURS.ink, lineWidth: 1.5 };
    const line = (from: readonly [number, number], to: readonly [number, number]) => ({
      type: 'line' as const,
      shape: { x1: from[0], y1: from[1], x2: to[0], y2: to[1] },
      style,
    });
    const ends = x2 > x1 ? [line([x1, y - 5], [x1, y + 5]), line([x2, y - 5], [x2, y + 5])] : [];
    return { type: 'group', children: [line([x1, y], [x2, y]), ...ends] };
  };
  const said = lines.map(({ name, estimate }) => `${name} ${distance(estimate)}`).join(', ');
  return chart(
    { width: 900, height: 70 + 42 * lines.length },
    `Mean distance over pairs of columns: ${said}`,
    {
      grid: { left: 170, right: 60, top: 8, bottom: 46 },
      xAxis: {
        type: 'value',
        min: 0,
        name: 'mean total variation over pairs',
        ...axisName,
        nameGap: 28,
        axisLabel: axisText,
        splitLine,
      },
      yAxis: {
        type: 'category',
        inverse: true,
        data: lines.map(({ name }) => name),
        axisLabel: { ...axisText, fontSize: 13, color: COLOURS.ink },
        axisLine,
        axisTick: { show: false },
      },
      series: [
        {
          type: 'bar',
          barWidth: 14,
          silent: true,
          data: lines.map(({ estimate, colour }) => ({
            value: Number(estimate.toFixed(4)),
            itemStyle: { color: colour },
          })),
        },
        {
          type: 'custom',
          silent: true,
          renderItem: whisker,
          encode: { x: [1, 2], y: 0 },
          data: lines.map(({ lower, upper }, row) => [row, lower, upper]),
          z: 3,
        },
      ],
    },
  );
}
