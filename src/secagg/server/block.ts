import { equalBytes } from '@noble/ciphers/utils.js';
import type { Primitives } from '../../crypto/primitives.js';
import { readAdvert, shareAKey } from '../adverts.js';
import { assertBlockConfig, type BlockConfig, blockDigest, identityKeys, memberIds } from '../block.js';
import { completeGraph, survivorFloor } from '../graph.js';
import { decodeShareKeys, type ShareKeys } from '../messages.js';
import { sameSet } from '../round.js';
import type { SealedShares } from '../sealing.js';
import { verifySigned } from '../signing.js';
import { setupTranscript } from '../transcript.js';
import { MalformedMessage } from '../wire.js';
import type { Aborted, AdvertisingBlock, BlockState, ReadyBlock, Received, SharingBlock } from './state.js';

/** Throws SecaggRefusal InvalidConfig or CohortTooSmall. */
export function createBlock(config: BlockConfig, primitives: Primitives): AdvertisingBlock {
  assertBlockConfig(config);
  return {
    kind: 'advertising',
    config,
    identities: identityKeys(config),
    digest: blockDigest(primitives, config),
    primitives,
    adverts: new Map(),
  };
}

export function receiveAdvert<State extends BlockState>(state: State, bytes: Uint8Array): Received<State> {
  const advert = readAdvert(state.primitives, state, bytes);
  if (typeof advert === 'string') return { kind: 'rejected', state, reason: advert };
  const sender = advert.keys.sender;
  const from = state.config.members[sender]!.id;
  const known = state.adverts.get(sender);
  if (known !== undefined)
    return equalBytes(known.bytes, bytes)
      ? { kind: 'duplicate', state, from }
      : { kind: 'rejected', state, reason: 'Conflict' };
  if (state.kind !== 'advertising') return { kind: 'rejected', state, reason: 'PhaseClosed' };
  if (shareAKey([...state.adverts.values(), advert])) return { kind: 'rejected', state, reason: 'KeyReused' };
  const adverts = new Map(state.adverts).set(sender, { ...advert, bytes: bytes.slice() });
  return { kind: 'accepted', state: { ...state, adverts } as State, from };
}

/** The adverts to relay to every member, in roster order, or an abort when too few are here. */
export function closeAdverts(
  state: AdvertisingBlock,
): { kind: 'ready'; state: SharingBlock; adverts: readonly Uint8Array[]; threshold: number } | Aborted {
  const members = [...state.adverts.keys()].sort((a, b) => a - b);
  const need = state.config.minSurvivors;
  if (members.length < need)
    return { kind: 'aborted', reason: 'TooFewAdverts', have: members.length, need, members: [] };
  const graph = completeGraph(members, state.config.maxColluders);
  const adverts = members.map((member) => state.adverts.get(member)!.bytes);
  const setup = setupTranscript(state.primitives, state.digest, graph.descriptor, adverts);
  const { threshold } = graph;
  return {
    kind: 'ready',
    state: { ...state, kind: 'sharing', graph, setup, threshold, shareKeys: new Map() },
    adverts,
    threshold,
  };
}

export function receiveShares<State extends BlockState>(state: State, bytes: Uint8Array): Received<State> {
  let message: ShareKeys;
  try {
    message = decodeShareKeys(bytes, state.config.slots);
  } catch (error) {
    if (error instanceof MalformedMessage) return { kind: 'rejected', state, reason: 'Malformed' };
    throw error;
  }
  const { sender } = message;
  const identity = state.identities[sender];
  if (identity === undefined) return { kind: 'rejected', state, reason: 'UnknownSender' };
  // Before the adverts are closed there is no transcript that it could be signed over.
  if (state.kind === 'advertising' || !state.adverts.has(sender))
    return { kind: 'rejected', state, reason: 'NotExpected' };
  if (verifySigned(state.primitives, identity, 'ShareKeys', state.setup, message) === undefined)
    return { kind: 'rejected', state, reason: 'BadSignature' };
  const recipients = state.graph.shareholders(sender).filter((holder) => holder !== sender);
  if (
    !sameSet(
      recipients,
      message.shares.map(({ recipient }) => recipient),
    )
  )
    return { kind: 'rejected', state, reason: 'WrongRecipients' };
  const from = state.config.members[sender]!.id;
  const known = state.shareKeys.get(sender);
  if (known !== undefined)
    return equalBytes(known.bytes, bytes)
      ? { kind: 'duplicate', state, from }
      : { kind: 'rejected', state, reason: 'Conflict' };
  if (state.kind !== 'sharing') return { kind: 'rejected', state, reason: 'PhaseClosed' };
  const kept = bytes.slice();
  const shareKeys = new Map(state.shareKeys).set(sender, {
    bytes: kept,
    message: decodeShareKeys(kept, state.config.slots),
  });
  return { kind: 'accepted', state: { ...state, shareKeys } as State, from };
}

/** U₁ and what to relay to each of its members, or an abort when too few shared their keys. */
export function closeShares(state: SharingBlock):
  | {
      kind: 'ready';
      state: ReadyBlock;
      members: readonly string[];
      bundles: ReadonlyMap<string, readonly SealedShares[]>;
    }
  | Aborted {
  const members = [...state.shareKeys.keys()].sort((a, b) => a - b);
  const need = survivorFloor(state.config, state.graph);
  if (members.length < need)
    return { kind: 'aborted', reason: 'TooFewShareKeys', have: members.length, need, members: [] };
  const ids = memberIds(state.config, members);
  const bundles = new Map<string, SealedShares[]>(ids.map((id) => [id, []]));
  for (const member of members)
    for (const { recipient, sealed } of state.shareKeys.get(member)!.message.shares)
      bundles
        .get(state.config.members[recipient]!.id)
        ?.push({ from: state.config.members[member]!.id, sealed });
  return { kind: 'ready', state: { ...state, kind: 'ready', members }, members: ids, bundles };
}
