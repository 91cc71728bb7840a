import type { QualityReport } from '../synthesis/quality/report.js';
import type { ReleaseGates } from './charter.js';
import { FederationError } from './errors.js';

export type GateName = keyof ReleaseGates;
export type GateState = 'passed' | 'failed' | 'not-measured';

/** One condition that the charter sets on a release. */
export interface GateResult {
  readonly gate: GateName;
  readonly wanted: number;
  /** The unfavourable end of what is known; null while nothing was measured. */
  readonly found: number | null;
  readonly state: GateState;
  /** Why what was measured does not count; left out where it does, or where nothing was. */
  readonly because?: string;
}

/** What is known of a run. */
export interface Measured {
  /** Of its own sums in the ledger, the upper end by the tight accountants. */
  readonly epsilon: number;
  /** The quality report that counts, if there is one. */
  readonly report: QualityReport | undefined;
  /** Synthetic rows that the report's attack has to have searched: few that are near nobody open the gate to any table. */
  readonly fewestReferences: number;
}

/**
 * Each gate against what is known. An interval's end that speaks against the release decides, and what was not measured is not
 * passed: a gate fails closed.
 */
export function gateResults(
  { maxEpsilon, minFidelity, maxAttackAdvantage }: ReleaseGates,
  { epsilon, report, fewestReferences }: Measured,
): readonly GateResult[] {
  const results: GateResult[] = [];
  const add = (
    gate: GateName,
    wanted: number | undefined,
    found: number | undefined,
    holds: (found: number, wanted: number) => boolean,
  ): void => {
    if (wanted === undefined) return;
    if (found === undefined) results.push({ gate, wanted, found: null, state: 'not-measured' });
    else results.push({ gate, wanted, found, state: holds(found, wanted) ? 'passed' : 'failed' });
  };
  const atMost = (found: number, wanted: number): boolean => found <= wanted;
  add('maxEpsilon', maxEpsilon, epsilon, atMost);
  add(
    'minFidelity',
    minFidelity,
    report === undefined ? undefined : 1 - report.twoWay.mean.upper,
    (found, wanted) => found >= wanted,
  );
  // Few rows find little: what they find counts against a release, and never for it.
  const attack = report?.attack;
  const isIdle =
    attack !== undefined &&
    maxAttackAdvantage !== undefined &&
    attack.references < fewestReferences &&
    atMost(attack.advantage.upper, maxAttackAdvantage);
  if (isIdle)
    results.push({
      ...{ gate: 'maxAttackAdvantage', wanted: maxAttackAdvantage, found: null, state: 'not-measured' },
      because: `the attack searched ${attack.references} synthetic rows, and counts from ${fewestReferences} on; measure with at most half the noise and the default "rows" and "references"`,
    });
  else add('maxAttackAdvantage', maxAttackAdvantage, attack?.advantage.upper, atMost);
  return results;
}

const WORDS: Readonly<Record<GateName, string>> = {
  maxEpsilon: 'ε at most',
  minFidelity: 'fidelity at least',
  maxAttackAdvantage: 'attack advantage at most',
};

function describe({ gate, wanted, found, state, because }: GateResult): string {
  const known =
    found === null ? (because ?? 'not measured yet') : `found ${Number(found.toFixed(4))}, ${state}`;
  return `${WORDS[gate]} ${wanted}: ${known}`;
}

/** Every gate by name in the details: wanted, found, state. Throws ReleaseGated unless all are passed. */
export function assertGatesPassed(runId: string, results: readonly GateResult[]): void {
  if (results.every(({ state }) => state === 'passed')) return;
  const missing = results.some(({ state }) => state === 'not-measured');
  throw new FederationError(
    'ReleaseGated',
    `Run ${runId} is held back by the charter: ${results.map(describe).join('; ')}.${
      missing ? ` Measure it: "chorale run quality ${runId}".` : ''
    }`,
    Object.fromEntries(
      results.map(({ gate, wanted, found, state }) => [
        gate,
        `wanted ${wanted}, found ${found ?? 'nothing'}: ${state}`,
      ]),
    ),
  );
}
