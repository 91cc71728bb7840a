import { describe, expect, it } from 'vitest';
import { type MeasuredRelease, qualitySection } from '../../src/evaluation/report/qualitySection.js';

const at = { estimate: 0.0312, lower: 0, upper: 0.0789 };
const release = (synthesizer: string, label: MeasuredRelease['label'] = null): MeasuredRelease => ({
  runId: 'abc',
  synthesizer,
  epsilon: 1.234,
  epsilonOfMeasurement: 0.757,
  contributors: 7,
  confidence: 0.95,
  records: { estimate: 1650.4, lower: 1600, upper: 1700 },
  oneWay: { mean: at, sampling: 0.022 },
  twoWay: {
    cells: 3,
    mean: at,
    sampling: 0.026,
    independentColumns: { estimate: 0.0821, lower: 0.045, upper: 0.115 },
    worst: [{ columns: ['speed', 'size'], distance: at }],
  },
  label,
  attackAdvantage: at,
});

describe('the section of what the federation measured', () => {
  it('shows every release with its ε, its interval and the yardsticks, and says that this is what is published', () => {
    const { text } = qualitySection([release('gan'), release('marginals')], 'marginals');
    for (const words of ['gan', 'marginals', '1.24', '0.76', '0.031', '0.000 to 0.079', '0.082', '0.026'])
      expect(text).toContain(words);
    expect(text).toContain('speed × size');
    expect(text).toContain('measured by a noisy sum in the federation');
    expect(text).toMatch(/These are the figures that are\s+published/);
    expect(text).toContain('about the table of marginals');
    expect(text).not.toContain('Area under ROC');
  });

  it('has the label’s area where there is a label, and is not there where nothing was measured', () => {
    const { text } = qualitySection([
      release('gan', { column: 'damage', area: { ...at, estimate: 0.8124 } }),
    ]);
    expect(text).toContain('Area under ROC');
    expect(text).toContain('0.812');
    expect(qualitySection([]).text).toBe('');
  });

  it('escapes what it is given', () => {
    const { text } = qualitySection([release('<img src=x>')]);
    expect(text).not.toContain('<img');
    expect(text).toContain('&lt;img src=x&gt;');
  });
});
