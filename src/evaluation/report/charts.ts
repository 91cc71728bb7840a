import type { ColumnEvaluation, Evaluation } from '../evaluate.js';
import { axisLine, axisName, axisText, COLOURS, chart, HATCH, shorten, splitLine } from './chart.js';
import { distance } from './format.js';
import type { Markup } from './html.js';

const SYNTHETIC_BAR = { color: COLOURS.synthetic, decal: HATCH };

/** Paired bars of one column: real solid, synthetic hatched. Long labels lie on their side. */
export function distributionChart(column: ColumnEvaluation): Markup {
  const cells = column.labels.length;
  const sideways = column.labels.some((label) => label.length > 7) || cells > 16;
  const labels = { type: 'category' as const, data: column.labels.map((label) => shorten(label, 22)) };
  const shares = { type: 'value' as const, axisLabel: { ...axisText, formatter: '{value} %' }, splitLine };
  const series = (name: string, values: readonly number[], itemStyle: object) => ({
    name,
    type: 'bar' as const,
    data: values.map((share) => Number((100 * share).toFixed(3))),
    itemStyle,
    barGap: '8%',
    barCategoryGap: '28%',
    silent: true,
  });
  const categories = {
    ...labels,
    axisLabel: { ...axisText, interval: 0 },
    axisLine,
    axisTick: { show: false },
  };
  return chart(
    { width: 520, height: sideways ? 56 + 27 * cells : 260 },
    `${column.title}: shares by value, real beside synthetic, total variation ${distance(column.totalVariation)}`,
    {
      grid: sideways
        ? { left: 142, right: 18, top: 30, bottom: 26 }
        : { left: 46, right: 10, top: 34, bottom: cells > 10 ? 46 : 28 },
      legend: {
        data: ['real', 'synthetic'],
        top: 0,
        right: 4,
        itemWidth: 14,
        itemHeight: 10,
        textStyle: axisText,
      },
      xAxis: sideways
        ? shares
        : {
            ...categories,
            axisLabel: { ...categories.axisLabel, rotate: column.kind === 'bins' && cells > 7 ? 40 : 0 },
          },
      yAxis: sideways ? { ...categories, inverse: true } : shares,
      series: [
        series('real', column.real, { color: COLOURS.real }),
        series('synthetic', column.synthetic, SYNTHETIC_BAR),
      ],
    },
  );
}

const SEQUENTIAL = ['#f7fafc', '#c6dcec', '#7fb3d5', '#2f83bd', '#0b4f86', '#062f55'];
const DIVERGING = ['#0b4f86', '#7fb3d5', '#f7f7f5', '#f0a871', '#b34700'];

/** A square of numbers over columns × columns; `span` is 1 (0 to 1) for V, or the largest difference for ±. */
function heatMap(
  names: readonly string[],
  matrix: readonly (readonly number[])[],
  what: string,
  diverging: boolean,
) {
  const largest = Math.max(0.01, ...matrix.flat().map(Math.abs));
  const span = diverging ? Math.max(0.1, Math.ceil(largest * 10) / 10) : 1;
  const cells = matrix.flatMap((row, i) =>
    row.flatMap((value, j) => {
      const dark = Math.abs(value) / span > 0.55;
      const label = { color: dark ? '#ffffff' : COLOURS.ink };
      return i === j ? [] : [{ value: [j, i, Number(value.toFixed(3))], label }];
    }),
  );
  const axis = {
    type: 'category' as const,
    data: names.map((name) => shorten(name, 13)),
    axisTick: { show: false },
    axisLine: { show: false },
    splitArea: { show: false },
  };
  const size = 26 * names.length;
  return chart({ width: size + 116, height: size + 146 }, `${what}: heat map over ${names.length} columns`, {
    grid: { left: 102, right: 10, top: 6, bottom: 138 },
    xAxis: { ...axis, axisLabel: { ...axisText, rotate: 90, interval: 0 } },
    yAxis: { ...axis, inverse: true, axisLabel: { ...axisText, interval: 0 } },
    visualMap: {
      min: diverging ? -span : 0,
      max: span,
      calculable: false,
      orient: 'horizontal',
      left: 82,
      bottom: 2,
      itemWidth: 10,
      itemHeight: Math.max(80, size - 70),
      precision: 1,
      text: diverging ? [`+${span.toFixed(1)}`, `−${span.toFixed(1)}`] : ['1', '0'],
      textStyle: axisText,
      inRange: { color: diverging ? DIVERGING : SEQUENTIAL },
    },
    series: [
      {
        type: 'heatmap',
        data: cells,
        silent: true,
        itemStyle: { borderColor: '#ffffff', borderWidth: 1.5 },
        label: {
          show: names.length <= 16,
          fontSize: 9,
          formatter: (item) => twoDigits((item.value as number[])[2] ?? 0, diverging),
        },
      },
    ],
  });
}

/** .42 rather than 0.42: a cell is small. */
function twoDigits(value: number, signed: boolean): string {
  const text = Math.abs(value).toFixed(2).replace(/^0/, '');
  if (text === '.00') return '0';
  return value < 0 ? `−${text}` : signed ? `+${text}` : text;
}

export interface AssociationCharts {
  readonly real: Markup;
  readonly synthetic: Markup;
  readonly difference: Markup;
}

/** Of the two matrices over `columns`, and of their difference. */
export function associationCharts({
  columns: names,
  real,
  synthetic,
}: {
  readonly columns: readonly string[];
  readonly real: readonly (readonly number[])[];
  readonly synthetic: readonly (readonly number[])[];
}): AssociationCharts {
  const difference = synthetic.map((row, i) => row.map((value, j) => value - (real[i]?.[j] ?? 0)));
  return {
    real: heatMap(names, real, 'Association in the real table, Cramér’s V', false),
    synthetic: heatMap(names, synthetic, 'Association in the synthetic table, Cramér’s V', false),
    difference: heatMap(names, difference, 'Synthetic minus real association', true),
  };
}

/** Where the synthetic table lies between the two yardsticks: mean distance of pairs, shorter is better. */
export function yardstickChart({ yardsticks }: Evaluation): Markup {
  const bars = [
    { name: 'Real hold-out', value: yardsticks.realHoldOut.twoWay.mean, itemStyle: { color: COLOURS.real } },
    { name: 'Synthetic', value: yardsticks.synthetic.twoWay.mean, itemStyle: SYNTHETIC_BAR },
    {
      name: 'Independent columns',
      value: yardsticks.independentColumns.twoWay.mean,
      itemStyle: { color: '#8b97a3' },
    },
  ];
  const spoken = bars.map(({ name, value }) => `${name} ${distance(value)}`).join(', ');
  return chart({ width: 760, height: 178 }, `Mean 2-way total variation: ${spoken}`, {
    grid: { left: 150, right: 60, top: 8, bottom: 46 },
    xAxis: {
      type: 'value',
      min: 0,
      name: 'mean distance over all pairs of columns (0: equal, 1: nothing in common)',
      nameGap: 28,
      ...axisName,
      axisLabel: axisText,
      splitLine,
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: bars.map(({ name }) => name),
      axisLabel: { ...axisText, fontSize: 13, color: COLOURS.ink },
      axisTick: { show: false },
      axisLine,
    },
    series: [
      {
        type: 'bar',
        silent: true,
        barWidth: 22,
        data: bars,
        label: {
          show: true,
          position: 'right',
          fontSize: 13,
          formatter: (item) => distance(Number(item.value)),
        },
      },
    ],
  });
}
