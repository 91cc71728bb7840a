import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { inlineMaskWork } from '../../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import {
  type BlockConfig,
  type CharterFloors,
  closeAdverts,
  closeShares,
  createAdvert,
  createBlock,
  handleAdverts,
  handleShares,
  type Party,
  PROTOCOL_VERSION,
  type ReadyBlock,
  type ReadyMember,
  receiveAdvert,
  receiveShares,
  shareBundle,
} from '../../../src/secagg/index.js';
import { cheatAtShares } from './cheats.js';
import { Dice } from './dice.js';
import { remembering } from './remembered.js';

/** A size and shape of block, and how often it is played. Large ones cost n² and are rare. */
export interface Cohort {
  readonly n: number;
  readonly minSurvivors: number;
  readonly maxColluders: number;
  readonly graph: BlockConfig['graph'];
  readonly weight: number;
}

const cohort = (
  n: number,
  minSurvivors: number,
  maxColluders: number,
  graph: BlockConfig['graph'],
  weight: number,
): Cohort => ({ n, minSurvivors, maxColluders, graph, weight });

export const COHORTS: readonly Cohort[] = [
  cohort(3, 3, 1, 'complete', 650),
  cohort(4, 3, 1, 'complete', 220),
  cohort(5, 3, 1, 'complete', 60),
  cohort(5, 4, 2, 'complete', 40),
  cohort(6, 4, 1, 'complete', 40),
  cohort(7, 6, 1, 'harary', 25),
  cohort(8, 6, 1, 'harary', 15),
  cohort(9, 6, 2, 'complete', 5),
  cohort(12, 9, 1, 'harary', 4),
  cohort(20, 16, 1, 'harary', 1),
  cohort(40, 34, 2, 'harary', 0.5),
  cohort(40, 30, 1, 'complete', 0.5),
];

export const SLOTS = 3;
export const MODULUS_BITS = 24;

export const primitives = remembering(nodePrimitives);

export const sha256Hex = (text: string): string => bytesToHex(primitives.sha256(utf8ToBytes(text)));

export interface Charter {
  readonly config: BlockConfig;
  readonly floors: CharterFloors;
  readonly parties: ReadonlyMap<string, Party>;
}

export function charterOf({ n, minSurvivors, maxColluders, graph }: Cohort): Charter {
  const parties = new Map<string, Party>();
  for (let i = 0; i < n; i++) {
    const id = `m${String(i).padStart(2, '0')}`;
    const seed = primitives.sha256(utf8ToBytes(`simulated identity ${n} ${i}`));
    parties.set(id, { identity: { id, seed }, primitives, masks: inlineMaskWork(primitives) });
  }
  const members = [...parties].map(([id, { identity }]) => ({
    id,
    publicKey: bytesToHex(primitives.ed25519PublicKey(identity.seed)),
  }));
  const common = {
    federation: 'simulated',
    charterDigest: sha256Hex('charter'),
    minSurvivors,
    maxColluders,
  };
  return {
    config: { protocolVersion: PROTOCOL_VERSION, ...common, block: 'block', slots: SLOTS, members, graph },
    floors: { ...common, roster: new Map(members.map(({ id, publicKey }) => [id, publicKey])) },
    parties,
  };
}

/** Some set-ups are played with a dealer whose shares are no good, on purpose or for the one who gets them. */
export type Flaw = 'none' | 'one-wrong-share' | 'wrong-secret';

/** A block that is set up, with nothing lost; read-only, shared by all schedules that start from it. */
export interface SetUp extends Charter {
  readonly block: ReadyBlock;
  readonly members: ReadonlyMap<string, ReadyMember>;
  /** The dealer with the flaw. */
  readonly liar: string | undefined;
}

const setUps = new Map<string, SetUp>();

export function setUpOf(cohort: Cohort, flaw: Flaw): SetUp {
  const key = JSON.stringify([cohort, flaw]);
  let found = setUps.get(key);
  if (found === undefined) setUps.set(key, (found = playSetUp(cohort, flaw, new Dice(key))));
  return found;
}

function playSetUp(cohort: Cohort, flaw: Flaw, dice: Dice): SetUp {
  const charter = charterOf(cohort);
  const { config, floors, parties } = charter;
  const liar = flaw === 'none' ? undefined : config.members[1]!.id;
  let advertising = createBlock(primitives, config);
  const advertised = [...parties].map(([id, party]) => {
    const { state, outbound } = createAdvert(party, config, floors, dice.rng);
    advertising = receiveAdvert(primitives, advertising, outbound.release('state-durable')).state;
    return [id, state] as const;
  });
  const adverts = closeAdverts(primitives, advertising);
  if (adverts.kind === 'aborted') throw new Error(`set-up: ${adverts.reason}`);
  let sharing = adverts.state;
  const shared = advertised.map(([id, before]) => {
    const party = parties.get(id)!;
    const { state, outbound } = handleAdverts(party, before, adverts.adverts, dice.rng);
    const sent = { state, message: outbound.release('state-durable') };
    const dealt = id === liar && flaw !== 'none' ? cheatAtShares(flaw, party, sent, dice) : sent;
    sharing = receiveShares(primitives, sharing, dealt.message).state;
    return [id, dealt.state] as const;
  });
  const closed = closeShares(primitives, sharing);
  if (closed.kind === 'aborted') throw new Error(`set-up: ${closed.reason}`);
  const members = new Map<string, ReadyMember>();
  for (const [id, state] of shared)
    members.set(id, handleShares(parties.get(id)!, state, shareBundle(primitives, closed.state, id)).state);
  return { ...charter, block: closed.state, members, liar };
}
