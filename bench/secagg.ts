import { bytesToHex } from '@noble/hashes/utils.js';
import { nodePrimitives } from '../src/crypto/nodePrimitives.js';
import { KEYSTREAM_PIECE_WORDS } from '../src/crypto/primitives.js';
import { systemRng } from '../src/crypto/rng.js';
import {
  type Aborted,
  type BlockConfig,
  closeAdverts,
  closeConsistency,
  closeMaskedInputs,
  closeShares,
  createAdvert,
  createBlock,
  createMaskedInput,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  maskedInputBytes,
  openRound,
  type ReadyBlock,
  type ReadyMember,
  type Received,
  type RoundContext,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  unmask,
} from '../src/secagg/index.js';

const DIGEST = 'ab'.repeat(32);
const MODULUS_BITS = 32;

interface Play {
  readonly members: number;
  readonly dimension: number;
  /** Rounds timed; one more runs first and is not counted. */
  readonly rounds: number;
}

/**
 * A round of secure aggregation, client and coordinator, on one thread, beside the floor measured between the same
 * rounds: AES-256-CTR of the bytes that the masks need, and the additions. Times are the process's own CPU time.
 */
export async function* benchSecagg(): AsyncIterable<object> {
  yield* setUpAndRounds({ members: 10, dimension: 1_000_000, rounds: 5 });
  yield* setUpAndRounds({ members: 8, dimension: 10_000, rounds: 31 });
}

function* setUpAndRounds({ members, dimension, rounds }: Play): Iterable<object> {
  const block = setUp(members, rounds + 1);
  yield {
    bench: 'secagg set-up',
    members,
    slots: rounds + 1,
    primitives: nodePrimitives.name,
    clientMs: block.clientMs,
    coordinatorMs: block.coordinatorMs,
  };
  const client: number[] = [];
  const coordinator: number[] = [];
  const clientFloor: number[] = [];
  const coordinatorFloor: number[] = [];
  for (let slot = 0; slot <= rounds; slot++) {
    const times = playRound(block, slot, dimension);
    if (slot === 0) continue;
    client.push(times.clientMs);
    coordinator.push(times.coordinatorMs);
    // A client adds its self mask and one mask a neighbour; the coordinator takes n self masks and n inputs.
    clientFloor.push(cpuMs(() => addStreams(dimension, members)));
    coordinatorFloor.push(cpuMs(() => addStreams(dimension, members, members)));
  }
  const record = (side: string, own: number[], floor: number[]) => ({
    bench: `secagg round, ${side}`,
    members,
    dimension,
    modulusBits: MODULUS_BITS,
    rounds,
    primitives: nodePrimitives.name,
    ms: round3(median(own)),
    floorMs: round3(median(floor)),
    ratio: round3(median(own) / median(floor)),
    floor:
      side === 'client'
        ? 'AES-256-CTR + add of n vectors'
        : 'AES-256-CTR + add of n vectors, add of n vectors',
    uploadBytes: maskedInputBytes(dimension, MODULUS_BITS),
  });
  yield record('client', client, clientFloor);
  yield record('coordinator', coordinator, coordinatorFloor);
}

interface SetUp {
  readonly block: ReadyBlock;
  readonly members: ReadyMember[];
  readonly clientMs: number;
  readonly coordinatorMs: number;
}

function setUp(n: number, slots: number): SetUp {
  const rng = systemRng();
  const roster = Array.from({ length: n }, (_, i) => ({
    id: `member-${String(i).padStart(2, '0')}`,
    seed: rng(32),
  }));
  const common = { federation: 'bench', charterDigest: DIGEST, minSurvivors: 3, maxColluders: 1 };
  const members = roster.map(({ id, seed }) => ({
    id,
    publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(seed)),
  }));
  const config: BlockConfig = { protocolVersion: 1, ...common, block: 'bench', slots, members };
  const floors = { ...common, roster: new Map(members.map(({ id, publicKey }) => [id, publicKey])) };
  let client = 0;
  let coordinator = 0;
  const asClient = <T>(act: () => T): T => timed(act, (ms) => (client += ms));
  const asCoordinator = <T>(act: () => T): T => timed(act, (ms) => (coordinator += ms));

  const advertised = asClient(() =>
    roster.map((identity) => createAdvert(config, floors, identity, rng, nodePrimitives)),
  );
  const sharing = asCoordinator(() =>
    ready(
      closeAdverts(
        advertised.reduce(
          (state, { message }) => accept(receiveAdvert(state, message)),
          createBlock(config, nodePrimitives),
        ),
      ),
    ),
  );
  const shared = asClient(() => advertised.map(({ state }) => handleAdverts(state, sharing.adverts)));
  const closed = asCoordinator(() =>
    ready(
      closeShares(
        shared.reduce((state, { message }) => accept(receiveShares(state, message)), sharing.state),
      ),
    ),
  );
  const readyMembers = asClient(() =>
    shared.map(({ state }) => handleShares(state, closed.bundles.get(state.identity.id)!).state),
  );
  return {
    block: closed.state,
    members: readyMembers,
    clientMs: round3(client / n),
    coordinatorMs: round3(coordinator),
  };
}

function playRound(
  { block, members }: SetUp,
  slot: number,
  dimension: number,
): { clientMs: number; coordinatorMs: number } {
  const n = members.length;
  const context: RoundContext = {
    block: block.config.block,
    slot,
    round: `round-${slot}`,
    attempt: 1,
    queryDigest: DIGEST,
    modelDigest: DIGEST,
    dimension,
    modulusBits: MODULUS_BITS,
    expected: block.config.members.map(({ id }) => id),
  };
  const vectors = members.map((_, i) => new Int32Array(dimension).fill(i - 3));
  let client = 0;
  let coordinator = 0;
  const asClient = <T>(act: () => T): T => timed(act, (ms) => (client += ms));
  const asCoordinator = <T>(act: () => T): T => timed(act, (ms) => (coordinator += ms));

  let collecting = openRound(block, context);
  // One input at a time, as they arrive: ten vectors in flight would measure the garbage collector.
  const masked = members.map((member, i) => {
    const { state, message } = asClient(() => createMaskedInput(member, context, vectors[i]!));
    collecting = asCoordinator(() => accept(receiveMaskedInput(collecting, message)));
    return state;
  });
  const { state: checking, survivors } = asCoordinator(() => ready(closeMaskedInputs(collecting)));
  const signed = asClient(() => masked.map((state) => handleSurvivors(state, slot, survivors)));
  const { state: unmasking, checks } = asCoordinator(() =>
    ready(
      closeConsistency(
        signed.reduce((state, { message }) => accept(receiveConsistency(state, message)), checking),
      ),
    ),
  );
  const answered = asClient(() => signed.map(({ state }) => handleConsistency(state, slot, checks)));
  const outcome = asCoordinator(() =>
    unmask(answered.reduce((state, { message }) => accept(receiveUnmasking(state, message)), unmasking)),
  );
  const expected = ((n * (n - 1)) / 2 - 3 * n) >>> 0;
  if (outcome.kind === 'aborted' || outcome.sum.some((x) => x !== expected))
    throw new Error('benchSecagg: the sum is wrong');
  return { clientMs: client / n, coordinatorMs: coordinator };
}

/** The floor: `streams` key streams of `dimension` words added to a vector, and `plain` vectors added. */
function addStreams(dimension: number, streams: number, plain = 0): void {
  const target = new Int32Array(dimension);
  for (let i = 0; i < streams; i++) {
    const stream = nodePrimitives.keystream(new Uint8Array(32).fill(i));
    for (let from = 0; from < dimension; from += KEYSTREAM_PIECE_WORDS) {
      const words = stream.next(Math.min(KEYSTREAM_PIECE_WORDS, dimension - from));
      for (let j = 0; j < words.length; j++) target[from + j] = (target[from + j]! + words[j]!) | 0;
    }
  }
  const vector = new Int32Array(dimension).fill(1);
  for (let i = 0; i < plain; i++)
    for (let j = 0; j < dimension; j++) target[j] = (target[j]! + vector[j]!) | 0;
}

function timed<T>(act: () => T, add: (ms: number) => void): T {
  let result: T | undefined;
  add(
    cpuMs(() => {
      result = act();
    }),
  );
  return result as T;
}

function cpuMs(act: () => void): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function ready<T extends { kind: 'ready' }>(closed: T | Aborted): T {
  if (closed.kind === 'aborted') throw new Error(`benchSecagg: ${closed.reason}`);
  return closed;
}

function accept<State>(received: Received<State>): State {
  if (received.kind !== 'accepted') throw new Error(`benchSecagg: a message was ${received.kind}`);
  return received.state;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const round3 = (value: number): number => Math.round(value * 1000) / 1000;
