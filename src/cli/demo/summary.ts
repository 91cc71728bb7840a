import { statSync } from 'node:fs';
import { inWords } from '../commands/runQuality.js';
import type { LedgerFile } from '../ledgerFile.js';
import type { Stage } from './cast.js';
import { DELTA, EPSILON } from './plan.js';
import type { Release } from './release.js';
import type { Training } from './training.js';

/** The run in ten lines: privacy, its audit, sums, traffic, fidelity, time, and where the files are. `chorale` is how to call the command. */
export function summarize(
  { terminal, here }: Stage,
  { roundsPerSecond, survivors }: Training,
  { ledger, verdict, measured, evaluation, audited, durationMs, paths }: Release,
  chorale: string,
): void {
  const completed = ledger.rounds.filter((round) => round.phase === 'COMPLETED');
  const rounds = completed.length;
  const dropped = completed.reduce((sum, round) => sum + (round.dropped?.length ?? 0), 0);
  const bytes = median(survivors.map(({ participantId }) => bytesOf(ledger, participantId)));
  const { yardsticks } = evaluation;
  const tvd = (value: { readonly twoWay: { readonly mean: number } }) => value.twoWay.mean.toFixed(3);
  const [first] = measured;
  terminal.table(
    'summary',
    [
      [
        'privacy spent',
        `ε = ${verdict.epsilon.toFixed(3)} of ${EPSILON} at δ = ${DELTA}, against the coordinator and one colluding airline`,
      ],
      [
        'audit',
        `${audited.rightGuesses} of ${audited.guesses} guesses about canaries right: ε ≥ ${audited.epsilonEmpirical.toFixed(2)} with ${100 * audited.confidence} % confidence`,
      ],
      [
        'sums',
        `${rounds} opened, ${verdict.voided} voided, ${roundsPerSecond.toFixed(1)} a second; ${dropped} with a lost member, recovered from shares`,
      ],
      [
        'sent by each participant',
        `${(bytes / 1e6).toFixed(1)} MB, ${(bytes / rounds / 1e3).toFixed(1)} kB a sum`,
      ],
      ...measured.map(
        ({ synthesizer, twoWay, epsilon }) =>
          [
            `pairs of columns, ${synthesizer}`,
            `${inWords(twoWay.mean)} from the real ones, measured by a noisy sum of ε = ${epsilon?.toFixed(3) ?? '∞'}`,
          ] as const,
      ),
      ...measured.flatMap(({ synthesizer, label }) =>
        label === null
          ? []
          : [
              [
                `area under ROC, ${synthesizer}`,
                `${inWords(label.area)} for ${label.column}, learnt from synthetic rows and tested on real ones in the same sum; guessing 0.500`,
              ] as const,
            ],
      ),
      ...(first === undefined
        ? []
        : [
            [
              'yardsticks, from the same sums',
              `independent columns ${inWords(first.twoWay.independentColumns)}, a perfect table ${first.twoWay.sampling.toFixed(3)}`,
            ] as const,
          ]),
      [
        'the demo’s own look at all rows',
        `marginals ${tvd(yardsticks.synthetic)}, independent columns ${tvd(yardsticks.independentColumns)}, real hold-out ${tvd(yardsticks.realHoldOut)} (${yardsticks.rows} rows each)`,
      ],
      ['synthetic rows', `${evaluation.rows.synthetic} of each, all valid by the schema`],
      ['whole demo', `${(durationMs / 1000).toFixed(0)} s`],
      ['report', here(paths.report)],
      [
        'tables',
        `${here(paths.synthetic)} (marginals, ${(statSync(paths.synthetic).size / 1e6).toFixed(1)} MB), ${here(paths.gan)}`,
      ],
      ['ledger', `${here(paths.ledger)}; check it: ${chorale} budget verify ${here(paths.ledger)}`],
    ],
    {
      epsilon: verdict.epsilon,
      epsilonEmpirical: audited.epsilonEmpirical,
      delta: DELTA,
      rounds,
      dropped,
      voided: verdict.voided,
      roundsPerSecond,
      bytesPerParticipant: bytes,
      measured,
      fidelity: {
        synthetic: yardsticks.synthetic,
        independentColumns: yardsticks.independentColumns,
        holdOut: yardsticks.realHoldOut,
      },
      durationMs,
      files: { report: paths.report, synthetic: paths.synthetic, ledger: paths.ledger },
    },
  );
}

function bytesOf(ledger: LedgerFile, participantId: string): number {
  return ledger.rounds.reduce((sum, round) => sum + (round.bytesReceived[participantId] ?? 0), 0);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
