import type { Json } from '../../crypto/canonical.js';
import { FederationError } from '../../federation/errors.js';
import type { RunRecord } from '../../federation/ports.js';
import { synthesizerOf } from '../../synthesis/index.js';
import { CliError, EXIT } from '../exits.js';
import type { SimulatedFederation } from './federation.js';

export interface RunSettings {
  readonly synthesizer: string;
  /** Without its noise, which follows from the budget. */
  readonly options: Readonly<Record<string, Json>>;
}

/** More than any budget needs: what the ring says to it names the knobs. */
const LARGEST_NOISE = 1e6;

/** Throws CliError or InvalidOptions where the options are not the synthesizer's, or name the noise themselves. */
export function checkRun({ synthesizer: kind, options }: RunSettings): void {
  const parsed = synthesizerOf(kind).parseOptions(options);
  if ('noiseMultiplier' in options)
    throw new CliError(
      '--options names a noiseMultiplier, but the noise follows from --epsilon: leave it out.',
      EXIT.usage,
      'InvalidInput',
    );
  if (typeof parsed !== 'object' || parsed === null || !('noiseMultiplier' in parsed))
    throw new CliError(
      `The noise of the synthesizer "${kind}" is no single option, so it can't be chosen by --epsilon.`,
      EXIT.refused,
      'InvalidInput',
    );
}

/**
 * The least noise with which the whole run stays within the charter's ε, by the coordinator's own preview. Throws CliError with the
 * knobs where the ring holds none.
 */
export async function noiseWithin(
  { service, charter }: SimulatedFederation,
  { synthesizer, options }: RunSettings,
): Promise<number> {
  const { target } = await service.compliance.preview({ synthesizer, options });
  if (target.noiseMultiplier !== null) return target.noiseMultiplier;
  const ring = await service.compliance
    .preview({ synthesizer, options: { ...options, noiseMultiplier: LARGEST_NOISE } })
    .then(
      () => `the largest noise multiplier is ${LARGEST_NOISE}`,
      (error: unknown) => {
        if (error instanceof FederationError) return error.message;
        throw error;
      },
    );
  const { epsilon, delta } = charter.privacy;
  throw new CliError(
    `No noise that the ring holds keeps this run within ε = ${epsilon} at δ = ${delta} (${ring}): raise --epsilon or --delta, ` +
      'ask for fewer or cheaper sums by --options, or give fewer participants or fewer rows to each.',
    EXIT.refused,
    'InvalidInput',
  );
}

/** Proposes, approves and follows a run to its end. Throws CliError unless it is completed. */
export async function train(
  { service, crashed, notices }: SimulatedFederation,
  { synthesizer, options }: RunSettings,
  progress: (run: RunRecord) => Promise<void>,
): Promise<RunRecord> {
  const { id } = await service.runs.propose({ synthesizer, options, proposedBy: 'operator' });
  await service.runs.approve(id, 'approver');
  let last: RunRecord | undefined;
  for await (const run of service.runs.watch(id, crashed)) {
    last = run;
    await progress(run);
  }
  crashed.throwIfAborted();
  if (last?.status !== 'completed') {
    const said =
      notices.length === 0 ? '' : ` Participants said: ${[...new Set(notices)].slice(0, 3).join('; ')}`;
    throw new CliError(
      `${last?.reason ?? 'The run did not finish.'}${said}`,
      last?.status === 'stopped' ? EXIT.overBudget : EXIT.aborted,
      last?.status === 'stopped' ? 'BudgetExceeded' : 'QuorumNotReached',
    );
  }
  return last;
}
