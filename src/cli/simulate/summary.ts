import type { Observer } from '../../privacy/views.js';
import type { Terminal } from '../demo/terminal.js';
import type { Simulation } from './simulate.js';

const OBSERVERS: Readonly<Record<Observer, (colluders: number) => string>> = {
  coordinatorWithColluders: (colluders) =>
    `coordinator and ${colluders} participant${colluders === 1 ? '' : 's'}`,
  coordinatorAlone: () => 'coordinator alone',
  anotherMember: () => 'another participant',
  public: () => 'the public',
  secureAggregationBroken: () => 'were single vectors seen',
};

/** What it cost, against whom, and what it took; with --json one line that has everything. */
export function summarize(terminal: Terminal, simulation: Simulation): void {
  const { views, maxColluders, epsilon, epsilonCommitted, delta, rounds, bytes, seconds } = simulation;
  const { total, rounds: parts, ...phases } = seconds;
  terminal.table(
    'simulated',
    [
      ['ε spent', `${epsilon.toFixed(4)} of ${epsilonCommitted} at δ = ${delta}`],
      ...views.map(({ observer, epsilon: charged, interval }) => {
        const reckoned = `${inWords(charged)} (by the tight accountants ${inWords(interval.upper)})`;
        return [`ε against ${OBSERVERS[observer](maxColluders)}`, reckoned] as const;
      }),
      ['sums', `${rounds}, noise multiplier ${simulation.noiseMultiplier}`],
      [
        'sent by each participant',
        `${(bytes.sentByEach / 1e6).toFixed(2)} MB, and ${(bytes.receivedByEach / 1e6).toFixed(2)} MB received`,
      ],
      ['seconds', `${total.toFixed(1)}: ${listed(phases)}`],
      ['of the training', listed(parts)],
      ['synthetic rows', `${simulation.rows} in ${simulation.out}`],
      ...(simulation.report === null ? [] : [['report', simulation.report] as const]),
    ],
    simulation as unknown as Readonly<Record<string, unknown>>,
  );
  if (simulation.seed !== null)
    terminal.note(
      'Made with --seed: whoever knows the seed can subtract the noise. For experiments; don’t publish the table.',
    );
}

function inWords(epsilon: number): string {
  return Number.isFinite(epsilon) ? epsilon.toFixed(4) : 'unbounded';
}

function listed(seconds: Readonly<Record<string, number>>): string {
  return Object.entries(seconds)
    .map(([part, spent]) => `${part} ${spent.toFixed(1)}`)
    .join(', ');
}
