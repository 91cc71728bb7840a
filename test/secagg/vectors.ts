import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { type Rng, seededRng } from '../../src/crypto/rng.js';
import { advertisedKeys } from '../../src/secagg/adverts.js';
import { openPart } from '../../src/secagg/dealing.js';
import { dealers, graphDescriptor } from '../../src/secagg/graph.js';
import {
  type Aborted,
  type AdvertisedMember,
  closeAdverts,
  closeShares,
  createAdvert,
  createBlock,
  handleAdverts,
  handleShares,
  type Party,
  type ReadyMember,
  receiveAdvert,
  receiveShares,
  type SharedMember,
  shareBundle,
} from '../../src/secagg/index.js';
import { maskPrivateKey, scalarBytes, scalarFrom } from '../../src/secagg/keys.js';
import { type DealtPart, decodeShareKeys, encodeShareKeys } from '../../src/secagg/messages.js';
import { dealtRoot } from '../../src/secagg/setUp.js';
import { scalarField } from '../../src/secagg/shamir.js';
import { signInPlace } from '../../src/secagg/signing.js';
import { advertsDigest, permutationSeed } from '../../src/secagg/transcript.js';
import {
  type Deviation,
  digested,
  hex,
  type Json,
  type RoundInputs,
  type Sent,
  spelled,
  type VectorInputs,
} from './vectorForm.js';
import { playRound, took } from './vectorRound.js';

interface Player {
  readonly party: Party;
  readonly stream: Stream;
}

/** The stream of one member, which remembers what was read. */
class Stream {
  #read: Uint8Array[] = [];
  position = 0;
  #rng: Rng;
  constructor(readonly seed: Uint8Array) {
    this.#rng = seededRng(seed);
  }
  readonly rng: Rng = (length) => {
    const bytes = this.#rng(length);
    this.#read.push(bytes);
    this.position += length;
    return bytes;
  };
  /** The stream from a byte on, once more: what is read from it is not counted. */
  from(position: number): Rng {
    const again = seededRng(this.seed);
    again(position);
    return again;
  }
  bytes(): Uint8Array {
    return concatBytes(...this.#read);
  }
}

/** A whole block from fixed randomness, good or bad, as its test vector: inputs, every message, every outcome. */
export async function run(inputs: VectorInputs, primitives: Primitives): Promise<Json> {
  const { config, floors, compact } = inputs;
  const ids = config.members.map(({ id }) => id);
  const masks = inlineMaskWork(primitives);
  const players = ids.map((id) => ({
    party: { identity: { id, seed: hexToBytes(inputs.seeds[id]!.identity) }, primitives, masks },
    stream: new Stream(hexToBytes(inputs.seeds[id]!.randomness)),
  }));
  const played = await playBlock(inputs, primitives, players);
  return {
    format: 1,
    name: inputs.name,
    description: inputs.description,
    compact,
    inputs: {
      config: config as unknown as Json,
      floors: { ...floors, roster: Object.fromEntries(floors.roster) },
      members: players.map(({ party: { identity }, stream }) => {
        const bytes = stream.bytes();
        return {
          id: identity.id,
          identitySeed: hex(identity.seed),
          randomnessSeed: hex(stream.seed),
          randomnessLength: bytes.length,
          ...(compact ? {} : { randomness: hex(bytes) }),
        };
      }),
      silentFrom: inputs.silentFrom,
      rounds: played.roundInputs as unknown as Json,
      deviations: inputs.deviations as unknown as Json,
    },
    outputs: played.outputs,
    judgements: played.judgements,
  };
}

interface PlayedBlock {
  readonly outputs: Json;
  readonly roundInputs: readonly RoundInputs[];
  readonly judgements: readonly Json[];
}

async function playBlock(
  inputs: VectorInputs,
  primitives: Primitives,
  players: readonly Player[],
): Promise<PlayedBlock> {
  const { config, floors, compact } = inputs;
  const listed = compact ? digested : spelled;
  const indices = [...players.keys()];
  const idOf = (member: number) => config.members[member]!.id;
  const ended = (outputs: { readonly [key: string]: Json }, aborted: Aborted): PlayedBlock => ({
    outputs: { ...outputs, aborted: aborted as unknown as Json },
    roundInputs: [],
    judgements: [],
  });

  let advertising = createBlock(primitives, config);
  const advertised = new Map<number, AdvertisedMember>();
  for (const member of indices) {
    if (inputs.silentFrom.AdvertiseKeys.includes(idOf(member))) continue;
    const { party, stream } = players[member]!;
    const { state, outbound } = createAdvert(party, config, floors, stream.rng);
    advertised.set(member, state);
    advertising = took(receiveAdvert(primitives, advertising, outbound.release('restart-abandons')));
  }
  const { digest } = advertising;
  const adverts = listed(
    primitives,
    [...advertised].map(([member, { encryptionPrivateKey, secrets, advert }]) => ({
      member,
      message: advert,
      shown: {
        encryptionPrivateKey: hex(encryptionPrivateKey),
        slots: secrets.map(({ maskRoot, seedRoot }, slot) => ({
          maskRoot: hex(maskRoot),
          seedRoot: hex(seedRoot),
          maskPrivateKey: hex(maskPrivateKey(primitives, digest, member, slot, maskRoot)),
        })),
      },
    })),
  );
  const first = { blockDigest: hex(digest), adverts };
  const closedAdverts = closeAdverts(primitives, advertising);
  if (closedAdverts.kind === 'aborted') return ended(first, closedAdverts);

  let sharing = closedAdverts.state;
  const { graph, setup } = sharing;
  const shared = new Map<number, SharedMember>();
  const dealt: Sent[] = [];
  for (const [member, state] of advertised) {
    if (inputs.silentFrom.ShareKeys.includes(idOf(member))) continue;
    const next = dealAs(inputs.deviations, players[member]!, state, closedAdverts.adverts);
    shared.set(member, next);
    sharing = took(receiveShares(primitives, sharing, next.shareKeys));
    const { parts } = decodeShareKeys(next.shareKeys, config.slots);
    const openings = (compact ? [] : parts).map(({ recipient, bytes }) => {
      const holder = advertised.get(recipient)!;
      const opened = openPart(
        {
          primitives,
          setup,
          from: member,
          to: recipient,
          privateKey: holder.encryptionPrivateKey,
          publicKey: advertisedKeys(state.advert).encryptionKey,
        },
        bytes,
        config.slots,
      );
      return { holder: recipient, openings: opened === undefined ? null : hex(opened) };
    });
    dealt.push({
      member,
      message: next.shareKeys,
      shown: { root: hex(dealtRoot(primitives, parts)), openings },
    });
  }
  const signed = advertsDigest(primitives, digest, closedAdverts.adverts);
  const second = {
    ...first,
    advertsDigest: hex(signed),
    permutationSeed: hex(permutationSeed(primitives, signed)),
    graph: { ...graph, descriptor: graphDescriptor(graph) },
    setupTranscript: hex(setup),
    shareKeys: listed(primitives, dealt),
  };
  const closedShares = closeShares(primitives, sharing);
  if (closedShares.kind === 'aborted') return ended(second, closedShares);

  const block = closedShares.state;
  const members = new Map<number, ReadyMember>();
  const bundles: Sent[] = [];
  for (const member of block.members) {
    const bundle = shareBundle(primitives, block, idOf(member));
    const { state } = handleShares(players[member]!.party, shared.get(member)!, bundle);
    members.set(member, state);
    const held = new Set(
      state.slots[0]!.kind === 'fresh' ? state.slots[0]!.openings.map((o) => o.dealer) : [],
    );
    const missing = dealers(graph, member).filter(
      (dealer) => block.members.includes(dealer) && !held.has(dealer),
    );
    bundles.push({ member, message: bundle, shown: { missing } });
  }
  const roundInputs = inputs.rounds(closedShares.members, graph);
  const rounds: Json[] = [];
  const judgements: Json[] = [];
  for (const round of roundInputs) {
    const played = await playRound({ inputs, primitives, players }, block, members, round);
    rounds.push(played.outputs);
    judgements.push(...played.judgements);
  }
  return {
    outputs: {
      ...second,
      members: block.members,
      // Nothing in a bundle is new: it is the parts of the ShareKeys again.
      bundles: digested(primitives, bundles),
      missing: bundles.flatMap(({ member, shown }) =>
        (shown.missing as Json[]).length ? [{ member, dealers: shown.missing! }] : [],
      ),
      dealtTranscript: hex(block.transcript),
      rounds,
    },
    roundInputs,
    judgements,
  };
}

/** ShareKeys of one member, with what it does wrong. */
function dealAs(
  deviations: readonly Deviation[],
  { party, stream }: Player,
  state: AdvertisedMember,
  adverts: readonly Uint8Array[],
): SharedMember {
  const { primitives, identity } = party;
  const { self, config } = state;
  const { position } = stream;
  const honest = handleAdverts(party, state, adverts, stream.rng).state;
  const mine = deviations.filter(({ member }) => member === self);
  const parts: DealtPart[] = decodeShareKeys(honest.shareKeys, config.slots).parts.map((part) => ({
    recipient: part.recipient,
    bytes: Uint8Array.from(part.bytes),
  }));
  for (const deviation of mine) {
    if (deviation.kind === 'wrong-dealing') {
      // The same polynomials but for the constant term: every share is off by `add`.
      const secrets = state.secrets.map((secret, slot) => {
        if (slot !== deviation.slot) return secret;
        const key = deviation.secret === 'mask' ? 'maskRoot' : 'seedRoot';
        const root = scalarFrom(secret[key])! + scalarFrom(hexToBytes(deviation.add))!;
        return { ...secret, [key]: scalarBytes(scalarField.create(root)) };
      });
      const wrong = handleAdverts(party, { ...state, secrets }, adverts, stream.from(position)).state;
      for (const [i, { recipient, bytes }] of decodeShareKeys(wrong.shareKeys, config.slots).parts.entries())
        if (deviation.holders.includes(recipient)) parts[i] = { recipient, bytes };
    }
    if (deviation.kind === 'spoiled-part') {
      const part = parts.find(({ recipient }) => recipient === deviation.holder)!;
      part.bytes[part.bytes.length - 1]! ^= 1;
    }
  }
  const shareKeys = encodeShareKeys(self, config.slots, parts);
  signInPlace(primitives, identity.seed, 'ShareKeys', honest.setup, shareKeys, dealtRoot(primitives, parts));
  return { ...honest, shareKeys };
}
