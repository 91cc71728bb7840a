import { join } from 'node:path';
import type { Audit } from '../../evaluation/audit/oneRun.js';
import type { Cast, Member, Stage } from './cast.js';
import type { DemoPlan } from './plan.js';

/** Enough to show more than the charter's ε, were it spent without noise. */
const CANARIES = 2048;

/**
 * Before the generator is given to anybody, the auditor trains by the same charter and plan once more, with canaries for records,
 * and counts how many it finds again in the noisy sums. No airline's row takes part, so what is found may be published. Throws
 * CliError (AuditFailed) if the canaries show more than the accountant says: then nothing is released.
 */
export async function audit(
  { processes, terminal, folder }: Stage,
  { members }: Cast,
  plan: DemoPlan,
): Promise<Audit> {
  const [{ id }] = members as [Member];
  const lines = await processes.run('audit', [
    ...['audit', '--charter', join(folder, 'participants', id, 'charter.json')],
    ...['--options', JSON.stringify(plan.gan), '--canaries', String(CANARIES)],
  ]);
  const found = lines.find((line) => line.event === 'audit') as unknown as Audit;
  terminal.step(
    'audited',
    `Audited: ${found.canaries} canaries in a training by the same plan show ε ≥ ${found.epsilonEmpirical.toFixed(2)}, ${found.epsilonAccounted.toFixed(2)} is accounted; without noise they would show ${found.epsilonDetectable.toFixed(1)}`,
    { epsilonEmpirical: found.epsilonEmpirical, epsilonAccounted: found.epsilonAccounted },
  );
  return found;
}
