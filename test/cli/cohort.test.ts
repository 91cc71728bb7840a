import { Command } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { forecastCohort, leastCohorts, registerCohort } from '../../src/cli/commands/cohort.js';
import { CliError, explain } from '../../src/cli/exits.js';
import { advertBytes, shareKeysBytes } from '../../src/secagg/messages.js';

afterEach(() => vi.restoreAllMocks());

/** Runs the real command in this process and gives what it printed. */
async function plan(...args: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
  const program = new Command('chorale')
    .option('--json')
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  registerCohort(program);
  await program.parseAsync(['cohort', 'plan', ...args], { from: 'user' });
  return lines.join('\n');
}

const refusal = (members: number, colluders: number, minSurvivors: number): string => {
  try {
    forecastCohort({ members, colluders, minSurvivors });
  } catch (error) {
    expect(error).toBeInstanceOf(CliError);
    expect(explain(error)).toMatchObject({ exitCode: 3, code: 'CohortImpossible' });
    return (error as CliError).message;
  }
  return '';
};

describe('chorale cohort plan', () => {
  test('says in words what eight members tolerate', async () => {
    const said = await plan('--members', '8', '--min-survivors', '6');
    expect(said).toContain('Complete graph: each of the 8 members');
    expect(said).toContain('(k = 8, t = 6)');
    expect(said).toContain('Up to 2 members may drop out of a round.');
    expect(said).toContain('together with 1 member learns a noisy sum over 5 or more others');
    expect(said).toContain('Nothing is left to chance');
    expect(said).toContain(
      'With one colluder 3 members tolerate no drop-out, 4 tolerate one, 6 tolerate two, 9 tolerate three',
    );
    expect(said).toMatch(/advert \d+ bytes, share keys [\d.]+ kB/);
  });

  test('above 64 members: the ring, with what fails and how often', async () => {
    const said = await plan('--members', '1000', '--colluders', '50', '--min-survivors', '950');
    expect(said).toContain('70 neighbours on a random ring');
    expect(said).toContain('(k = 70, t = 53, cut floor 38)');
    expect(said).toContain('of at most 2^-40 each, even if 2^64 rings are tried');
    expect(said).toContain('With 50 members lost by chance a round stops');
    expect(said).toContain('of at most 2^-20 each');
  });

  test('--json gives the numbers', async () => {
    const line = JSON.parse(await plan('--members', '100', '--min-survivors', '90', '--json'));
    expect(line).toMatchObject({ event: 'cohort', members: 100, graph: 'harary', mayDropOut: 10 });
    expect(line.advertBytes).toBe(advertBytes(32));
    expect(line.shareKeysBytes).toBe(shareKeysBytes(32, line.shareholders));
    // What cannot happen has no logarithm.
    expect(line.ring.lackOfSharesLog2).toBeNull();
    const large = JSON.parse(await plan('--members', '1000', '--min-survivors', '900', '--json'));
    expect(large.ring.lackOfSharesLog2).toBeLessThan(-20);
    const small = JSON.parse(await plan('--members', '8', '--min-survivors', '6', '--json'));
    expect(small).toMatchObject({ graph: 'complete', shareholders: 8, threshold: 6, ring: null });
  });

  test('a cohort that cannot be is refused, with the knob to turn', () => {
    expect(refusal(2, 1, 2)).toContain('Raise --members to 3');
    expect(refusal(5, 4, 5)).toContain('Lower --colluders to 3');
    expect(refusal(5, 1, 6)).toContain('Lower --min-survivors, or raise --members');
    expect(refusal(10, 5, 6)).toContain('Raise --min-survivors to 7, or lower --colluders');
    expect(refusal(8, 1, 5)).toContain(
      'the share threshold of 8 members is 6. Raise --min-survivors to 6 or more.',
    );
    expect(refusal(8, 5, 7)).toBe('');
    expect(refusal(100, 45, 55)).toContain('No ring of neighbours is safe here');
    expect(refusal(1000, 450, 550)).toContain('cohorts of at most 512 members');
  });

  test('what it recommends it then accepts', () => {
    for (let members = 3; members <= 70; members++)
      for (const colluders of [1, 2, 5, 20]) {
        const message = refusal(members, colluders, 1);
        const to = /Raise --min-survivors to (\d+)/.exec(message);
        if (to === null) continue;
        const second = refusal(members, colluders, Number(to[1]));
        const higher = /Raise --min-survivors to (\d+)/.exec(second);
        if (higher !== null) expect(refusal(members, colluders, Number(higher[1])), message).toBe('');
        else expect(second, message).toBe('');
      }
  });

  test('the least cohorts for more colluders', () => {
    expect(leastCohorts(2)).toContain('With 2 colluders 4 members tolerate no drop-out');
  });

  test('a wrong command line is commander’s to refuse', async () => {
    await expect(plan('--members', '8')).rejects.toThrow('--min-survivors');
    await expect(plan('--members', '2000', '--min-survivors', '8')).rejects.toThrow('from 1 to 1024');
  });
});
