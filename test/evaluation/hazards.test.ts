import { beforeAll, describe, expect, it } from 'vitest';
import type { Assessment } from '../../src/evaluation/assess.js';
import { privacyCeiling } from '../../src/evaluation/attacks/ceiling.js';
import { exactCopies } from '../../src/evaluation/attacks/copies.js';
import { readCoded } from '../../src/evaluation/codedTable.js';
import { labelTask } from '../../src/evaluation/labelTask.js';
import { RELEASE_NOTE, renderAssessment } from '../../src/evaluation/report/renderAssessment.js';
import { utility } from '../../src/evaluation/utility.js';
import { JUDGED_GROUP_ROWS, verdicts } from '../../src/evaluation/verdict.js';
import type { Row } from '../../src/synthesis/synthesizer.js';
import { assessed, FRESH, HOLD_OUT, SCHEMA, shuffledColumn, TRAIN, verdictOn } from './assessmentFixture.js';

/**
 * Each hazard with a control on either side: the fault is found, and fresh people, who are as good as a generator can be, are not
 * accused. Everything is drawn from fixed seeds, so these tests cannot fail by chance; intervals are of 99 %.
 */
let fresh: Assessment;
let copied: Assessment;
let unlearnable: Assessment;
beforeAll(async () => {
  unlearnable = await assessed(shuffledColumn(FRESH, 'income'));
  fresh = await assessed(FRESH);
  // Half a leak: every second row is a training row.
  copied = await assessed(FRESH.map((row, i) => (i % 2 === 0 ? TRAIN[i]! : row)));
});

describe('hazard D6: mode collapse', () => {
  it('hazard D6: a column with one value left is named, with what it lost', async () => {
    const collapsed = FRESH.map((row): Row => ({ ...row, school: 'primary' }));
    const found = await assessed(collapsed);
    expect(found.supports.collapsed.map(({ column, value }) => [column, value])).toEqual([
      ['school', 'primary'],
    ]);
    expect(verdictOn(found, 'Nothing collapsed, vanished or made up')).toBe('bad');
    expect(found.columns[0]!.name).toBe('school');
    expect(found.fidelity.ways[1]!.worst[0]!.columns).toContain('school');
  });

  it('hazard D6: the same few rows over and over are seen in the share of different rows', async () => {
    const few = FRESH.map((_, i) => FRESH[i % 300]!);
    const { distinctRows } = (await assessed(few)).supports;
    expect(distinctRows.synthetic).toBeLessThan(0.11);
    expect(distinctRows.train).toBeGreaterThan(0.99);
  });

  it('hazard D6: fresh people are not called collapsed (negative control)', () => {
    expect(fresh.supports).toMatchObject({ collapsed: [], vanished: [], invented: [] });
    expect(verdictOn(fresh, 'Nothing collapsed, vanished or made up')).toBe('good');
  });
});

describe('hazard D7: figures of real rows are a release', () => {
  it('hazard D7: the page says so before the first figure', () => {
    const files = { train: 'train.csv', real: 'test.csv', synthetic: 's.csv' };
    const page = renderAssessment(fresh, { title: 'A page', generatedAt: '2026-11-23T10:20:30.000Z', files });
    expect(RELEASE_NOTE).toMatch(/Keep this page inside.*without noise.*release/);
    expect(page.indexOf(RELEASE_NOTE)).toBeGreaterThan(0);
    expect(page.indexOf(RELEASE_NOTE)).toBeLessThan(page.indexOf('<section'));
  });

  it('hazard D7: no real row is in the assessment, only what is counted over many', () => {
    // A distance has six digits, so a row could be recognised by it. The picture's points are of few digits and of no one column.
    const text = JSON.stringify({ ...fresh, plane: undefined, columns: undefined });
    const distances = [...TRAIN, ...HOLD_OUT].map((row) => String(row.distance)).filter((d) => d.length >= 7);
    expect(distances.filter((distance) => text.includes(`"${distance}"`))).toEqual([]);
  });
});

describe('hazard D8: copies, and measures that are sold as proof', () => {
  it('hazard D8: a generator that copies half of its rows is caught by every smoke test of its kind', () => {
    expect(copied.attacks.copies.synthetic.share).toBeGreaterThan(0.49);
    expect(copied.attacks.copies.holdOut.share).toBeLessThan(0.01);
    expect(verdictOn(copied, 'Exact copies')).toBe('bad');
    expect(copied.attacks.closeness.share.lower).toBeGreaterThan(0.6);
    expect(verdictOn(copied, 'Closeness to training rows')).toBe('bad');
    const nearness = copied.attacks.membership.attacks.find(({ score }) => score === 'nearness')!;
    expect(nearness.auc.lower).toBeGreaterThan(0.6);
    expect(nearness.advantage.lower).toBeGreaterThan(0.3);
    expect(verdictOn(copied, 'Membership inference')).toBe('bad');
  });

  it('hazard D8: an ε that the attacks refute is called false, and one that they do not is not', () => {
    const finding = (epsilon: number) => {
      const attacks = { ...copied.attacks, ceiling: privacyCeiling(epsilon, 1e-9) };
      return verdicts({ ...copied, attacks }).find(({ topic }) => topic === 'Membership inference')!.finding;
    };
    expect(finding(0.1)).toContain('does not hold');
    expect(finding(8)).not.toContain('does not hold');
  });

  it('hazard D8: fresh people are not accused of leaking (negative control)', () => {
    for (const topic of [
      'Exact copies',
      'Closeness to training rows',
      'Membership inference',
      'Attribute inference',
    ])
      expect([topic, verdictOn(fresh, topic)]).toEqual([topic, 'good']);
    const { closeness, membership } = fresh.attacks;
    expect(closeness.share.lower).toBeLessThan(0.5);
    expect(closeness.share.upper).toBeGreaterThan(0.5);
    for (const { auc, advantage } of membership.attacks) {
      expect(auc.lower).toBeLessThan(0.5);
      expect(auc.upper).toBeGreaterThan(0.5);
      expect(advantage.lower).toBeLessThan(0);
    }
  });

  it('hazard D8: ten copied rows among thousands are counted: no training row is left out of the search', async () => {
    const few = FRESH.map((row, i) => (i < 10 ? TRAIN[TRAIN.length - 1 - 290 * i]! : row));
    const [train, holdOut, synthetic] = [TRAIN, HOLD_OUT, few].map((rows) => readCoded(SCHEMA, rows));
    const copies = exactCopies(await train!, await holdOut!, await synthetic!);
    expect(Math.round(copies.synthetic.share * FRESH.length)).toBeGreaterThanOrEqual(10);
    expect(copies.synthetic.lower).toBeGreaterThan(copies.holdOut.share);
  });

  it('hazard D8: copies that a small change hides from equality are caught by nearness', async () => {
    const blurred = FRESH.map((row, i): Row => {
      const copy = TRAIN[i]!;
      return i % 2 === 0 ? { ...copy, distance: Math.min(1000, (copy.distance as number) + 0.25) } : row;
    });
    const found = await assessed(blurred);
    expect(found.attacks.copies.synthetic.share).toBeLessThan(0.01);
    expect(verdictOn(found, 'Exact copies')).toBe('good');
    expect(verdictOn(found, 'Membership inference')).toBe('bad');
  });

  it('hazard D8: every such measure is marked as a smoke test, and as no proof, wherever it is shown', () => {
    const smoke = fresh.verdicts.filter(({ smokeTest }) => smokeTest).map(({ topic }) => topic);
    expect(smoke).toEqual([
      'Exact copies',
      'Closeness to training rows',
      'Membership inference',
      'Attribute inference',
    ]);
    const files = { train: 'a', real: 'b', synthetic: 'c' };
    const page = renderAssessment(fresh, { title: 't', generatedAt: '2026-11-23T10:20:30.000Z', files });
    for (const id of ['copying', 'membership', 'attributes']) {
      const section = page.slice(page.indexOf(`<section id="${id}">`)).split('</section>')[0]!;
      expect(section).toContain('Smoke test, no proof.');
    }
  });
});

describe('hazard D9: nothing is tuned on the rows that judge', () => {
  it('hazard D9: a shuffled label leaves nothing to learn: AUC ½', () => {
    const found = unlearnable;
    for (const { trainedOnSynthetic, trainedOnReal } of found.utility!.models) {
      // 2,000 test rows: a standard deviation of 0.013, here with the bound of four.
      expect(Math.abs(trainedOnSynthetic.auc - 0.5)).toBeLessThan(0.055);
      expect(trainedOnReal.auc).toBeGreaterThan(0.8);
    }
    expect(verdictOn(found, 'Training a model on it')).toBe('bad');
  });

  it('hazard D9: what a row is scored does not depend on which other rows are tested', async () => {
    const table = (rows: readonly Row[]) => readCoded(SCHEMA, rows);
    const [train, synthetic] = [await table(TRAIN), await table(FRESH)];
    const task = labelTask(SCHEMA, train, 'income');
    const seed = new Uint8Array(4);
    const scores = async (holdOut: readonly Row[]) =>
      utility(SCHEMA, task, { train, synthetic, holdOut: await table(holdOut) }, seed).test.onSynthetic[1]!;
    const all = await scores(HOLD_OUT);
    expect([...(await scores(HOLD_OUT.slice(0, 500).reverse()))].reverse()).toEqual([
      ...all.subarray(0, 500),
    ]);
  });
});

describe('hazard D10: rare groups', () => {
  const share = (found: Assessment, group: string) =>
    found.groups[0]!.groups.find((one) => one.group === group)!.share;

  it('hazard D10: a group that vanished is found, though the mean hardly moves', async () => {
    const without = FRESH.map((row): Row => (row.group === 'island' ? { ...row, group: 'north' } : row));
    const found = await assessed(without);
    expect(TRAIN.filter((row) => row.group === 'island').length).toBeGreaterThan(JUDGED_GROUP_ROWS);
    expect(share(found, 'island')).toMatchObject({ synthetic: 0 });
    expect(found.supports.vanished.map(({ column, value }) => `${column} ${value}`)).toEqual([
      'group island',
    ]);
    expect(verdictOn(found, 'Groups')).toBe('bad');
    expect(found.fidelity.ways[1]!.synthetic).toBeLessThan(fresh.fidelity.ways[1]!.synthetic + 0.05);
  });

  it('hazard D10: a group that a model fails is found, though the mean over all hardly moves', async () => {
    // The islanders' incomes are turned round.
    const turned = FRESH.map(
      (row): Row =>
        row.group === 'island' ? { ...row, income: row.income === 'low' ? 'high' : 'low' } : row,
    );
    const found = await assessed(turned);
    const island = found.groups[0]!.groups.find((one) => one.group === 'island')!.prediction!;
    expect(island.errorRise.lower).toBeGreaterThan(0.05);
    expect(verdictOn(found, 'Groups')).toBe('bad');
    const [trees] = found.utility!.models;
    expect(trees!.trainedOnReal.auc - trees!.trainedOnSynthetic.auc).toBeLessThan(0.1);
  });

  it('hazard D10: fresh people serve every group (negative control)', () => {
    expect(share(fresh, 'island').synthetic).toBeCloseTo(share(fresh, 'island').train, 1);
    expect(verdictOn(fresh, 'Groups')).toBe('good');
  });
});

describe('hazard D11: a table average hides that no model can be trained', () => {
  it('hazard D11: a shuffled label shows in the utility and by class, where the mean of pairs stays near', () => {
    const found = unlearnable;
    const pairs = (assessment: Assessment) => assessment.fidelity.ways[1]!.synthetic;
    expect(pairs(found) - pairs(fresh)).toBeLessThan(0.05);
    const [trees] = found.utility!.models;
    for (const { auc } of trees!.trainedOnSynthetic.classes) expect(auc.upper).toBeLessThan(0.6);
    for (const { auc } of trees!.trainedOnReal.classes) expect(auc.lower).toBeGreaterThan(0.75);
  });
});
