import { beforeAll, describe, expect, it } from 'vitest';
import type { Evaluation } from '../../src/evaluation/evaluate.js';
import * as format from '../../src/evaluation/report/format.js';
import { html } from '../../src/evaluation/report/html.js';
import { REAL_DATA_NOTE, renderReport } from '../../src/evaluation/report/renderReport.js';
import { dropouts, quantile } from '../../src/evaluation/report/reportData.js';
import { presenceIntervals } from '../../src/evaluation/report/runCharts.js';
import { reportData, smallEvaluation } from './reportFixture.js';

let evaluation: Evaluation;
beforeAll(async () => {
  evaluation = await smallEvaluation();
});

/** Values that were not there when the page was written. */
const holes = (page: string): string[] =>
  [...page.matchAll(/.{0,60}(NaN|undefined|Infinity|\[object).{0,60}/g)].map(([found]) => found);

/** Every element is closed, in order: what a browser would otherwise silently repair. */
function unbalanced(page: string): string | undefined {
  const open: string[] = [];
  const body = page.replace(/<style[^>]*>[\s\S]*?<\/style>/g, '');
  for (const [, closing, name = '', selfClosing] of body.matchAll(
    /<(\/?)([a-zA-Z][\w-]*)(?:"[^"]*"|[^">])*?(\/?)>/g,
  )) {
    if (/^(meta|br|hr|img|link)$/.test(name) || selfClosing === '/') continue;
    if (closing === '') open.push(name);
    else if (open.pop() !== name) return name;
  }
  return open[0];
}

describe('the report', () => {
  it('says whose the real-data statistics are', () => {
    const page = renderReport(reportData(evaluation, { members: 8, rounds: 30, dropAt: 12 }));
    expect(REAL_DATA_NOTE).toContain(
      'the demo’s own: it owns all eight files. They never reached the coordinator.',
    );
    expect(page).toContain(`<aside class="frame" role="note"><p><strong>${REAL_DATA_NOTE}</strong>`);
  });

  it('loads nothing and runs nothing: no address but XML namespaces, no script, no handler', () => {
    const page = renderReport(reportData(evaluation, { members: 8, rounds: 30, dropAt: 12 }));
    const addresses = new Set([...page.matchAll(/[\w-]*:?\/\/[^\s"'<)]+/g)].map(([address]) => address));
    expect([...addresses].filter((address) => !address.startsWith('http://www.w3.org/'))).toEqual([]);
    expect(page).not.toMatch(/<(script|iframe|object|embed|link|img|image|base|form)\b/i);
    expect(page).not.toMatch(/\son\w+\s*=/i);
    expect(page).not.toMatch(/url\((?!#)/i);
    expect(page).not.toMatch(/@import|javascript:/i);
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });

  it('names the last ledger entry below ε, and no round number that it would touch', () => {
    const ticks = (rounds: number) => {
      const page = renderReport(reportData(evaluation, { members: 8, rounds }));
      const start = page.indexOf('ledger entry (one for each round)');
      const chart = page.slice(page.lastIndexOf('<svg', start), page.indexOf('</svg>', start));
      return [...chart.matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text);
    };
    expect(ticks(206)).toEqual(expect.arrayContaining(['0', '50', '100', '150', '206']));
    expect(ticks(206)).not.toContain('200');
    // The control: where there is room both stand.
    expect(ticks(190)).toEqual(expect.arrayContaining(['150', '190']));
  });

  it('escapes every value, in the page and inside its charts', async () => {
    const hostile = '</text></svg><script>alert("x")</script>&\'<b onload=1>';
    const data = reportData(
      await smallEvaluation(hostile),
      { members: 8, rounds: 20, dropAt: 5, abortAt: 9 },
      [...[hostile, 'b', hostile, 'd', 'e', 'f', 'g', 'h']],
    );
    const page = renderReport({
      ...data,
      title: hostile,
      generatedAt: hostile,
      run: {
        ...data.run,
        id: hostile,
        reason: hostile,
        machine: hostile,
        engine: hostile,
        options: { [hostile]: hostile },
      },
      privacy: { ...data.privacy, accountant: hostile },
      rounds: data.rounds.map((round) => ({ ...round, timings: { [hostile]: 3 }, abortReason: hostile })),
    });
    expect(page).not.toContain('<script');
    expect(page).not.toContain('<b onload');
    expect(page).not.toContain('</text></svg><');
    expect(page).toContain('&lt;script&gt;');
    expect(unbalanced(page)).toBeUndefined();
  });

  it('is well formed with drop-outs, without them, and with a round that aborted', () => {
    for (const shape of [{}, { dropAt: 7 }, { abortAt: 4 }, { dropAt: 7, abortAt: 9 }]) {
      const page = renderReport(reportData(evaluation, { members: 5, rounds: 12, ...shape }));
      expect(unbalanced(page)).toBeUndefined();
      expect(holes(page)).toEqual([]);
    }
    // Positive control of the check itself.
    expect(unbalanced('<main><p>text</main>')).toBe('main');
    expect(holes('<p>fill:[object Object]</p>')).toHaveLength(1);
  });

  it('says that nobody dropped out when nobody did, and who did when somebody did', () => {
    const calm = renderReport(reportData(evaluation, { members: 8, rounds: 20 }));
    expect(calm).toContain('Nobody dropped out');
    expect(calm).not.toContain('dropped in round');
    const rough = renderReport(reportData(evaluation, { members: 8, rounds: 20, dropAt: 13 }));
    expect(rough).toContain('member-3 dropped in round 13');
    expect(rough).toContain('did not come back');
    expect(rough).not.toContain('Nobody dropped out');
  });

  it('renders a run without a single round, as when it stops at once', () => {
    const page = renderReport(reportData(evaluation, { members: 4, rounds: 0 }));
    expect(unbalanced(page)).toBeUndefined();
    expect(holes(page)).toEqual([]);
  });

  it('shows what the canaries showed beside what is accounted, where there was an audit', () => {
    const data = reportData(evaluation, { members: 8, rounds: 20 });
    expect(renderReport(data)).toContain('<strong>ε ≥ 0.42</strong>');
    expect(renderReport(data)).toContain('323 of 512 guesses');
    const { audit: _, ...privacy } = data.privacy;
    expect(renderReport({ ...data, privacy })).not.toContain('canaries');
  });

  it('names all five observers, and shows ∞ where no bound holds', () => {
    const page = renderReport(reportData(evaluation, { members: 8, rounds: 20 }));
    for (const name of [
      'coordinator with colluding',
      'The public',
      'One other member',
      'coordinator alone',
      'breaks secure',
    ])
      expect(page).toContain(name);
    expect(page).toContain('<td class="n">∞</td>');
  });

  it('is readable without its pictures: a label on every chart, a caption or heading at every figure', () => {
    const page = renderReport(reportData(evaluation, { members: 8, rounds: 20, dropAt: 4 }));
    const charts = [...page.matchAll(/<svg [^>]*>/g)].map(([tag]) => tag);
    expect(charts.length).toBe(evaluation.columns.length + 7);
    for (const tag of charts) expect(tag).toMatch(/role="img" aria-label="[^"]{10,}"/);
    for (const [figure] of page.matchAll(/<figure>[\s\S]*?<\/figure>/g))
      expect(figure).toMatch(/<figcaption>|<h3>/);
    for (const label of ['real beside synthetic', '2.60 spent of 3.00', 'Cramér’s V'])
      expect(page).toContain(label);
  });
});

describe('what the report derives', () => {
  it('finds drop-outs by round, and not in rounds that aborted', () => {
    const data = reportData(evaluation, { members: 5, rounds: 10, dropAt: 6, abortAt: 3 });
    expect(dropouts(data)).toEqual([
      { participant: data.participants[2], round: 6, recoveredShares: 5, returned: false },
    ]);
    const intervals = presenceIntervals(data).filter(({ member }) => member === 2);
    expect(intervals.map(({ presence, from, to }) => [presence, from, to])).toEqual([
      ['in the sum', 1, 2],
      ['aborted', 3, 3],
      ['in the sum', 4, 5],
      ['dropped', 6, 6],
      ['not asked', 7, 10],
    ]);
  });

  it('counts an absence once, and a second one after a return again', () => {
    const data = reportData(evaluation, { members: 5, rounds: 8 });
    const all = data.participants.map(({ id }) => id);
    const without = all.filter((id) => id !== 'member-2');
    const rounds = data.rounds.map((round, i) => ({
      ...round,
      expected: all,
      survivors: [2, 3, 6].includes(i) ? without : all,
    }));
    expect(dropouts({ ...data, rounds }).map(({ round, returned }) => [round, returned])).toEqual([
      [3, true],
      [7, true],
    ]);
  });

  it('takes nearest-rank quantiles', () => {
    const values = [5, 1, 4, 2, 3];
    expect([0, 0.5, 0.95, 1].map((q) => quantile(values, q))).toEqual([1, 3, 5, 5]);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('writes numbers for people, and never rounds an ε down', () => {
    expect([2.001, 2.6, 0.3 * 3, 2.999].map(format.epsilon)).toEqual(['2.01', '2.60', '0.90', '3.00']);
    expect([null, Number.POSITIVE_INFINITY].map(format.epsilon)).toEqual(['∞', '∞']);
    expect([1e-6, 5e-7, 2.5e-10, 0.05].map(format.power)).toEqual([
      '10⁻⁶',
      '5 × 10⁻⁷',
      '2.5 × 10⁻¹⁰',
      '0.05',
    ]);
    expect([0, 1023, 1024, 36_840_000].map(format.bytes)).toEqual(['0 B', '1,023 B', '1.00 KiB', '35.1 MiB']);
    expect([4.26, 812, 9_400, 72_400, Number.NaN].map(format.duration)).toEqual([
      '4.3 ms',
      '812 ms',
      '9.4 s',
      '1 min 12 s',
      '–',
    ]);
    expect([format.counted(1, 'row'), format.counted(12_000, 'row')]).toEqual(['1 row', '12,000 rows']);
  });

  it('escapes by default: only what `html` made is taken as markup', () => {
    const inner = html`<b>${'<i>'}</b>`;
    expect(html`<p title="${'"&\''}">${[inner, '<', 3]}</p>`.text).toBe(
      '<p title="&quot;&amp;&#39;"><b>&lt;i&gt;</b>&lt;3</p>',
    );
  });
});
