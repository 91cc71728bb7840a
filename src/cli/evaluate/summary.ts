import type { Assessment } from '../../evaluation/assess.js';
import { count } from '../../evaluation/report/format.js';
import { jsonBeside } from './page.js';

const SIGNS = { good: '✓ good ', watch: '! watch', bad: '✗ bad  ' } as const;

/** The verdicts, and where the rest is. */
export function inWords({ verdicts, rows }: Assessment, page: string): string {
  const lines = verdicts.map(
    ({ topic, level, finding, smokeTest }) =>
      `${SIGNS[level]}  ${topic}${smokeTest ? ' (smoke test, no proof)' : ''}\n         ${finding}`,
  );
  return [
    `${count(rows.synthetic)} synthetic rows, learnt from ${count(rows.train)}, judged with ${count(rows.real)} hold-out rows.`,
    '',
    ...lines,
    '',
    `${page} has the whole story, ${jsonBeside(page)} every figure.`,
    'Keep both inside: their figures are computed from real rows, without noise.\nShowing them to others is a release of those rows that no ε covers.',
  ].join('\n');
}
