import { thresholdFor } from '../../federation/charter.js';
import type { Cohort } from '../../privacy/sumQuery.js';
import { MIN_COHORT } from '../../secagg/block.js';
import { CliError, EXIT } from '../exits.js';

/**
 * The charter's cohort: every participant in each sum unless fewer shall do. Throws CliError where so few can't open a sum, or would
 * leave nobody whose noise the colluders do not know (federation/charter.ts has the same floors, for all charters).
 */
export function cohortFor(
  participants: number,
  { minParticipants, maxColluders }: { readonly minParticipants?: number; readonly maxColluders: number },
): Cohort {
  const cohort = { minSurvivors: minParticipants ?? participants, maxColluders };
  const least = Math.max(MIN_COHORT, maxColluders + 2, thresholdFor(participants, cohort));
  if (least > participants)
    throw new CliError(
      `With --max-colluders ${maxColluders} a sum needs ${least} participants, and there are ${participants} files: give more files or allow fewer colluders.`,
      EXIT.refused,
      'InvalidInput',
    );
  if (cohort.minSurvivors < least || cohort.minSurvivors > participants)
    throw new CliError(
      `--min-participants must be from ${least} to ${participants} for ${participants} files and --max-colluders ${maxColluders}, not ${cohort.minSurvivors}.`,
      EXIT.refused,
      'InvalidInput',
    );
  return cohort;
}
