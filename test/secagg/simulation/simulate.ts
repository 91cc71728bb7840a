import { CHEATS_AT_SET_UP, CHEATS_IN_ROUNDS, type Cheat, LIES } from './cheats.js';
import { COHORTS, charterOf, type Flaw, SLOTS, setUpOf } from './cohorts.js';
import { Coordinator, type Policy } from './coordinator.js';
import { Dice } from './dice.js';
import { Ledger, Violation } from './ledger.js';
import { CALM, Line, type Parcel, weatherOf } from './line.js';
import { Member } from './member.js';

/** Variants that break the rules; a simulator that does not notice them is worth nothing. */
export type Broken = NonNullable<Policy['broken']> | 'members restart from an older state';

export interface Options {
  readonly broken?: Broken;
  /** One line for each thing that happens. */
  readonly log?: (line: string) => void;
}

/** What came of one schedule; how often what happened. */
export interface Report {
  readonly seed: number;
  readonly steps: number;
  readonly happened: ReadonlyMap<string, number>;
}

/** The property does not hold, or something was thrown that is in no closed union; the message has the seed. */
export class ScheduleFailed extends Error {
  override readonly name = 'ScheduleFailed';
  constructor(
    readonly seed: number,
    cause: unknown,
  ) {
    super(`seed ${seed}: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)}`, {
      cause,
    });
  }
}

/** No schedule lasts longer: every phase has a cut-off, every block an end of its slots. */
const MOST_STEPS = 2000;

/** Plays the schedule of one seed to its end. Rejects with ScheduleFailed. */
export async function simulate(seed: number, options: Options = {}): Promise<Report> {
  const happened = new Map<string, number>();
  try {
    const steps = await play(seed, options, happened);
    return { seed, steps, happened };
  } catch (cause) {
    throw new ScheduleFailed(seed, cause);
  }
}

async function play(seed: number, options: Options, happened: Map<string, number>): Promise<number> {
  const { broken, log } = options;
  const dice = new Dice(`schedule ${seed}`);
  let now = 0;
  const count = (what: string, detail?: string): void => {
    happened.set(what, (happened.get(what) ?? 0) + 1);
    log?.(`${String(now).padStart(4)}  ${what}${detail === undefined ? '' : `: ${detail}`}`);
  };

  const setsUp = dice.chance(0.06);
  const cohort = setsUp ? dice.pick(COHORTS.filter(({ n }) => n <= 6)) : dice.weighted(COHORTS);
  const calm = dice.chance(0.05);
  const weather = calm ? CALM : weatherOf(dice, setsUp);
  const cheat: Cheat | undefined =
    calm || !dice.chance(setsUp ? 0.5 : 0.25)
      ? undefined
      : dice.pick(setsUp ? CHEATS_AT_SET_UP : CHEATS_IN_ROUNDS);
  const flaw: Flaw =
    setsUp || calm || cheat !== undefined || cohort.n > 12 || !dice.chance(0.1)
      ? 'none'
      : dice.pick(['one-wrong-share', 'wrong-secret']);
  const eagerDisk = cohort.n <= 6 && dice.chance(0.15);
  const policy: Policy = {
    sumsWanted: dice.pick([1, 1, 1, 2, SLOTS]),
    cutOff: calm ? 24 : dice.between(8, 24),
    askEvery: dice.between(4, 8),
    groupCommit: dice.pick([1, 1, 2, 3]),
    expects: dice.pick(['everybody', 'who answered']),
    restartBurnsSlot: dice.chance(0.2),
    unmasksEarly: dice.chance(0.4),
    eagerDisk: eagerDisk && cohort.n <= 4,
    broken: broken === 'members restart from an older state' ? undefined : broken,
  };

  const charter = setsUp ? charterOf(cohort) : setUpOf(cohort, flaw);
  const start = 'block' in charter ? (charter as ReturnType<typeof setUpOf>) : undefined;
  const { config, floors, parties } = charter;
  const ids = [...parties.keys()];
  const cheater = cheat === undefined ? undefined : dice.pick(ids);
  const cheats = new Set([cheater, start?.liar].filter((id) => id !== undefined));
  const liars = new Set(start?.liar === undefined ? [] : [start.liar]);
  if (cheat !== undefined && cheater !== undefined && LIES.includes(cheat)) liars.add(cheater);
  log?.(
    `seed ${seed}: ${JSON.stringify({ cohort, setsUp, calm, weather, policy, cheat, cheater, flaw, liar: start?.liar })}`,
  );

  const ledger = new Ledger(config, floors, cheats, liars);
  const line = new Line(dice, weather, config.slots, (what, parcel) => count(what, brief(parcel)));
  const members = new Map<string, Member>();
  for (const [index, id] of ids.entries()) {
    const habits = {
      durable: dice.chance(0.7),
      keepsVectors: dice.chance(0.6),
      eagerDisk,
      cheat: id === cheater ? cheat : undefined,
      keepsFirstState: broken === 'members restart from an older state',
    };
    const around = { dice, weather, ledger, n: ids.length, floors, count };
    members.set(id, new Member(parties.get(id)!, index, habits, around, start?.members.get(id)));
  }
  const send = (parcel: Parcel): void => line.send(now, parcel);
  const coordinator = new Coordinator(
    config,
    policy,
    { dice, weather, ledger, count, send: (to, request) => send({ to, request }) },
    start?.block,
  );
  if (start !== undefined) coordinator.everybodyIsSetUp();

  for (; !coordinator.done; now++) {
    if (now > MOST_STEPS) throw new Violation(`it goes on for more than ${MOST_STEPS} steps`);
    for (const parcel of line.arrivals(now)) {
      log?.(`${String(now).padStart(4)}  ${brief(parcel)} arrives`);
      if (parcel.to === 'coordinator' && 'bytes' in parcel) {
        await coordinator.receive(now, parcel.from, parcel.ask, parcel.bytes);
      } else if ('request' in parcel) {
        const { ask } = parcel.request;
        for (const bytes of await members.get(parcel.to)!.handle(now, parcel.request)) {
          for (const member of members.values()) if (member.id !== parcel.to) member.overhears(ask, bytes);
          send({ to: 'coordinator', from: parcel.to, ask, bytes });
        }
      }
    }
    for (const member of members.values()) member.step(now);
    await coordinator.step(now);
  }

  if (cheat !== undefined) count(`cheat ${cheat}`);
  count(`n ${ids.length} ${config.graph}`);
  if (setsUp) count('set-up played');
  // Else a protocol that always aborts would pass.
  if (calm && coordinator.sums !== policy.sumsWanted)
    throw new Violation(`nothing went wrong, and ${coordinator.sums} of ${policy.sumsWanted} sums were made`);
  return now;
}

function brief(parcel: Parcel): string {
  return 'bytes' in parcel
    ? `${parcel.ask} from ${parcel.from}`
    : `request for ${parcel.request.ask} to ${parcel.to}`;
}
