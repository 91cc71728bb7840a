import { bytesToHex, equalBytes } from '@noble/ciphers/utils.js';
import { verifyInclusion } from '../../crypto/merkle.js';
import type { Primitives } from '../../crypto/primitives.js';
import type { Rng } from '../../crypto/rng.js';
import { type AdvertFault, advertisedKeys, readAdvert, shareAKey } from '../adverts.js';
import {
  assertBlockConfig,
  assertCovered,
  type BlockConfig,
  blockDigest,
  type CharterFloors,
  memberIndex,
} from '../block.js';
import { deal, openPart, slotOpenings } from '../dealing.js';
import { dealers, neighbours, shareholders, survivorFloor } from '../graph.js';
import { advertisedSlot, createSlotSecrets, maskPrivateKey } from '../keys.js';
import { decodeShareKeys, encodeAdvertiseKeys, encodeShareKeys } from '../messages.js';
import { type RefusalCode, SecaggRefusal } from '../refusal.js';
import { dealtRoot, setUpGraph } from '../setUp.js';
import { decodeShareBundle, type ShareBundle } from '../shareBundle.js';
import { signInPlace } from '../signing.js';
import { dealtTranscript } from '../transcript.js';
import { MalformedMessage } from '../wire.js';
import { Outbound, type Transition } from './outbound.js';
import type { AdvertisedMember, Party, ReadyMember, SharedMember, SlotState } from './state.js';

/**
 * AdvertiseKeys for all slots of a block: a fresh mask key and a seed commitment each, one share-encryption key.
 * Throws SecaggRefusal if the member's own charter does not cover the block.
 */
export function createAdvert(
  { primitives, identity }: Party,
  config: BlockConfig,
  floors: CharterFloors,
  rng: Rng,
): Transition<AdvertisedMember> {
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
  const secrets = Array.from({ length: config.slots }, () => createSlotSecrets(rng));
  const encryptionPrivateKey = rng(32);
  const advert = encodeAdvertiseKeys(
    self,
    primitives.x25519PublicKey(encryptionPrivateKey),
    secrets.map((secret, slot) => advertisedSlot(primitives, digest, self, slot, secret)),
  );
  signInPlace(primitives, identity.seed, 'AdvertiseKeys', digest, advert);
  return {
    state: { kind: 'advertised', config, digest, self, advert, encryptionPrivateKey, secrets },
    outbound: new Outbound(advert),
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
 * ShareKeys: shares of both roots of every slot, committed to and sealed for each shareholder. Graph and threshold
 * are computed here from the adverts; nothing about them is received. An equal request gives the same bytes again.
 */
export function handleAdverts(
  { primitives, identity }: Party,
  state: AdvertisedMember | SharedMember,
  messages: readonly Uint8Array[],
  rng: Rng,
): Transition<SharedMember> {
  const { config, self } = state;
  const adverts = acceptAdverts(primitives, state, messages);
  const members = [...adverts.keys()].filter((member) => adverts[member] !== null);
  if (members.length < config.minSurvivors)
    throw new SecaggRefusal(
      'CohortTooSmall',
      `${members.length} members advertised, at least ${config.minSurvivors} must`,
    );
  const { graph, setup } = setUpGraph(primitives, state, adverts);
  if (state.kind === 'shared') {
    if (!equalBytes(setup, state.setup))
      throw new SecaggRefusal('AdvertsConflict', 'shares for other adverts of this block are already out');
    return { state, outbound: new Outbound(state.shareKeys) };
  }

  const { digest, encryptionPrivateKey, secrets } = state;
  const encryptionKey = (holder: number) => advertisedKeys(adverts[holder]!).encryptionKey;
  const parts = deal(
    { primitives, setup, dealer: self, encryptionPrivateKey, encryptionKey },
    secrets,
    graph.threshold,
    shareholders(graph, self),
    rng,
  );
  const shareKeys = encodeShareKeys(self, config.slots, parts);
  signInPlace(primitives, identity.seed, 'ShareKeys', setup, shareKeys, dealtRoot(primitives, parts));
  return {
    state: {
      kind: 'shared',
      config,
      digest,
      self,
      adverts,
      graph,
      setup,
      encryptionPrivateKey,
      secrets,
      shareKeys,
    },
    outbound: new Outbound(shareKeys),
  };
}

/** By roster index. */
function acceptAdverts(
  primitives: Primitives,
  state: AdvertisedMember | SharedMember,
  messages: readonly Uint8Array[],
): (Uint8Array | null)[] {
  const accepted: (Uint8Array | null)[] = state.config.members.map(() => null);
  for (const bytes of messages) {
    const advert = readAdvert(primitives, state, bytes);
    if (typeof advert === 'string')
      throw new SecaggRefusal(ADVERT_REFUSAL[advert], `an advert of the block is not acceptable: ${advert}`);
    if (accepted[advert.sender] !== null)
      throw new SecaggRefusal('DuplicateMember', 'the block has two adverts of one member');
    accepted[advert.sender] = Uint8Array.from(bytes);
  }
  const own = accepted[state.self];
  const sent = state.kind === 'advertised' ? state.advert : state.adverts[state.self]!;
  if (own == null || !equalBytes(own, sent))
    throw new SecaggRefusal('OwnAdvertAltered', 'my own advert is missing from the block or was changed');
  if (shareAKey(accepted.filter((advert) => advert !== null)))
    throw new SecaggRefusal('KeyReused', 'two members of the block advertise the same key');
  return accepted;
}

/**
 * Takes the dealt shares that the coordinator relays, and who is in U₁. A share that does not lie under its dealer's
 * root, does not open or is not what was committed to counts as missing and blames nobody.
 */
export function handleShares(
  { primitives }: Party,
  state: SharedMember | ReadyMember,
  bundleBytes: Uint8Array,
): { readonly state: ReadyMember } {
  const { config, self, graph, digest } = state;
  const bundleDigest = primitives.sha256(bundleBytes);
  if (state.kind === 'ready') {
    if (!equalBytes(bundleDigest, state.bundleDigest))
      throw new SecaggRefusal('SharesConflict', 'other dealt shares of this block were already accepted');
    return { state };
  }
  const { roots, parts } = acceptBundle(primitives, state, bundleBytes);
  const members = roots.map(({ member }) => member);
  const inU1 = new Set(members);
  const floor = survivorFloor(config, graph);
  const holders = shareholders(graph, self);
  const holding = holders.filter((holder) => inU1.has(holder)).length;
  if (members.length < floor || holding < graph.threshold)
    throw new SecaggRefusal(
      'TooFewShareKeys',
      `${members.length} members shared keys, ${floor} are needed; ${holding} of my shareholders, ${graph.threshold} are needed`,
    );

  const opened: { readonly dealer: number; readonly openings: Uint8Array }[] = [];
  const rootAt = new Map(roots.map(({ member, root }) => [member, root]));
  for (const { dealer, part, path } of parts) {
    const held = shareholders(graph, dealer);
    if (!verifyInclusion(primitives.sha256, rootAt.get(dealer)!, part, held.indexOf(self), held.length, path))
      continue;
    const context = {
      primitives,
      setup: state.setup,
      from: dealer,
      to: self,
      privateKey: state.encryptionPrivateKey,
      publicKey: advertisedKeys(state.adverts[dealer]!).encryptionKey,
    };
    const openings = openPart(context, part, config.slots);
    if (openings !== undefined) opened.push({ dealer, openings });
  }
  const linked = neighbours(graph, self).filter((member) => inU1.has(member));
  const slots = state.secrets.map(({ maskRoot, seedRoot }, slot): SlotState => {
    const privateKey = maskPrivateKey(primitives, digest, self, slot, maskRoot);
    return {
      kind: 'fresh',
      seedRoot,
      pairSecrets: linked.map((member) => {
        const { maskKey } = advertisedKeys(state.adverts[member]!).slots[slot]!;
        return { member, secret: primitives.x25519SharedSecret(privateKey, maskKey) };
      }),
      openings: opened.map(({ dealer, openings }) => ({
        dealer,
        bytes: slotOpenings(openings, slot).slice(),
      })),
    };
  });
  // The share-encryption key, the mask keys and one's own shares have done their work: nobody finds them here any more.
  const transcript = dealtTranscript(primitives, state.setup, roots);
  return { state: { kind: 'ready', config, digest, self, graph, members, transcript, bundleDigest, slots } };
}

function acceptBundle(primitives: Primitives, state: SharedMember, bytes: Uint8Array): ShareBundle {
  const { config, self, graph, adverts } = state;
  let bundle: ShareBundle;
  try {
    bundle = decodeShareBundle(bytes, config.slots);
  } catch (cause) {
    if (cause instanceof MalformedMessage)
      throw new SecaggRefusal('MalformedMessage', `the relayed shares: ${cause.message}`, { cause });
    throw cause;
  }
  if (bundle.recipient !== self)
    throw new SecaggRefusal('UnknownMember', 'the relayed shares are for another member');
  const dealt = new Set(bundle.roots.map(({ member }) => member));
  if ([...dealt].some((member) => adverts[member] == null))
    throw new SecaggRefusal('UnknownMember', 'a member without an advert is said to have dealt shares');
  const mine = dealers(graph, self);
  if (bundle.parts.some(({ dealer }) => !dealt.has(dealer) || !mine.includes(dealer)))
    throw new SecaggRefusal('UnknownMember', 'a share is relayed from a member that deals none to me');
  const own = bundle.roots.find(({ member }) => member === self)?.root;
  const sent = dealtRoot(primitives, decodeShareKeys(state.shareKeys, config.slots).parts);
  if (own === undefined || !equalBytes(own, sent))
    throw new SecaggRefusal('OwnSharesAltered', 'the shares that I dealt are left out or were changed');
  return bundle;
}
