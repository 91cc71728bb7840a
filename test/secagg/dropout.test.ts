import { describe, expect, it } from 'vitest';
import { type AbortReason, shareThreshold } from '../../src/secagg/index.js';
import { type Choir, idAt, play, roundOf, subsetsOf, sumOf, trySetUp } from './choir.js';

/** The message that a member no longer sends; 5: it stays to the end. */
type LastPhase = 0 | 1 | 2 | 3 | 4 | 5;

const choirs = new Map<string, ReturnType<typeof trySetUp>>();
/** Set-up is pure and seeded, so one is played for all the rounds that share it. */
function choirWithout(n: number, atAdvert: string[], atShares: string[]): ReturnType<typeof trySetUp> {
  const key = JSON.stringify([n, atAdvert, atShares]);
  let choir = choirs.get(key);
  if (choir === undefined)
    choirs.set(key, (choir = trySetUp({ n, slots: 1, silentAtAdvert: atAdvert, silentAtShares: atShares })));
  return choir;
}

/** What the protocol must do, from the numbers alone. */
function expectedOutcome(counts: readonly number[]): AbortReason | 'sum' {
  const [advertised, shared, masked, checked, answered] = counts as [number, number, number, number, number];
  const minSurvivors = 3;
  if (advertised < minSurvivors) return 'TooFewAdverts';
  const threshold = shareThreshold(advertised, 1);
  const floor = Math.max(minSurvivors, threshold);
  if (shared < floor) return 'TooFewShareKeys';
  if (masked < floor) return 'TooFewMaskedInputs';
  if (checked < threshold) return 'TooFewChecks';
  if (answered < threshold) return 'TooFewAnswers';
  return 'sum';
}

function playAndJudge(n: number, phases: readonly LastPhase[]): AbortReason | 'sum' {
  const dropsAt = (phase: number): string[] => phases.flatMap((last, i) => (last === phase ? [idAt(i)] : []));
  const counts = [0, 1, 2, 3, 4].map((phase) => phases.filter((last) => last > phase).length);
  const expected = expectedOutcome(counts);
  const choir = choirWithout(n, dropsAt(0), dropsAt(1));
  if ('aborted' in choir) {
    expect(choir.aborted.reason, `${phases}`).toBe(expected);
    return expected;
  }
  const round = roundOf(choir);
  const { outcome, refusals } = play(choir, round, {
    atMaskedInput: dropsAt(2),
    atConsistency: dropsAt(3),
    atUnmasking: dropsAt(4),
  });
  expect(refusals.size, `${phases}: an honest member refused`).toBe(0);
  if (outcome.kind === 'aborted') {
    expect(outcome.reason, `${phases}`).toBe(expected);
    expect(outcome.have, `${phases}`).toBeLessThan(outcome.need);
    return expected;
  }
  expect('sum', `${phases}`).toBe(expected);
  const survivors = round.expected.filter((id) => !dropsAt(2).includes(id));
  expect(outcome.survivors).toEqual(survivors);
  expect([...outcome.sum], `${phases}`).toEqual(sumOf(choir, survivors, round));
  return 'sum';
}

const assignments = (n: number): LastPhase[][] =>
  n === 0
    ? [[]]
    : assignments(n - 1).flatMap((rest) => ([0, 1, 2, 3, 4, 5] as const).map((phase) => [...rest, phase]));

describe('hazard S18: drop-outs', () => {
  it.each([3, 4])(
    'every member of %i at every message, all combinations: the exact sum or a named abort',
    (n) => {
      const seen = new Map<string, number>();
      for (const phases of assignments(n)) {
        const outcome = playAndJudge(n, phases);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      // The enumeration met every outcome that exists: no branch is tested by nobody.
      expect([...seen.keys()].sort()).toEqual(
        [
          'TooFewAdverts',
          'TooFewShareKeys',
          'TooFewMaskedInputs',
          'TooFewChecks',
          'TooFewAnswers',
          'sum',
        ].sort(),
      );
    },
  );

  it('every subset of 5 at each message', () => {
    const ids = [0, 1, 2, 3, 4];
    for (const phase of ids as LastPhase[])
      for (const subset of subsetsOf(ids))
        playAndJudge(
          5,
          ids.map((i) => (subset.includes(i) ? phase : 5)),
        );
  });

  it('six tolerate two lost, wherever: threshold 4 of 6, then 4 of 5', () => {
    expect(playAndJudge(6, [5, 5, 5, 5, 2, 5])).toBe('sum');
    expect(playAndJudge(6, [5, 5, 5, 5, 1, 2])).toBe('sum');
    expect(playAndJudge(6, [5, 5, 5, 5, 2, 4])).toBe('sum');
    expect(playAndJudge(6, [5, 5, 5, 5, 3, 4])).toBe('sum');
    expect(playAndJudge(6, [5, 5, 5, 2, 3, 4])).toBe('TooFewAnswers');
  });

  it('goes on round after round with whoever is left, one slot each', () => {
    const choir = trySetUp({ n: 6, slots: 3 });
    if ('aborted' in choir) throw new Error(choir.aborted.reason);
    let members = choir.members;
    let expected = [...members.keys()];
    for (const [slot, lost] of [[idAt(1)], [idAt(4)], []].entries()) {
      const now: Choir = { ...choir, members };
      const round = roundOf(now, { slot, round: `round-${slot}`, expected });
      const played = play(now, round, { atMaskedInput: lost });
      if (played.outcome.kind === 'aborted') throw new Error(played.outcome.reason);
      expect([...played.outcome.sum]).toEqual(sumOf(now, played.outcome.survivors, round));
      members = played.members;
      expected = [...played.outcome.survivors];
    }
    expect(expected.length).toBe(4);
  });
});
