import type { PrivacyCeiling } from '../attacks/ceiling.js';
import { ceilingCurve } from '../attacks/ceiling.js';
import type { Membership } from '../attacks/membership.js';
import type { FidelityScores } from '../fidelityScores.js';
import type { PlanePoint, PrincipalPlane } from '../principalComponents.js';
import type { RocPoint } from '../rocCurve.js';
import { axisLine, axisName, axisText, COLOURS, chart, splitLine } from './chart.js';
import { distance, percent } from './format.js';
import type { Markup } from './html.js';

const WAY_NAMES = ['', 'single columns', 'pairs', 'triples'];
const WAY_COLOURS = ['', COLOURS.soft, COLOURS.real, COLOURS.good];
const WAY_DASHES = ['solid', [2, 3], 'solid', [8, 4]] as const;
const WAY_SYMBOLS = ['', 'triangle', 'circle', 'rect'];

/** Distances of random sub-samples of the training rows, and where the synthetic table meets each line. */
export function subsampleChart({ ways }: FidelityScores): Markup {
  const exponent = (value: number): number => Math.log10(Math.max(1e-6, value));
  const values = ways.flatMap((score) => [
    score.synthetic,
    score.holdOut,
    ...score.subsamples.map((sample) => sample.distance),
  ]);
  const shares = ways.flatMap((score) => score.subsamples.map(({ share }) => share));
  const low = Math.floor(exponent(Math.min(...values)));
  const spoken = ways
    .map((score) => `${WAY_NAMES[score.ways]}: like ${percent(score.asGoodAs.share)} of the training rows`)
    .join(', ');
  const text = (value: number): string => String(Number((10 ** value).toPrecision(1)));
  return chart({ width: 1040, height: 360 }, `Distance by size of sub-sample. ${spoken}`, {
    grid: { left: 70, right: 190, top: 16, bottom: 50 },
    xAxis: {
      ...{ type: 'value', min: Math.floor(exponent(Math.min(...shares, 0.1))), max: 0, minInterval: 1 },
      ...{
        name: 'share of the training rows, drawn at random',
        nameGap: 30,
        ...axisName,
        axisLine,
        splitLine,
      },
      axisLabel: { ...axisText, formatter: (value: number) => `${text(value + 2)} %` },
    },
    yAxis: {
      ...{ type: 'value', min: low, max: 0, minInterval: 1, name: 'mean distance', nameGap: 44 },
      ...{ ...axisName, axisLabel: { ...axisText, formatter: text }, splitLine },
      axisLine: { ...axisLine, onZero: false },
    },
    series: ways.flatMap(({ ways: k, subsamples, synthetic, asGoodAs }) => [
      {
        ...{ type: 'line' as const, symbol: 'none', silent: true },
        data: subsamples.map(({ share, distance: d }) => [exponent(share), exponent(d)]),
        lineStyle: { color: WAY_COLOURS[k]!, width: 2, type: WAY_DASHES[k]! as 'solid' },
        endLabel: {
          ...{ show: true, formatter: `sub-samples, ${WAY_NAMES[k]}`, color: WAY_COLOURS[k]! },
          ...{ fontSize: 12, distance: 8 },
        },
        labelLayout: { moveOverlap: 'shiftY' as const },
      },
      {
        ...{ type: 'scatter' as const, silent: true, symbol: WAY_SYMBOLS[k]!, symbolSize: 13 },
        data: [[exponent(asGoodAs.share), exponent(synthetic)]],
        itemStyle: { color: COLOURS.synthetic, borderColor: COLOURS.ink, borderWidth: 1 },
        label: {
          ...{
            show: true,
            position: k === 3 ? ('top' as const) : ('bottom' as const),
            distance: 8,
            fontSize: 12,
            color: COLOURS.ink,
          },
          ...{ backgroundColor: 'rgba(255, 255, 255, 0.85)', padding: [1, 3] },
          formatter: `synthetic, ${WAY_NAMES[k]}: ${distance(synthetic)}`,
        },
      },
    ]),
  });
}

/** One table's points in the plane; both charts have the same axes. */
export function planeChart(plane: PrincipalPlane, table: 'real' | 'synthetic'): Markup {
  const all: readonly PlanePoint[] = [...plane.real, ...plane.synthetic];
  const bound = (axis: 0 | 1, pick: (...values: number[]) => number): number =>
    Number((pick(...all.map((point) => point[axis])) * 1.05).toFixed(1));
  const axis = (i: 0 | 1) => ({
    ...{ type: 'value' as const, min: bound(i, Math.min), max: bound(i, Math.max) },
    ...{ name: `component ${i + 1} (${percent(plane.explained[i])} of the variance)`, ...axisName, axisLine },
    ...{ axisLabel: { ...axisText, showMinLabel: false, showMaxLabel: false }, splitLine },
  });
  return chart({ width: 520, height: 420 }, `The ${table} table on the real one’s two principal components`, {
    grid: { left: 52, right: 12, top: 10, bottom: 44 },
    xAxis: { ...axis(0), nameGap: 26 },
    yAxis: { ...axis(1), nameGap: 34 },
    series: [
      {
        ...{ type: 'scatter', silent: true, data: plane[table].map(([x, y]) => [x, y]) },
        ...{ symbol: table === 'real' ? 'circle' : 'diamond', symbolSize: table === 'real' ? 4 : 5 },
        itemStyle: { color: table === 'real' ? COLOURS.real : '#b87400', opacity: 0.45 },
      },
    ],
  });
}

export interface NamedCurve {
  readonly name: string;
  readonly points: readonly RocPoint[];
  readonly color: string;
  readonly dash?: readonly number[];
}

/** ROC curves over the diagonal of guessing. */
export function rocChart(label: string, curves: readonly NamedCurve[]): Markup {
  const axis = {
    type: 'value' as const,
    min: 0,
    max: 1,
    axisLine,
    splitLine,
    axisLabel: axisText,
    ...axisName,
  };
  const line = { type: 'line' as const, symbol: 'none', silent: true };
  return chart({ width: 520, height: 440 }, label, {
    grid: { left: 52, right: 16, top: 12, bottom: 44 },
    legend: {
      ...{ orient: 'vertical', left: 270, bottom: 54, itemWidth: 26, itemHeight: 8, itemGap: 6 },
      ...{ backgroundColor: 'rgba(255, 255, 255, 0.85)' },
      ...{ data: curves.map(({ name }) => name), textStyle: { ...axisText, color: COLOURS.ink } },
    },
    xAxis: { ...axis, name: 'false positive rate', nameGap: 26 },
    yAxis: { ...axis, name: 'true positive rate', nameGap: 34 },
    series: [
      {
        ...{
          ...line,
          name: 'guessing',
          data: [
            [0, 0],
            [1, 1],
          ],
        },
        lineStyle: { color: '#b9c2cb', width: 1, type: 'dashed' },
      },
      ...curves.map(({ name, points, color, dash }) => ({
        ...{ ...line, name, data: points.map(({ fpr, tpr }) => [fpr, tpr]), itemStyle: { color } },
        lineStyle: { color, width: 2, type: (dash as number[] | undefined) ?? ('solid' as const) },
      })),
    ],
  });
}

const ATTACK_STYLES = [
  { color: COLOURS.real },
  { color: '#CC79A7', dash: [8, 4] },
  { color: COLOURS.good, dash: [2, 3] },
];

export function membershipChart({ attacks }: Membership, ceiling: PrivacyCeiling | undefined): Markup {
  const spoken = attacks.map(({ score, auc }) => `${score} ${distance(auc.auc)}`).join(', ');
  return rocChart(`Membership inference, area under the curve: ${spoken}`, [
    ...attacks.map(({ score, roc }, i) => ({ name: score, points: roc, ...ATTACK_STYLES[i]! })),
    ...(ceiling === undefined
      ? []
      : [
          {
            ...{ name: `most that ε = ${ceiling.epsilon} allows`, points: ceilingCurve(ceiling) },
            ...{ color: COLOURS.alarm, dash: [12, 4, 2, 4] },
          },
        ]),
  ]);
}
