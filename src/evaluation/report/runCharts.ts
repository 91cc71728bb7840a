import type { CustomSeriesOption } from 'echarts/charts';
import { axisLine, axisName, axisText, COLOURS, chart, shorten, splitLine } from './chart.js';
import { count, counted, epsilon, power } from './format.js';
import type { Markup } from './html.js';
import { type Dropout, dropouts, type ReportData, type Viewer } from './reportData.js';

/** ε after each settled round as a stair, under the plan's worst case and the limit. */
export function epsilonChart({ ledger, privacy }: ReportData): Markup {
  const spent = ledger
    .filter((entry) => entry.epsilonAfter !== null)
    .map((entry) => [entry.sequence, entry.epsilonAfter ?? 0]);
  const planned = ledger.map((entry) => [entry.sequence, entry.plannedEpsilonAfter]);
  const last = Math.max(1, ...ledger.map((entry) => entry.sequence));
  const top = Number(
    (1.15 * Math.max(privacy.epsilonLimit, ...planned.map((point) => point[1] ?? 0))).toPrecision(2),
  );
  const ending = (text: string, color: string) => ({
    endLabel: { show: true, formatter: text, color, fontSize: 13, distance: 10 },
    labelLayout: { moveOverlap: 'shiftY' as const },
  });
  const limit = {
    formatter: `limit ${epsilon(privacy.epsilonLimit)}`,
    color: '#a34600',
    fontSize: 13,
    fontWeight: 'bold' as const,
    position: 'insideStartTop' as const,
  };
  const stair = { type: 'line' as const, step: 'end' as const, symbol: 'none', silent: true };
  return chart(
    { width: 1040, height: 340 },
    `ε by round: ${epsilon(privacy.epsilonSpent)} spent of ${epsilon(privacy.epsilonLimit)}`,
    {
      grid: { left: 58, right: 168, top: 16, bottom: 50 },
      xAxis: {
        ...{ type: 'value', min: 0, max: last, name: 'ledger entry (one for each round)', nameGap: 30 },
        // The last entry is named, and a round number beside it gives way.
        ...{
          minInterval: 1,
          axisLabel: { ...axisText, showMaxLabel: true, hideOverlap: true, textMargin: [0, 8] },
        },
        ...{ ...axisName, axisLine, splitLine: { show: false } },
      },
      yAxis: {
        ...{ type: 'value', min: 0, max: top, name: 'ε', nameGap: 36 },
        ...{ ...axisName, axisLabel: { ...axisText, showMaxLabel: false }, splitLine },
      },
      series: [
        {
          ...stair,
          name: 'planned worst case',
          data: planned,
          lineStyle: { color: COLOURS.soft, type: [5, 4], width: 1.6 },
          markLine: {
            silent: true,
            symbol: 'none',
            data: [{ yAxis: privacy.epsilonLimit }],
            lineStyle: { color: COLOURS.alarm, width: 2, type: 'solid' },
            label: limit,
          },
          ...ending('planned worst case', COLOURS.soft),
        },
        {
          ...stair,
          name: 'spent',
          data: spent,
          lineStyle: { color: COLOURS.real, width: 2.6 },
          areaStyle: { color: COLOURS.real, opacity: 0.1 },
          ...ending(`spent ${epsilon(privacy.epsilonSpent)}`, COLOURS.real),
        },
      ],
    },
  );
}

/** Observers of one curve share a line: the coordinator alone knows no more noise than the public. */
const CURVE_NAMES: Readonly<Partial<Record<Viewer, string>>> = {
  'coordinator-and-colluders': 'coordinator + colluders',
  'another-member': 'another member',
  public: 'public, coordinator alone',
  'secure-aggregation-broken': 'masks broken',
};

/** Equal curves lie upon each other: the one below shows between the dashes. */
const LINES = ['solid', 'dashed', 'solid', 'solid'] as const;

/** δ(ε) of the release by observer, on a logarithmic scale. */
export function deltaChart({ privacy }: ReportData): Markup {
  const colours = [COLOURS.real, COLOURS.soft, COLOURS.synthetic, COLOURS.alarm];
  const shown = privacy.views.flatMap((view) => {
    const name = CURVE_NAMES[view.viewer];
    const points = view.curve.filter(({ delta }) => delta > 0);
    return name === undefined || points.length === 0 ? [] : [{ name, points }];
  });
  const exponents = shown.flatMap(({ points }) => points.map(({ delta }) => Math.log10(delta)));
  const bottom = Math.floor(Math.min(...exponents));
  return chart({ width: 1040, height: 320 }, `δ over ε, for ${counted(shown.length, 'group')} of observers`, {
    grid: { left: 78, right: 208, top: 16, bottom: 50 },
    legend: {
      ...{ orient: 'vertical', left: 818, top: 16, icon: 'rect', itemWidth: 18, itemHeight: 3 },
      ...{ data: shown.map(({ name }) => name), textStyle: { color: COLOURS.ink, fontSize: 13 } },
    },
    xAxis: {
      ...{ type: 'value', min: 0, name: 'ε', nameGap: 30 },
      ...{ ...axisName, axisLabel: axisText, axisLine, splitLine: { show: false } },
    },
    yAxis: {
      ...{ type: 'value', min: bottom, max: 0, minInterval: 1, name: 'δ', nameGap: 56 },
      ...{
        ...axisName,
        axisLabel: { ...axisText, formatter: (value: number) => power(Number(`1e${value}`)) },
        splitLine,
      },
    },
    series: shown.map(({ name, points }, index) => ({
      ...{ type: 'line', symbol: 'none', silent: true, name },
      data: points.map(({ epsilon: at, delta }) => [at, Math.log10(delta)]),
      ...{ color: colours[index]!, lineStyle: { width: 2, type: LINES[index]! } },
    })),
  });
}

type Presence = 'in the sum' | 'dropped' | 'not asked' | 'aborted';

interface Interval {
  readonly member: number;
  readonly presence: Presence;
  /** 1-based, both included. */
  readonly from: number;
  readonly to: number;
}

/** Each member's rounds as runs of equal presence: a few hundred shapes, however many rounds. */
export function presenceIntervals({ participants, rounds }: ReportData): Interval[] {
  return participants.flatMap(({ id }, member) => {
    const intervals: Interval[] = [];
    for (const [index, round] of rounds.entries()) {
      const presence: Presence =
        round.outcome === 'aborted'
          ? 'aborted'
          : round.survivors.includes(id)
            ? 'in the sum'
            : round.expected.includes(id)
              ? 'dropped'
              : 'not asked';
      const open = intervals.at(-1);
      if (open?.presence === presence) intervals[intervals.length - 1] = { ...open, to: index + 1 };
      else intervals.push({ member, presence, from: index + 1, to: index + 1 });
    }
    return intervals;
  });
}

const PRESENCE_STYLE: Readonly<Record<Presence, object>> = {
  'in the sum': { fill: COLOURS.real },
  dropped: { fill: COLOURS.alarm },
  'not asked': { fill: '#f4f6f8', stroke: '#b9c2cb', lineDash: [3, 3] },
  aborted: { fill: '#c9d0d7' },
};

/** Above: how many vectors each sum holds. Below: each member's rounds, and where it dropped. */
export function roundsChart(data: ReportData): Markup {
  const { rounds, participants, privacy } = data;
  const intervals = presenceIntervals(data);
  const drops = dropouts(data);
  const lanes = 30 * participants.length;
  const x = { type: 'value' as const, min: 0.5, max: rounds.length + 0.5, splitLine: { show: false } };
  const bars: CustomSeriesOption = {
    type: 'custom',
    xAxisIndex: 1,
    yAxisIndex: 1,
    silent: true,
    data: intervals.map(({ member, from, to }) => [from, to, member]),
    encode: { x: [0, 1], y: 2 },
    renderItem: (params, api) => {
      const [left, top] = api.coord([Number(api.value(0)) - 0.5, api.value(2)]) as [number, number];
      const [right] = api.coord([Number(api.value(1)) + 0.5, api.value(2)]) as [number];
      const style = PRESENCE_STYLE[intervals[params.dataIndex]?.presence ?? 'aborted'];
      const width = Math.max(1, right - left);
      return { type: 'rect', shape: { x: left, y: top - 9, width, height: 18 }, style };
    },
  };
  return chart(
    { width: 1040, height: 190 + lanes },
    `${counted(rounds.length, 'round')}, ${counted(participants.length, 'member')}: ${spokenDropouts(drops)}`,
    {
      grid: [
        { left: 190, right: 24, top: 30, height: 76 },
        { left: 190, right: 24, top: 132, height: lanes },
      ],
      xAxis: [
        { ...x, gridIndex: 0, axisLabel: { show: false }, axisLine, axisTick: { show: false } },
        {
          ...x,
          gridIndex: 1,
          minInterval: 1,
          axisLabel: wholeNumbers,
          axisLine,
          name: 'round',
          nameGap: 28,
          ...axisName,
        },
      ],
      yAxis: [
        {
          ...{
            type: 'value',
            gridIndex: 0,
            min: 0,
            max: participants.length,
            interval: Math.ceil(participants.length / 2),
          },
          ...{ axisLabel: axisText, splitLine },
        },
        {
          ...{
            type: 'category',
            gridIndex: 1,
            inverse: true,
            data: participants.map(({ name }) => shorten(name, 27)),
          },
          ...{
            axisLabel: { ...axisText, fontSize: 12, color: COLOURS.ink },
            axisTick: { show: false },
            axisLine: { show: false },
          },
        },
      ],
      title: [
        {
          ...{
            text: `contributors in each sum (at least ${privacy.minSurvivors}, or the round aborts)`,
            left: 184,
            top: 2,
          },
          textStyle: { fontSize: 12, fontWeight: 'normal', color: COLOURS.soft },
        },
      ],
      series: [
        {
          ...{ type: 'line', step: 'middle', symbol: 'none', silent: true },
          data: rounds.map((round, index) => [index + 1, round.survivors.length]),
          lineStyle: { color: COLOURS.real, width: 2 },
          areaStyle: { color: COLOURS.real, opacity: 0.12 },
          markLine: {
            ...{
              silent: true,
              symbol: 'none',
              label: { show: false },
              data: [{ yAxis: privacy.minSurvivors }],
            },
            lineStyle: { color: COLOURS.alarm, type: [5, 4], width: 1.4 },
          },
        },
        bars,
        {
          ...{
            type: 'scatter',
            xAxisIndex: 1,
            yAxisIndex: 1,
            silent: true,
            symbol: 'path://M-4,-5L0,-1L4,-5L5,-4L1,0L5,4L4,5L0,1L-4,5L-5,4L-1,0L-5,-4Z',
          },
          ...{
            symbolSize: 12,
            itemStyle: { color: COLOURS.alarm, borderColor: '#ffffff', borderWidth: 0.6 },
          },
          data: drops.map(({ round, participant }) => [round, participants.indexOf(participant)]),
          label: {
            ...{ show: drops.length <= 12, fontSize: 12, color: '#a34600', distance: 6, position: 'right' },
            formatter: (item: { value: unknown }) =>
              `dropped in round ${count(Number((item.value as number[])[0]))}`,
          },
        },
      ],
    },
  );
}

const wholeNumbers = {
  ...axisText,
  formatter: (value: number) => (Number.isInteger(value) ? count(value) : ''),
};

function spokenDropouts(drops: readonly Dropout[]): string {
  if (drops.length === 0) return 'nobody dropped out';
  return drops.map(({ participant, round }) => `${participant.name} dropped in round ${round}`).join(', ');
}
