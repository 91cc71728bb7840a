import { bytesToHex, equalBytes } from '@noble/ciphers/utils.js';
import type { Primitives } from '../../crypto/primitives.js';
import type { Rng } from '../../crypto/rng.js';
import { type Advert, type AdvertFault, readAdvert, shareAKey } from '../adverts.js';
import {
  assertBlockConfig,
  assertCovered,
  type BlockConfig,
  blockDigest,
  type CharterFloors,
  identityKeys,
  memberIndex,
} from '../block.js';
import { abscissa, completeGraph, survivorFloor } from '../graph.js';
import { advertisedSlot, createSlotSecrets } from '../keys.js';
import { encodeAdvertiseKeys, encodeShareKeys, type SealedFor } from '../messages.js';
import { type RefusalCode, SecaggRefusal } from '../refusal.js';
import { openShares, type SealedShares, type SlotShares, sealShares } from '../sealing.js';
import { split } from '../shamir.js';
import { signInPlace } from '../signing.js';
import { hashFields, setupTranscript, uint } from '../transcript.js';
import type { AdvertisedMember, MemberIdentity, ReadyMember, SharedMember, SlotState } from './state.js';

/**
 * AdvertiseKeys for all slots of a block: a fresh mask key and a seed commitment each, one share-encryption key.
 * Throws SecaggRefusal if the member's own charter does not cover the block.
 */
export function createAdvert(
  config: BlockConfig,
  floors: CharterFloors,
  identity: MemberIdentity,
  rng: Rng,
  primitives: Primitives,
): { state: AdvertisedMember; message: Uint8Array } {
  assertBlockConfig(config);
  assertCovered(config, floors);
  const self = memberIndex(config, identity.id);
  if (self < 0)
    throw new SecaggRefusal('NotInvited', `${identity.id} is not a member of block ${config.block}`);
  if (bytesToHex(primitives.ed25519PublicKey(identity.seed)) !== config.members[self]!.publicKey)
    throw new SecaggRefusal(
      'KeyMismatch',
      `the identity key of ${identity.id} is not the one in the charter`,
    );

  const digest = blockDigest(primitives, config);
  const secrets = Array.from({ length: config.slots }, (_, slot) =>
    createSlotSecrets(primitives, digest, self, slot, rng),
  );
  const encryptionPrivateKey = rng(32);
  const message = encodeAdvertiseKeys(
    self,
    primitives.x25519PublicKey(encryptionPrivateKey),
    secrets.map((secret, slot) => advertisedSlot(primitives, digest, self, slot, secret)),
  );
  signInPlace(primitives, identity.seed, 'AdvertiseKeys', digest, message);
  return {
    state: {
      kind: 'advertised',
      config,
      identities: identityKeys(config),
      digest,
      primitives,
      rng,
      identity,
      self,
      advert: message,
      encryptionPrivateKey,
      secrets,
    },
    message,
  };
}

const ADVERT_REFUSAL: Readonly<Record<AdvertFault, RefusalCode>> = {
  Malformed: 'MalformedMessage',
  UnknownSender: 'UnknownMember',
  BadSignature: 'BadSignature',
  LowOrderKey: 'LowOrderKey',
  KeyReused: 'KeyReused',
};

/**
 * ShareKeys: shares of both roots of every slot, sealed for each shareholder. The threshold is computed here
 * from the number of adverts; nothing about it is received. An equal request gives the same bytes again.
 */
export function handleAdverts(
  state: AdvertisedMember | SharedMember,
  adverts: readonly Uint8Array[],
): { state: SharedMember; message: Uint8Array } {
  const { primitives, config, self } = state;
  const accepted = acceptAdverts(state, adverts);
  const members = [...accepted.keys()].sort((a, b) => a - b);
  if (members.length < config.minSurvivors)
    throw new SecaggRefusal(
      'CohortTooSmall',
      `${members.length} members advertised, at least ${config.minSurvivors} must`,
    );
  const graph = completeGraph(members, config.maxColluders);
  const ordered = members.map((member) => accepted.get(member)!);
  const setup = setupTranscript(
    primitives,
    state.digest,
    graph.descriptor,
    ordered.map(({ bytes }) => bytes),
  );
  if (state.kind === 'shared') {
    if (!equalBytes(setup, state.setup))
      throw new SecaggRefusal('AdvertsConflict', 'shares for other adverts of this block are already out');
    return { state, message: state.shareKeys };
  }

  const holders = graph.shareholders(self);
  const dealt = dealShares(state, holders, graph.threshold);
  const shares: SealedFor[] = holders
    .filter((holder) => holder !== self)
    .map((holder) => ({
      recipient: holder,
      sealed: sealShares(
        {
          primitives,
          setup,
          from: self,
          to: holder,
          privateKey: state.encryptionPrivateKey,
          publicKey: accepted.get(holder)!.keys.encryptionKey,
        },
        dealt.get(holder)!,
        state.rng,
      ),
    }));
  const message = encodeShareKeys(self, config.slots, shares);
  signInPlace(primitives, state.identity.seed, 'ShareKeys', setup, message);
  const { advert: _, ...member } = state;
  return {
    state: {
      ...member,
      kind: 'shared',
      adverts: accepted,
      graph,
      setup,
      shareKeys: message,
      ownShares: dealt.get(self)!,
    },
    message,
  };
}

function acceptAdverts(
  state: AdvertisedMember | SharedMember,
  messages: readonly Uint8Array[],
): Map<number, Advert> {
  const accepted = new Map<number, Advert>();
  for (const bytes of messages) {
    const advert = readAdvert(state.primitives, state, bytes);
    if (typeof advert === 'string')
      throw new SecaggRefusal(ADVERT_REFUSAL[advert], `an advert of the block is not acceptable: ${advert}`);
    if (accepted.has(advert.keys.sender))
      throw new SecaggRefusal('DuplicateMember', 'the block has two adverts of one member');
    accepted.set(advert.keys.sender, advert);
  }
  const own = accepted.get(state.self)?.bytes;
  const sent = state.kind === 'advertised' ? state.advert : state.adverts.get(state.self)!.bytes;
  if (own === undefined || !equalBytes(own, sent))
    throw new SecaggRefusal('OwnAdvertAltered', 'my own advert is missing from the block or was changed');
  if (shareAKey(accepted.values()))
    throw new SecaggRefusal('KeyReused', 'two members of the block advertise the same key');
  return accepted;
}

function dealShares(
  { secrets, rng }: AdvertisedMember,
  holders: readonly number[],
  threshold: number,
): Map<number, SlotShares[]> {
  const xs = holders.map(abscissa);
  const dealt = new Map<number, SlotShares[]>(holders.map((holder) => [holder, []]));
  for (const { maskRoot, seedRoot } of secrets) {
    const mask = split(maskRoot, threshold, xs, rng);
    const seed = split(seedRoot, threshold, xs, rng);
    for (const [i, holder] of holders.entries())
      dealt.get(holder)!.push({ mask: mask[i]!.y, seed: seed[i]!.y });
  }
  return dealt;
}

/**
 * Takes the sealed shares that the coordinator relays; their senders, with oneself, are U₁. A share that does not
 * open or is not canonical counts as missing and blames nobody: who tampered with it cannot be told.
 */
export function handleShares(
  state: SharedMember | ReadyMember,
  sealedForMe: readonly SealedShares[],
): { state: ReadyMember } {
  const { config, primitives, self, graph } = state;
  const bySender = new Map<number, Uint8Array>();
  for (const { from, sealed } of sealedForMe) {
    const sender = memberIndex(config, from);
    if (sender === self || !graph.dealers(self).includes(sender))
      throw new SecaggRefusal('UnknownMember', `${from} does not deal shares to me in block ${config.block}`);
    if (bySender.has(sender)) throw new SecaggRefusal('DuplicateMember', `two sealed shares of ${from}`);
    bySender.set(sender, sealed);
  }
  const members = [...bySender.keys(), self].sort((a, b) => a - b);
  const sharesDigest = hashFields(
    primitives,
    'sealed shares',
    members.flatMap((member) => [uint(member), bySender.get(member) ?? new Uint8Array(0)]),
  );
  if (state.kind === 'ready') {
    if (!equalBytes(sharesDigest, state.sharesDigest))
      throw new SecaggRefusal('SharesConflict', 'other sealed shares of this block were already accepted');
    return { state };
  }
  const floor = survivorFloor(config, graph);
  if (members.length < floor)
    throw new SecaggRefusal('TooFewShareKeys', `${members.length} members shared keys, ${floor} are needed`);

  const opened = new Map<number, readonly SlotShares[]>([[self, state.ownShares]]);
  for (const [from, sealed] of bySender) {
    const context = {
      primitives,
      setup: state.setup,
      from,
      to: self,
      privateKey: state.encryptionPrivateKey,
      publicKey: state.adverts.get(from)!.keys.encryptionKey,
    };
    const shares = openShares(context, sealed, config.slots);
    if (shares !== undefined) opened.set(from, shares);
  }
  const neighbours = graph.neighbours(self).filter((member) => members.includes(member));
  const slots: SlotState[] = state.secrets.map(({ seedRoot, maskPrivateKey }, slot) => ({
    kind: 'fresh',
    seedRoot,
    pairSecrets: new Map(
      neighbours.map((member) => {
        const { maskKey } = state.adverts.get(member)!.keys.slots[slot]!;
        return [member, primitives.x25519SharedSecret(maskPrivateKey, maskKey)];
      }),
    ),
    shares: new Map([...opened].map(([from, shares]) => [from, shares[slot]!])),
  }));
  // The share-encryption and mask keys have done their work: nobody can find them here any more.
  const { encryptionPrivateKey: _key, secrets: _secrets, ownShares: _own, ...setup } = state;
  return { state: { ...setup, kind: 'ready', members, sharesDigest, slots } };
}
