import { equalBytes } from '@noble/ciphers/utils.js';
import { inclusionProofs } from '../../crypto/merkle.js';
import type { Primitives } from '../../crypto/primitives.js';
import { copiesAKey, readAdvert } from '../adverts.js';
import {
  assertBlockConfig,
  type BlockConfig,
  blockDigest,
  identityKeys,
  memberIds,
  memberIndex,
} from '../block.js';
import { dealers, shareholders, survivorFloor } from '../graph.js';
import { memoize } from '../memo.js';
import { decodeShareKeys, type ShareKeys } from '../messages.js';
import { sameSet } from '../round.js';
import { dealtRoot, setUpGraph } from '../setUp.js';
import { encodeShareBundle, type RelayedPart } from '../shareBundle.js';
import { verifyDigest } from '../signing.js';
import { type DealtRoot, dealtTranscript } from '../transcript.js';
import { MalformedMessage } from '../wire.js';
import type { Aborted, AdvertisingBlock, BlockState, ReadyBlock, Received, SharingBlock } from './state.js';

/** Throws SecaggRefusal InvalidConfig or CohortTooSmall. */
export function createBlock(primitives: Primitives, config: BlockConfig): AdvertisingBlock {
  assertBlockConfig(config);
  const adverts = config.members.map(() => null);
  return { kind: 'advertising', config, digest: blockDigest(primitives, config), adverts };
}

export function receiveAdvert<State extends BlockState>(
  primitives: Primitives,
  state: State,
  bytes: Uint8Array,
): Received<State> {
  const advert = readAdvert(primitives, state, bytes);
  if (typeof advert === 'string') return { kind: 'rejected', state, reason: advert };
  const { sender } = advert;
  const from = state.config.members[sender]!.id;
  const known = state.adverts[sender];
  if (known != null)
    return equalBytes(known, bytes)
      ? { kind: 'duplicate', state, from }
      : { kind: 'rejected', state, reason: 'Conflict' };
  if (state.kind !== 'advertising') return { kind: 'rejected', state, reason: 'PhaseClosed' };
  const kept = Uint8Array.from(bytes);
  if (copiesAKey(kept, present(state.adverts))) return { kind: 'rejected', state, reason: 'KeyReused' };
  return { kind: 'accepted', state: { ...state, adverts: state.adverts.with(sender, kept) }, from };
}

/** The adverts to relay to every member, in roster order, or an abort when too few are here. */
export function closeAdverts(
  primitives: Primitives,
  state: AdvertisingBlock,
): { kind: 'ready'; state: SharingBlock; adverts: readonly Uint8Array[]; threshold: number } | Aborted {
  const adverts = present(state.adverts);
  const need = state.config.minSurvivors;
  if (adverts.length < need)
    return { kind: 'aborted', reason: 'TooFewAdverts', have: adverts.length, need, members: [] };
  const { graph, setup } = setUpGraph(primitives, state, state.adverts);
  const shareKeys = state.config.members.map(() => null);
  return {
    kind: 'ready',
    state: { ...state, kind: 'sharing', graph, setup, shareKeys },
    adverts,
    threshold: graph.threshold,
  };
}

export function receiveShares<State extends BlockState>(
  primitives: Primitives,
  state: State,
  bytes: Uint8Array,
): Received<State> {
  let message: ShareKeys;
  try {
    message = decodeShareKeys(bytes, state.config.slots);
  } catch (error) {
    if (error instanceof MalformedMessage) return { kind: 'rejected', state, reason: 'Malformed' };
    throw error;
  }
  const { sender } = message;
  const identity = identityKeys(state.config)[sender];
  if (identity === undefined) return { kind: 'rejected', state, reason: 'UnknownSender' };
  // Before the adverts are closed there is no transcript that it could be signed over.
  if (state.kind === 'advertising' || state.adverts[sender] == null)
    return { kind: 'rejected', state, reason: 'NotExpected' };
  const root = dealtRoot(primitives, message.parts);
  if (!verifyDigest(primitives, identity, 'ShareKeys', state.setup, root, message.signature))
    return { kind: 'rejected', state, reason: 'BadSignature' };
  const recipients = message.parts.map(({ recipient }) => recipient);
  if (!sameSet(shareholders(state.graph, sender), recipients))
    return { kind: 'rejected', state, reason: 'WrongRecipients' };
  const from = state.config.members[sender]!.id;
  const known = state.shareKeys[sender];
  if (known != null)
    return equalBytes(known, bytes)
      ? { kind: 'duplicate', state, from }
      : { kind: 'rejected', state, reason: 'Conflict' };
  if (state.kind !== 'sharing') return { kind: 'rejected', state, reason: 'PhaseClosed' };
  const shareKeys = state.shareKeys.with(sender, Uint8Array.from(bytes));
  return { kind: 'accepted', state: { ...state, shareKeys } as State, from };
}

/** U₁, or an abort when too few shared their keys. What each member is then sent is `shareBundle`. */
export function closeShares(
  primitives: Primitives,
  state: SharingBlock,
): { kind: 'ready'; state: ReadyBlock; members: readonly string[] } | Aborted {
  const members = [...state.shareKeys.keys()].filter((member) => state.shareKeys[member] !== null);
  const need = survivorFloor(state.config, state.graph);
  if (members.length < need)
    return { kind: 'aborted', reason: 'TooFewShareKeys', have: members.length, need, members: [] };
  const transcript = dealtTranscript(primitives, state.setup, dealtRoots(primitives, state, members));
  return {
    kind: 'ready',
    state: { ...state, kind: 'ready', members, transcript },
    members: memberIds(state.config, members),
  };
}

/** The roots of U₁, which everybody is shown, and the parts that were dealt to one member. */
export function shareBundle(primitives: Primitives, state: ReadyBlock, id: string): Uint8Array {
  const { config, graph, members } = state;
  const recipient = memberIndex(config, id);
  const inU1 = new Set(members);
  const parts = dealers(graph, recipient)
    .filter((dealer) => inU1.has(dealer))
    .map((dealer) => relayedPart(primitives, state, dealer, recipient));
  return encodeShareBundle({ recipient, roots: dealtRoots(primitives, state, members), parts });
}

/** What `dealer` dealt to `recipient`, with the way to the root that the dealer signed. */
export function relayedPart(
  primitives: Primitives,
  { config, graph, shareKeys }: Pick<ReadyBlock, 'config' | 'graph' | 'shareKeys'>,
  dealer: number,
  recipient: number,
): RelayedPart {
  const { parts, paths } = dealtBy(primitives, shareKeys[dealer]!, config.slots);
  const at = shareholders(graph, dealer).indexOf(recipient);
  return { dealer, part: parts[at]!.bytes, path: paths()[at]! };
}

export function dealtRoots(
  primitives: Primitives,
  { config, shareKeys }: Pick<ReadyBlock, 'config' | 'shareKeys'>,
  members: readonly number[],
): DealtRoot[] {
  return members.map((member) => ({
    member,
    root: dealtBy(primitives, shareKeys[member]!, config.slots).root(),
  }));
}

/** A ShareKeys that was accepted, taken apart once. */
export function dealtBy(primitives: Primitives, shareKeys: Uint8Array, slots: number): Dealt {
  return dealtMessages(shareKeys)(primitives, slots);
}

interface Dealt extends ShareKeys {
  readonly root: () => Uint8Array;
  readonly paths: () => readonly (readonly Uint8Array[])[];
}

const dealtMessages = memoize((shareKeys: Uint8Array) => {
  let dealt: Dealt | undefined;
  return (primitives: Primitives, slots: number): Dealt => {
    if (dealt === undefined) {
      const message = decodeShareKeys(shareKeys, slots);
      const leaves = message.parts.map(({ bytes }) => bytes);
      dealt = {
        ...message,
        root: once(() => dealtRoot(primitives, message.parts)),
        paths: once(() => inclusionProofs(primitives.sha256, leaves)),
      };
    }
    return dealt;
  };
});

function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => (known ??= { value: compute() }).value;
}

export function present(messages: readonly (Uint8Array | null)[]): Uint8Array[] {
  return messages.filter((message) => message !== null);
}
