import type { Command } from 'commander';
import { MAX_COMPLETE_MEMBERS, MAX_MEMBERS, MIN_COHORT } from '../../secagg/block.js';
import {
  type HararyPlan,
  type HararyRisks,
  hararyPlan,
  hararyRisks,
  PLAN_SECURITY,
} from '../../secagg/cohortPlan.js';
import { type Graph, graphKindFor, quorumOf, shareThreshold } from '../../secagg/graph.js';
import { advertBytes, shareKeysBytes } from '../../secagg/messages.js';
import { print } from '../connection.js';
import { CliError, readJsonFile } from '../exits.js';
import { wholeNumber } from './coordinator.js';

/** Key slots of the block for which message sizes are given: the coordinator's default. */
const SLOTS = 32;

export interface CohortChoice {
  readonly members: number;
  readonly colluders: number;
  readonly minSurvivors: number;
}

/** What a cohort tolerates; `ring` where it is not the complete graph; JSON has null for log2 of what cannot happen. */
export interface CohortForecast extends CohortChoice {
  readonly graph: Graph['kind'];
  readonly shareholders: number;
  readonly threshold: number;
  readonly mayDropOut: number;
  readonly advertBytes: number;
  readonly shareKeysBytes: number;
  readonly ring: (HararyRisks & Pick<HararyPlan, 'cutFloor'>) | null;
}

export function registerCohort(program: Command): void {
  const cohort = program
    .command('cohort')
    .description('what a cohort tolerates, and who lied in it; needs no coordinator');

  cohort
    .command('plan')
    .description('graph, share threshold, tolerated drop-outs and message sizes of a cohort')
    .requiredOption('--members <number>', 'members of the charter', wholeNumber(1, MAX_MEMBERS))
    .requiredOption('--min-survivors <number>', 'fewest contributions in a sum', wholeNumber(1, MAX_MEMBERS))
    .option(
      '--colluders <number>',
      'members that may conspire with the coordinator',
      wholeNumber(1, MAX_MEMBERS),
      1,
    )
    .addHelpText(
      'after',
      `
Examples:
  $ chorale cohort plan --members 8 --min-survivors 6
  $ chorale cohort plan --members 1000 --colluders 50 --min-survivors 950 --json`,
    )
    .action((choice: CohortChoice, command: Command) => {
      const forecast = forecastCohort(choice);
      print(command, { event: 'cohort', ...forecast }, describeForecast(forecast));
    });

  registerJudge(cohort);
}

function registerJudge(cohort: Command): void {
  cohort
    .command('judge <evidence>')
    .description('check a proof that a member gave wrong shares, from the file alone and the charter')
    .requiredOption(
      '--charter <file>',
      'output of "chorale charter show --json", or a participant’s charter.json',
    )
    .addHelpText(
      'after',
      `
The coordinator keeps each proof among its blobs, named by the digest in its log line "a member gave wrong shares".
Exit code 3 if the file proves nothing.

Example:
  $ chorale cohort judge ./coordinator/blobs/5f/5fd1… --charter charter.json`,
    )
    .action(async (path: string, options: { readonly charter: string }, command: Command) => {
      const { readFileSync } = await import('node:fs');
      const { nodePrimitives } = await import('../../crypto/nodePrimitives.js');
      const { floorsOf, readCharter } = await import('../../federation/charter.js');
      const { EvidenceRejected, verifyEvidence } = await import('../../secagg/blame.js');
      const { decodeEvidence, UnreadableState } = await import('../../secagg/stateCodec.js');
      const { body } = readJsonFile(options.charter) as { readonly body?: unknown };
      if (typeof body !== 'string')
        throw new CliError(
          `${options.charter} has no charter in it: give the output of "chorale charter show --json".`,
        );
      try {
        const evidence = decodeEvidence(nodePrimitives, readFileSync(path));
        const verdict = verifyEvidence(nodePrimitives, floorsOf(readCharter(body)), evidence);
        const round = evidence.context.round;
        const what =
          verdict.lie === 'wrong-opening'
            ? 'opened a share that was not dealt to it'
            : 'dealt shares that do not fit together or do not give the key that it advertised';
        print(
          command,
          { event: 'proved', ...verdict, round },
          `Proved: in round ${round}, ${verdict.accused} ${what}.`,
        );
      } catch (error) {
        if (error instanceof EvidenceRejected || error instanceof UnreadableState)
          throw new CliError(`It proves nothing: ${error.message}.`, undefined, 'NotProved', {
            cause: error,
          });
        throw error;
      }
    });
}

/** Throws CliError CohortImpossible: what is wrong, and which number to change. */
export function forecastCohort({ members, colluders, minSurvivors }: CohortChoice): CohortForecast {
  const refuse = (message: string): never => {
    throw new CliError(message, undefined, 'CohortImpossible');
  };
  const knob = '--min-survivors';
  if (members < MIN_COHORT)
    refuse(
      `${counted(members, 'member')}: of two, each could subtract its own part from the sum. Raise --members to ${MIN_COHORT} or more.`,
    );
  if (colluders > members - 2)
    refuse(
      `With ${counted(colluders, 'colluder')} of ${members} members nobody is left for an honest member to hide with. Lower --colluders to ${members - 2} or less, or raise --members.`,
    );
  if (minSurvivors > members)
    refuse(
      `A sum of ${minSurvivors} contributions cannot come from ${members} members. Lower ${knob}, or raise --members.`,
    );
  const least = Math.max(MIN_COHORT, colluders + 2);
  if (minSurvivors < least)
    refuse(
      `In a sum of ${minSurvivors}, coordinator and ${counted(colluders, 'colluder')} would see a single member's part. Raise ${knob} to ${least}${colluders > 1 ? ', or lower --colluders' : ''}.`,
    );

  const needs = { members, maxColluders: colluders, dropouts: members - minSurvivors };
  const plan = graphKindFor(members) === 'harary' ? hararyPlan(needs) : undefined;
  const graph: Pick<Graph, 'kind' | 'shareholders' | 'threshold'> =
    plan === undefined
      ? { kind: 'complete', shareholders: members, threshold: shareThreshold(members, colluders) }
      : { kind: 'harary', ...plan };
  const noRing =
    graphKindFor(members) === 'harary' && plan === undefined
      ? ' No ring of neighbours is safe here, and'
      : '';
  if (noRing !== '' && members > MAX_COMPLETE_MEMBERS)
    refuse(
      `${counted(members - minSurvivors, 'drop-out')} beside ${counted(colluders, 'colluder')} of ${members} members are too many for a ring of neighbours, and ${members} members are too many for the complete graph. Raise ${knob}, lower --colluders, or make cohorts of at most ${MAX_COMPLETE_MEMBERS} members.`,
    );
  if (minSurvivors < graph.threshold)
    refuse(
      `${noRing === '' ? '' : `${noRing.trimStart()} on the complete graph `}${counted(minSurvivors, 'survivor')} could not open a sum: the share threshold of ${members} members is ${graph.threshold}. Raise ${knob} to ${graph.threshold} or more${graph.threshold > Math.ceil((2 * members) / 3) ? ', or lower --colluders' : ''}.`,
    );
  const quorum = quorumOf(members, colluders);
  if (minSurvivors < quorum)
    refuse(
      `${counted(minSurvivors, 'survivor')} are no quorum: with ${counted(colluders, 'colluder')} of ${members} members, ${quorum} must sign who is in a sum, or two groups could be told different things. Raise ${knob} to ${quorum} or more.`,
    );
  return {
    members,
    colluders,
    minSurvivors,
    graph: graph.kind,
    shareholders: graph.shareholders,
    threshold: graph.threshold,
    mayDropOut: members - minSurvivors,
    advertBytes: advertBytes(SLOTS),
    shareKeysBytes: shareKeysBytes(SLOTS, graph.shareholders),
    ring: plan === undefined ? null : { cutFloor: plan.cutFloor, ...hararyRisks(needs, plan) },
  };
}

export function describeForecast(forecast: CohortForecast): string {
  const { members, colluders, minSurvivors, shareholders, threshold, mayDropOut, ring } = forecast;
  const honest = minSurvivors - colluders;
  const losses =
    mayDropOut === 0
      ? 'No member may drop out of a round.'
      : `Up to ${counted(mayDropOut, 'member')} may drop out of a round.`;
  const lines = [
    ring === null
      ? `Complete graph: each of the ${members} members shares masks with all others; any ${threshold} of ${shareholders} shares reconstruct (k = ${shareholders}, t = ${threshold}).`
      : `Harary graph: each of the ${members} members shares masks with ${shareholders} neighbours on a random ring; any ${threshold} of their shares reconstruct (k = ${shareholders}, t = ${threshold}, cut floor ${ring.cutFloor}).`,
    `${losses} A sum is opened with ${minSurvivors} contributions or more.`,
    `The coordinator together with ${counted(colluders, 'member')} learns a noisy sum over ${honest} or more others, and of no smaller group.`,
    ...(ring === null ? certain(forecast) : likely(mayDropOut, ring)),
    `A member sends, for a block of ${SLOTS} rounds: advert ${bytes(forecast.advertBytes)}, share keys ${bytes(forecast.shareKeysBytes)}.`,
  ];
  return lines.join('\n');
}

function certain({ members, colluders, graph }: CohortForecast): string[] {
  const heavy =
    graphKindFor(members) === graph
      ? []
      : [
          'No ring of neighbours is safe for so many losses and colluders: a higher --min-survivors or fewer --colluders make the messages smaller.',
        ];
  return [
    'Nothing is left to chance: with more losses a round stops, and nothing is learnt.',
    ...heavy,
    ...(members <= 12 ? [leastCohorts(colluders)] : []),
  ];
}

function likely(mayDropOut: number, ring: HararyRisks): string[] {
  const { permutationTriesLog2: tries } = PLAN_SECURITY;
  const exposed = Math.max(ring.exposureLog2, ring.splitLog2) + tries;
  const stopped = Math.max(ring.lackOfSharesLog2, ring.cutRefusedLog2);
  const lost = mayDropOut === 0 ? 'nobody' : counted(mayDropOut, 'member');
  return [
    `Somebody is exposed, or the sum comes apart, with a probability ${probability(exposed)} each, even if 2^${tries} rings are tried for a bad one.`,
    `With ${lost} lost by chance a round stops, for lack of shares or for a gap in the ring, with a probability ${probability(stopped)} each.`,
  ];
}

function probability(log2: number): string {
  return log2 === Number.NEGATIVE_INFINITY ? 'of zero' : `of at most 2^${Math.ceil(log2)}`;
}

/** "With one colluder 3 members tolerate no drop-out, 4 tolerate one, 6 tolerate two." */
export function leastCohorts(colluders: number): string {
  const tolerated = ['no drop-out', 'one', 'two', 'three'];
  const least: string[] = [];
  for (let n = MIN_COHORT; least.length < tolerated.length; n++) {
    const lost = n - Math.max(MIN_COHORT, colluders + 2, shareThreshold(n, colluders));
    if (lost >= least.length)
      least.push(`${n} ${least.length === 0 ? 'members ' : ''}tolerate ${tolerated[least.length]}`);
  }
  const who = colluders === 1 ? 'one colluder' : `${colluders} colluders`;
  return `With ${who} ${least.join(', ')}: each with --min-survivors as low as it may be.`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function bytes(count: number): string {
  return count < 10_000 ? `${count} bytes` : `${(count / 1000).toFixed(count < 100_000 ? 1 : 0)} kB`;
}
