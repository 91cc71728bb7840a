import { BarChart, CustomChart, HeatmapChart, LineChart, ScatterChart } from 'echarts/charts';
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  VisualMapComponent,
} from 'echarts/components';
import * as echarts from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { EChartsOption } from 'echarts/types/dist/shared';
import { escapeHtml, Markup } from './html.js';

echarts.use([BarChart, CustomChart, HeatmapChart, LineChart, ScatterChart, SVGRenderer]);
echarts.use([
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  VisualMapComponent,
]);

/** Okabe and Ito's palette (2008), told apart with every common kind of colour blindness and in grey. */
export const COLOURS = {
  real: '#0072B2',
  synthetic: '#E69F00',
  alarm: '#D55E00',
  good: '#009E73',
  ink: '#1d2733',
  soft: '#5b6875',
  faint: '#e3e8ed',
} as const;

/** Hatching of the synthetic side, so that nothing hangs on colour alone. */
export const HATCH = {
  symbol: 'rect',
  color: 'rgba(29, 39, 51, 0.38)',
  dashArrayX: [1, 0],
  dashArrayY: [1, 4],
  rotation: -Math.PI / 4,
};

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** One static SVG, rendered without a browser. `label` is what a screen reader says. */
export function chart({ width, height }: Size, label: string, option: EChartsOption): Markup {
  const instance = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    instance.setOption({ animation: false, textStyle: { fontFamily: FONT, color: COLOURS.ink }, ...option });
    const svg = instance.renderToSVGString({ useViewBox: true });
    // Its style sheet holds hover effects only, some of them broken ("fill:[object Object]"); ours are still pictures.
    const still = svg.replace(/<style[\s\S]*?<\/style>/g, '').replace(/ class="zr[^"]*"/g, '');
    return new Markup(still.replace('<svg ', `<svg role="img" aria-label="${escapeHtml(label)}" `));
  } finally {
    instance.dispose();
  }
}

export const axisText = { color: COLOURS.soft, fontSize: 11 } as const;
export const axisLine = { lineStyle: { color: '#b9c2cb' } } as const;
export const splitLine = { lineStyle: { color: COLOURS.faint } } as const;
/** Axis titles sit outside the numbers. */
export const axisName = {
  nameLocation: 'middle',
  nameTextStyle: { color: COLOURS.soft, fontSize: 12 },
} as const;

export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
