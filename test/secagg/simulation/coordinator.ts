import { inlineMaskWork } from '../../../src/crypto/maskWork.js';
import {
  type AbortReason,
  type BlockConfig,
  type BlockState,
  type CheckingRound,
  closeAdverts,
  closeConsistency,
  closeMaskedInputs,
  closeShares,
  createBlock,
  openRound,
  type Received,
  type RoundContext,
  type RoundState,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  restoreRound,
  SecaggRefusal,
  shareBundle,
  unmask,
} from '../../../src/secagg/index.js';
import { MODULUS_BITS, primitives, sha256Hex } from './cohorts.js';
import type { Dice } from './dice.js';
import { Disk } from './disk.js';
import type { Ledger } from './ledger.js';
import type { Ask, Request, Weather } from './line.js';

/** What the coordinator knows beside the protocol's own states; kept together with them. */
interface Book {
  readonly nextSlot: number;
  readonly sums: number;
  readonly attempt: number;
  /** Who answered in the last attempt; undefined: all are expected. */
  readonly expected: readonly string[] | undefined;
}

export interface Policy {
  readonly sumsWanted: number;
  /** Steps that a phase lasts at most, and between two requests. */
  readonly cutOff: number;
  readonly askEvery: number;
  /** Messages folded before one write. */
  readonly groupCommit: number;
  readonly expects: 'everybody' | 'who answered';
  /** An attempt found open after a restart is given up and its slot stays burnt; else it goes on. */
  readonly restartBurnsSlot: boolean;
  readonly unmasksEarly: boolean;
  readonly eagerDisk: boolean;
  readonly broken?: 'counts duplicates twice' | 'keeps the sum without its members' | undefined;
}

export interface CoordinatorSurroundings {
  readonly dice: Dice;
  readonly weather: Weather;
  readonly ledger: Ledger;
  readonly count: (what: string, detail?: string) => void;
  readonly send: (id: string, request: Request) => void;
}

/** Stands for the end of the process, wherever it is. */
class PowerCut extends Error {}

const BLOCK_STATES = ['advertising', 'sharing', 'ready'] as const;
const ROUND_STATES = ['collecting', 'checking', 'unmasking'] as const;
const masks = inlineMaskWork(primitives);

/** The coordinator's process: the real states, written down before anyone is told what follows from them. */
export class Coordinator {
  done = false;
  readonly aborts: AbortReason[] = [];
  #block: BlockState;
  #round: RoundState | undefined;
  #book: Book = { nextSlot: 0, sums: 0, attempt: 1, expected: undefined };
  readonly #blockDisk: Disk<BlockState>;
  readonly #roundDisk: Disk<RoundState>;
  #bookOnDisk = this.#book;
  #foldedOnDisk: ReadonlySet<string> = new Set();
  #unwritten = 0;
  #upAgainAt = 0;
  #deadline: number;
  #nextAsk = 0;
  #answered = new Set<string>();

  constructor(
    config: BlockConfig,
    private readonly policy: Policy,
    private readonly around: CoordinatorSurroundings,
    block?: BlockState,
  ) {
    this.#blockDisk = new Disk<BlockState>(BLOCK_STATES, policy.eagerDisk);
    this.#roundDisk = new Disk<RoundState>(ROUND_STATES, policy.eagerDisk);
    this.#block = block ?? createBlock(primitives, config);
    this.#blockDisk.write(this.#block);
    this.#deadline = policy.cutOff;
  }

  get sums(): number {
    return this.#book.sums;
  }

  async step(now: number): Promise<void> {
    await this.#orPowerCut(now, async () => {
      if (this.#upAgainAt > 0) {
        if (now < this.#upAgainAt) return;
        this.#restart(now);
      }
      if (this.around.dice.chance(this.around.weather.coordinatorCrash))
        throw new PowerCut('between two steps');
      await this.#closeWhatIsOver(now);
      if (!this.done && now >= this.#nextAsk) this.#ask(now);
    });
  }

  async receive(now: number, from: string, ask: Ask, bytes: Uint8Array): Promise<void> {
    if (this.#upAgainAt > 0 || this.done) return;
    await this.#orPowerCut(now, async () => this.#receive(from, ask, bytes));
  }

  #receive(from: string, ask: Ask, bytes: Uint8Array): void {
    const { count } = this.around;
    const verdict = (received: Received<unknown>): void => {
      count(received.kind === 'rejected' ? `reject ${received.reason}` : `${ask} ${received.kind}`, from);
      if (received.kind === 'rejected') return;
      this.#answered.add(received.from);
      if (ask === 'input') this.#setUpOver.add(received.from);
      if (received.kind === 'accepted' && ++this.#unwritten >= this.policy.groupCommit) this.#write();
    };
    if (ask === 'advert' || ask === 'shares') {
      const receive = ask === 'advert' ? receiveAdvert : receiveShares;
      const received = receive(primitives, this.#block, bytes);
      this.#block = received.state;
      verdict(received);
      return;
    }
    if (this.#round === undefined) {
      count('message while no round is open', from);
      return;
    }
    const received =
      ask === 'input'
        ? receiveMaskedInput(primitives, this.#round, bytes)
        : ask === 'check'
          ? receiveConsistency(primitives, this.#round, bytes)
          : receiveUnmasking(primitives, this.#round, bytes);
    if (this.policy.broken === 'counts duplicates twice' && ask === 'input' && received.kind === 'duplicate')
      receiveMaskedInput(
        primitives,
        {
          ...received.state,
          kind: 'collecting',
          running: { sum: received.state.running.sum, members: {} },
        } as RoundState,
        bytes,
      );
    this.#round = received.state;
    verdict(received);
  }

  /** Everything that is known, in one transaction; the power may fail just before and just after. */
  #write(): void {
    const { dice, weather } = this.around;
    if (dice.chance(weather.coordinatorCrash)) throw new PowerCut('before a write');
    this.#blockDisk.write(this.#block);
    if (this.#round === undefined) this.#roundDisk.clear();
    else this.#roundDisk.write(this.#round);
    this.#bookOnDisk = this.#book;
    this.#foldedOnDisk = new Set(this.#round === undefined ? [] : Object.keys(this.#round.running.members));
    this.#unwritten = 0;
    this.#commits();
    if (dice.chance(weather.coordinatorCrash)) throw new PowerCut('after a write');
  }

  /** What is written of a closed round is what the coordinator is bound to, told or not. */
  #commits(): void {
    const round = this.#round;
    if (round === undefined || round.kind === 'collecting') return;
    const survivors = round.survivors.map((member) => round.block.config.members[member]!.id);
    const digests = survivors.map((id) => round.running.members[id]!);
    this.around.ledger.commits(round.context.slot, survivors, digests);
  }

  async #orPowerCut(now: number, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.around.count(`coordinator crashed ${error.message}`);
      if (this.policy.broken === 'keeps the sum without its members' && this.#round?.kind === 'collecting') {
        const { sum } = this.#round.running;
        const members = Object.fromEntries(
          Object.entries(this.#round.running.members).filter(([id]) => this.#foldedOnDisk.has(id)),
        );
        this.#roundDisk.write({ ...this.#round, running: { sum, members } });
      }
      this.#upAgainAt = now + this.around.dice.between(1, 10);
    }
  }

  #restart(now: number): void {
    const { count, dice } = this.around;
    this.#upAgainAt = 0;
    this.#unwritten = 0;
    this.#answered = new Set();
    this.#block = this.#blockDisk.read()!;
    this.#round = this.#roundDisk.read();
    this.#book = this.#bookOnDisk;
    count(`coordinator resumed at ${this.#round?.kind ?? this.#block.kind}`);
    if (this.#round?.kind === 'collecting' && this.#block.kind === 'ready' && dice.chance(0.5)) {
      count('coordinator restored from the running sum');
      this.#round = restoreRound(primitives, this.#block, this.#round.context, this.#round.running);
    }
    this.#turn(now);
    if (this.#round !== undefined && this.policy.restartBurnsSlot) {
      count('coordinator gave an open slot up');
      this.#endAttempt(now, false);
    }
  }

  /** A phase begins: a new deadline, and those concerned are asked at once. */
  #turn(now: number): void {
    this.#deadline = now + this.policy.cutOff;
    this.#nextAsk = now;
  }

  async #closeWhatIsOver(now: number): Promise<void> {
    const over = now >= this.#deadline;
    const missing = this.#missing().length;
    if (!over && missing > 0 && this.#round?.kind !== 'unmasking') return;
    const block = this.#block;
    const round = this.#round;
    if (missing > 0 && this.#unwritten > 0) this.around.count('cut-off with messages unwritten');
    if (block.kind === 'advertising') {
      const closed = closeAdverts(primitives, block);
      if (closed.kind === 'aborted') return this.#endBlock(closed.reason);
      this.#block = closed.state;
    } else if (block.kind === 'sharing') {
      const closed = closeShares(primitives, block);
      if (closed.kind === 'aborted') return this.#endBlock(closed.reason);
      this.#block = closed.state;
    } else if (round === undefined) {
      return this.#openNext(now);
    } else if (round.kind === 'collecting') {
      const closed = closeMaskedInputs(round);
      if (closed.kind === 'aborted') return this.#abort(now, closed);
      this.#round = closed.state;
    } else if (round.kind === 'checking') {
      const closed = closeConsistency(round);
      if (closed.kind === 'aborted') return this.#abort(now, closed);
      this.#round = closed.state;
    } else {
      const early = this.policy.unmasksEarly && round.answersHeld >= round.threshold;
      if (!over && missing > 0 && !early) return;
      const result = await unmask(primitives, masks, round);
      this.around.ledger.accuses(result.evidence);
      for (const { lie } of result.evidence) this.around.count(`evidence ${lie}`);
      if (result.kind === 'aborted') {
        if (over || missing === 0) return this.#abort(now, result);
        this.around.count(`unmasked too early: ${result.reason}`);
        return;
      }
      this.around.ledger.results(round.context.slot, result);
      if (result.evidence.length > 0) this.around.count('decoded around a lie');
      this.around.count(`sum of ${result.survivors.length === round.expected.length ? 'all' : 'survivors'}`);
      if (round.context.attempt > 1) this.around.count('sum after a retry');
      if (!over && missing > 0 && this.around.dice.chance(0.7)) {
        this.around.count('waited for more answers than needed');
        return;
      }
      return this.#endAttempt(now, true);
    }
    this.#write();
    this.#turn(now);
  }

  #endBlock(reason: AbortReason): void {
    this.around.count(`abort ${reason}`);
    this.aborts.push(reason);
    this.done = true;
  }

  #abort(now: number, { reason, have, need }: { reason: AbortReason; have: number; need: number }): void {
    this.around.count(`abort ${reason}`, `${have} of ${need}`);
    this.aborts.push(reason);
    this.#endAttempt(now, false);
  }

  #endAttempt(now: number, summed: boolean): void {
    const { context } = this.#round!;
    const { sums, nextSlot, attempt } = this.#book;
    const seen = context.expected.filter((id) => this.#answered.has(id));
    this.#book = {
      nextSlot,
      sums: sums + (summed ? 1 : 0),
      attempt: summed ? 1 : attempt + 1,
      expected: this.policy.expects === 'who answered' ? seen : undefined,
    };
    this.#round = undefined;
    this.#write();
    for (const id of context.expected) this.around.send(id, { ask: 'over', slot: context.slot });
    this.#turn(now);
  }

  #openNext(now: number): void {
    const block = this.#block;
    const { nextSlot, sums, attempt } = this.#book;
    if (block.kind !== 'ready') throw new Error('a round before the block is ready');
    if (sums >= this.policy.sumsWanted || nextSlot >= block.config.slots) {
      this.around.count(sums >= this.policy.sumsWanted ? 'all sums made' : 'slots used up');
      this.done = true;
      return;
    }
    const everybody = block.members.map((member) => block.config.members[member]!.id);
    const context: RoundContext = {
      block: block.config.block,
      slot: nextSlot,
      round: `round ${sums}`,
      attempt,
      queryDigest: sha256Hex('query'),
      modelDigest: sha256Hex(`model ${sums}`),
      dimension: block.config.members.length + 1,
      modulusBits: MODULUS_BITS,
      expected: this.#book.expected ?? everybody,
    };
    try {
      this.#round = openRound(primitives, block, context);
    } catch (error) {
      if (!(error instanceof SecaggRefusal)) throw error;
      this.around.count(`coordinator refusal ${error.code}`);
      this.done = true;
      return;
    }
    if (attempt > 1) this.around.count('retry on the next slot');
    this.#answered = new Set();
    // The slot is burnt before anyone hears of it.
    this.#book = { ...this.#book, nextSlot: nextSlot + 1 };
    this.#write();
    this.#turn(now);
  }

  /** Whose message of this phase is not here, or not durable: a fold that could be lost is asked for again. */
  #missing(): string[] {
    const block = this.#block;
    const round = this.#round;
    const { members } = block.config;
    const ids = (indices: readonly number[]): string[] => indices.map((index) => members[index]!.id);
    if (block.kind === 'advertising')
      return ids([...members.keys()].filter((i) => block.adverts[i] === null));
    if (block.kind === 'sharing')
      return ids([...members.keys()].filter((i) => block.adverts[i] !== null && block.shareKeys[i] === null));
    if (round === undefined) return [];
    if (round.kind === 'collecting')
      return ids(round.expected).filter((id) => round.running.members[id] === undefined);
    if (round.kind === 'checking')
      return ids(round.survivors.filter((member) => round.checks[member] === null));
    return ids(round.asked.filter((member) => round.answers[member] === null));
  }

  #ask(now: number): void {
    this.#nextAsk = now + this.policy.askEvery;
    const { send } = this.around;
    const block = this.#block;
    const round = this.#round;
    const missing = this.#missing();
    if (block.kind === 'advertising')
      for (const id of missing) send(id, { ask: 'advert', config: block.config });
    else if (block.kind === 'sharing') {
      const adverts = block.adverts.filter((advert) => advert !== null);
      for (const id of missing) send(id, { ask: 'shares', adverts });
    } else if (round?.kind === 'collecting') {
      const undurable = Object.keys(round.running.members).filter((id) => !this.#foldedOnDisk.has(id));
      for (const id of missing) {
        if (!this.#setUpOver.has(id)) send(id, { ask: 'bundle', bundle: shareBundle(primitives, block, id) });
        send(id, { ask: 'input', round: round.context });
      }
      for (const id of undurable) send(id, { ask: 'input', round: round.context });
    } else if (round?.kind === 'checking') {
      const survivors = round.survivors.map((member) => block.config.members[member]!.id);
      for (const id of missing) send(id, { ask: 'check', slot: round.context.slot, survivors });
    } else if (round?.kind === 'unmasking') {
      // A restarted coordinator has the checks and must find out again who gets which: closing is pure.
      const checking: CheckingRound = { ...round, kind: 'checking', answersHeld: 0 };
      const closed = closeConsistency(checking);
      if (closed.kind === 'aborted') throw new Error('the checks were closed once, and do not close again');
      for (const id of missing)
        send(id, { ask: 'unmasking', slot: round.context.slot, checks: closed.checksFor.get(id)! });
    }
  }

  /** Members that have shown that they have their shares. */
  readonly #setUpOver = new Set<string>();

  /** The block was set up before the schedule began: nobody needs its bundle. */
  everybodyIsSetUp(): void {
    for (const { id } of this.#block.config.members) this.#setUpOver.add(id);
  }
}
