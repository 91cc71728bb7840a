import { bytesToHex } from '@noble/hashes/utils.js';
import { createMaskThreads } from '../src/crypto/maskThreads.js';
import { nodePrimitives } from '../src/crypto/nodePrimitives.js';
import { systemRng } from '../src/crypto/rng.js';
import {
  type Aborted,
  type AdvertisedMember,
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
  type Party,
  PROTOCOL_VERSION,
  type ReadyMember,
  type Received,
  type RoundContext,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  type SharedMember,
  shareBundle,
  unmask,
} from '../src/secagg/index.js';
import { type FloorSamples, floorOf, floorSamples, measureCores, median } from './secaggFloor.js';

/** One case of `benchSecagg`, a JSON argument, in a process of its own, so that its peak memory is its own. */
export interface SecaggCase {
  readonly members: number;
  readonly graph: BlockConfig['graph'];
  readonly maxColluders: number;
  readonly minSurvivors: number;
  readonly dimension: number;
  /** Lost after they shared their keys: each costs the coordinator a mask a neighbour. */
  readonly drops: number;
  /** Rounds timed, each on a slot of its own; one more runs first and is not counted where there are several. */
  readonly rounds: number;
}

const DIGEST = 'ab'.repeat(32);
const MODULUS_BITS = 32;
const PROMISE = 'restart-abandons';
/** Of the floor, at most, in the members' turns of one round. */
const SAMPLES = 50;
const masks = createMaskThreads();

/** CPU time of the whole process, threads included, and wall time, summed over what one side did. */
class Meter {
  cpuMs = 0;
  wallMs = 0;

  async time<T>(act: () => T | Promise<T>): Promise<T> {
    const cpu = process.cpuUsage();
    const wall = performance.now();
    const result = await act();
    this.wallMs += performance.now() - wall;
    const { user, system } = process.cpuUsage(cpu);
    this.cpuMs += (user + system) / 1000;
    return result;
  }
}

interface Block {
  readonly context: RoundContext;
  readonly parties: readonly Party[];
  readonly members: readonly ReadyMember[];
  readonly ready: Parameters<typeof openRound>[1];
}

async function setUp(play: SecaggCase, client: Meter[], server: Meter): Promise<Block> {
  const { members: n, graph, maxColluders, minSurvivors } = play;
  const rng = systemRng();
  const slots = play.rounds === 1 ? 1 : play.rounds + 1;
  const parties = Array.from({ length: n }, (_, i): Party => {
    const identity = { id: `member-${String(i).padStart(4, '0')}`, seed: rng(32) };
    return { identity, primitives: nodePrimitives, masks };
  });
  const members = parties.map(({ identity: { id, seed } }) => ({
    id,
    publicKey: bytesToHex(nodePrimitives.ed25519PublicKey(seed)),
  }));
  const common = { federation: 'bench', charterDigest: DIGEST, minSurvivors, maxColluders };
  const config: BlockConfig = {
    protocolVersion: PROTOCOL_VERSION,
    ...common,
    block: 'bench',
    slots,
    members,
    graph,
  };
  const floors = { ...common, roster: new Map(members.map(({ id, publicKey }) => [id, publicKey])) };

  let advertising = await server.time(() => createBlock(nodePrimitives, config));
  const advertised: AdvertisedMember[] = [];
  for (const [i, party] of parties.entries()) {
    const { state, outbound } = await client[i]!.time(() => createAdvert(party, config, floors, rng));
    advertised.push(state);
    advertising = await server.time(() =>
      accept(receiveAdvert(nodePrimitives, advertising, outbound.release(PROMISE))),
    );
  }
  let sharing = await server.time(() => ready(closeAdverts(nodePrimitives, advertising)));
  const shared: SharedMember[] = [];
  for (const [i, party] of parties.entries()) {
    const { state, outbound } = await client[i]!.time(() =>
      // As they come off the wire: a member parses its own copies.
      handleAdverts(party, advertised[i]!, sharing.adverts, rng),
    );
    shared.push(state);
    const received = await server.time(() =>
      accept(receiveShares(nodePrimitives, sharing.state, outbound.release(PROMISE))),
    );
    sharing = { ...sharing, state: received };
  }
  const closed = await server.time(() => ready(closeShares(nodePrimitives, sharing.state)));
  const readyMembers: ReadyMember[] = [];
  for (const [i, party] of parties.entries()) {
    const bundle = await server.time(() => shareBundle(nodePrimitives, closed.state, party.identity.id));
    readyMembers.push((await client[i]!.time(() => handleShares(party, shared[i]!, bundle))).state);
  }
  const context: RoundContext = {
    block: config.block,
    slot: 0,
    round: 'round',
    attempt: 1,
    queryDigest: DIGEST,
    modelDigest: DIGEST,
    dimension: play.dimension,
    modulusBits: MODULUS_BITS,
    expected: members.map(({ id }) => id),
  };
  return { context, parties, members: readyMembers, ready: closed.state };
}

async function playRound(
  play: SecaggCase,
  block: Block,
  slot: number,
  client: readonly Meter[],
  server: Meter,
  floor: FloorSamples,
): Promise<void> {
  const { drops, dimension } = play;
  const context: RoundContext = { ...block.context, slot, round: `round-${slot}` };
  const alive = block.parties.slice(drops);
  const vector = new Int32Array(dimension);
  let collecting = await server.time(() => openRound(nodePrimitives, block.ready, context));
  const states: ReadyMember[] = [];
  for (const [i, party] of alive.entries()) {
    if (i % Math.ceil(alive.length / SAMPLES) === 0) await floor.sample();
    vector.fill(i);
    const masked = await client[drops + i]!.time(() =>
      createMaskedInput(party, block.members[drops + i]!, context, vector),
    );
    states.push(masked.state);
    collecting = await server.time(() =>
      accept(receiveMaskedInput(nodePrimitives, collecting, masked.outbound.release(PROMISE))),
    );
  }
  let { state: checking, survivors } = await server.time(() => ready(closeMaskedInputs(collecting)));
  for (const [i, party] of alive.entries()) {
    const signed = await client[drops + i]!.time(() => handleSurvivors(party, states[i]!, slot, survivors));
    states[i] = signed.state;
    checking = await server.time(() =>
      accept(receiveConsistency(nodePrimitives, checking, signed.outbound.release(PROMISE))),
    );
  }
  let { state: unmasking, checksFor } = await server.time(() => ready(closeConsistency(checking)));
  for (const [i, party] of alive.entries()) {
    const checks = checksFor.get(party.identity.id)!;
    const answer = await client[drops + i]!.time(() => handleConsistency(party, states[i]!, slot, checks));
    unmasking = await server.time(() =>
      accept(receiveUnmasking(nodePrimitives, unmasking, answer.outbound.release(PROMISE))),
    );
  }
  await floor.sample();
  const outcome = await server.time(() => unmask(nodePrimitives, masks, unmasking));
  await floor.sample();
  const expected = ((alive.length * (alive.length - 1)) / 2) >>> 0;
  if (outcome.kind === 'aborted') throw new Error(`the round was aborted: ${outcome.reason}`);
  if (outcome.sum.some((x) => x !== expected)) throw new Error('the sum is wrong');
}

function ready<T extends { kind: 'ready' }>(closed: T | Aborted): T {
  if (closed.kind === 'aborted') throw new Error(`aborted: ${closed.reason}`);
  return closed;
}

function accept<State>(received: Received<State>): State {
  if (received.kind !== 'accepted') throw new Error(`a message was ${received.kind}`);
  return received.state;
}

const round1 = (value: number): number => Math.round(value * 10) / 10;
const round3 = (value: number): number => Math.round(value * 1000) / 1000;

/** One side's figures of one round, beside the floor as it was then. */
interface Timed {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly floorMs: number;
  readonly withoutDigestsMs: number;
  readonly cores: number;
}

async function main(play: SecaggCase): Promise<void> {
  const meters = (count: number) => Array.from({ length: count }, () => new Meter());
  const floor = floorSamples(play.dimension);
  await floor.sample();
  const setUpClient = meters(play.members);
  const setUpServer = new Meter();
  const block = await setUp(play, setUpClient, setUpServer);
  const { graph } = block.ready;
  await floor.sample();
  const setUpFloor = floorOf(play, graph, floor.take());
  const rounds: Record<'client' | 'coordinator', Timed>[] = [];
  const count = play.rounds === 1 ? 1 : play.rounds + 1;
  for (let slot = 0; slot < count; slot++) {
    const client = meters(play.members);
    const server = new Meter();
    await playRound(play, block, slot, client, server, floor);
    const cores = await measureCores();
    const floors = floorOf(play, graph, floor.take());
    if (count > 1 && slot === 0) continue;
    const alive = client.slice(play.drops);
    const side = (name: 'client' | 'coordinator', cpuMs: number, wallMs: number): Timed => {
      const { cpuMs: floorMs, withoutDigestsMs } = floors[name];
      return { cpuMs, wallMs, floorMs, withoutDigestsMs, cores };
    };
    rounds.push({
      client: side('client', median(alive.map((m) => m.cpuMs)), median(alive.map((m) => m.wallMs))),
      coordinator: side('coordinator', server.cpuMs, server.wallMs),
    });
  }
  for (const name of ['client', 'coordinator'] as const) {
    const of = (value: (timed: Timed) => number) => median(rounds.map((round) => value(round[name])));
    const setUpMs = name === 'client' ? median(setUpClient.map(({ cpuMs }) => cpuMs)) : setUpServer.cpuMs;
    const line = {
      bench: `secagg, ${name}`,
      ...play,
      degree: graph.kind === 'harary' ? graph.shareholders : play.members - 1,
      threshold: graph.threshold,
      modulusBits: MODULUS_BITS,
      roundCpuMs: round1(of(({ cpuMs }) => cpuMs)),
      roundWallMs: round1(of(({ wallMs }) => wallMs)),
      floorCpuMs: round1(of(({ floorMs }) => floorMs)),
      cores: round3(of(({ cores }) => cores)),
      floorTwoCoresMs: round1(of(({ floorMs, cores }) => floorMs / cores)),
      cpuRatio: round3(of(({ cpuMs, floorMs }) => cpuMs / floorMs)),
      wallToTwoCores: round3(of(({ wallMs, floorMs, cores }) => (wallMs * cores) / floorMs)),
      floorWithoutDigestsMs: round1(of(({ withoutDigestsMs }) => withoutDigestsMs)),
      setUpCpuMs: round1(setUpMs),
      setUpFloorMs: round1(setUpFloor[name].setUpMs),
      peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
      uploadBytes: maskedInputBytes(play.dimension, MODULUS_BITS),
    };
    const roundsPerSecond = round3(
      1000 / median(rounds.map((round) => round.coordinator.wallMs + round.client.wallMs)),
    );
    console.log(JSON.stringify(name === 'client' ? line : { ...line, roundsPerSecond }));
  }
  await Promise.all([masks.close(), floor.close()]);
}

await main(JSON.parse(process.argv[2] ?? '{}') as SecaggCase);
