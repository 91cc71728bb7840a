import { advertisedKeys } from '../../../src/secagg/adverts.js';
import { deal } from '../../../src/secagg/dealing.js';
import { shareholders } from '../../../src/secagg/graph.js';
import type { MemberState, Party, SharedMember } from '../../../src/secagg/index.js';
import { createSlotSecrets } from '../../../src/secagg/keys.js';
import {
  decodeAdvertiseKeys,
  decodeShareKeys,
  decodeUnmasking,
  encodeAdvertiseKeys,
  encodeConsistencyCheck,
  encodeShareKeys,
  encodeUnmasking,
  type ShareAnswer,
} from '../../../src/secagg/messages.js';
import { dealtRoot } from '../../../src/secagg/setUp.js';
import { type MessageKind, signInPlace } from '../../../src/secagg/signing.js';
import type { Dice } from './dice.js';

/**
 * What a member that does not keep to the protocol does, under its own good signature. None of it may change what the
 * sum is: a cheat that adds another vector is its own input, and that is its right.
 */
export type Cheat =
  | 'low-order-key'
  | 'copied-key'
  | 'part-missing'
  | 'one-wrong-share'
  | 'wrong-secret'
  | 'two-inputs'
  | 'two-checks'
  | 'wrong-opening'
  | 'wrong-kind';

export const CHEATS_AT_SET_UP = [
  'low-order-key',
  'copied-key',
  'part-missing',
  'one-wrong-share',
  'wrong-secret',
] as const;
export const CHEATS_IN_ROUNDS = ['two-inputs', 'two-checks', 'wrong-opening', 'wrong-kind'] as const;

/** The cheats that evidence may be brought for. */
export const LIES: readonly Cheat[] = ['one-wrong-share', 'wrong-secret', 'wrong-opening'];

interface Sent<State> {
  readonly state: State;
  readonly message: Uint8Array;
}

export function cheatAtAdvert(
  cheat: Cheat,
  { primitives, identity }: Party,
  message: Uint8Array,
  state: MemberState,
  others: readonly Uint8Array[],
): Uint8Array {
  const keys = decodeAdvertiseKeys(message, state.config.slots);
  let { encryptionKey } = keys;
  if (cheat === 'low-order-key') encryptionKey = new Uint8Array(32);
  else if (cheat === 'copied-key') {
    // One that was asked for another number of slots has adverts of another length, and nothing to copy.
    const other = others.find(({ length }) => length === message.length);
    if (other !== undefined) encryptionKey = decodeAdvertiseKeys(other, state.config.slots).encryptionKey;
  }
  const advert = encodeAdvertiseKeys(state.self, encryptionKey, keys.slots);
  signInPlace(primitives, identity.seed, 'AdvertiseKeys', state.digest, advert);
  return advert;
}

/** Deals again: commitments and signature fit what is dealt, and what is dealt is wrong. */
export function cheatAtShares(
  cheat: Cheat,
  { primitives, identity }: Party,
  { state, message }: Sent<SharedMember>,
  dice: Dice,
): Sent<SharedMember> {
  const { self, config, setup, graph, adverts, encryptionPrivateKey } = state;
  const holders = shareholders(graph, self);
  const encryptionKey = (holder: number) => advertisedKeys(adverts[holder]!).encryptionKey;
  const dealer = { primitives, setup, dealer: self, encryptionPrivateKey, encryptionKey };
  const dealt = decodeShareKeys(message, config.slots).parts;
  const secrets =
    cheat === 'wrong-secret' ? state.secrets.map(() => createSlotSecrets(dice.rng)) : state.secrets;
  const others = deal(dealer, secrets, graph.threshold, holders, dice.rng);
  // A second polynomial for the same secret: one of its shares among those of the first lies on neither.
  const victim = dice.pick(holders.filter((holder) => holder !== self));
  const parts =
    cheat === 'part-missing'
      ? dealt.slice(1)
      : dealt.map((part, i) => (cheat === 'wrong-secret' || part.recipient === victim ? others[i]! : part));
  const shareKeys = encodeShareKeys(self, config.slots, parts);
  signInPlace(primitives, identity.seed, 'ShareKeys', setup, shareKeys, dealtRoot(primitives, parts));
  return { state: { ...state, shareKeys }, message: shareKeys };
}

/** Another check or answer of a slot in place of, or beside, the honest one. */
export function cheatInRound(
  cheat: Cheat,
  { primitives, identity }: Party,
  self: number,
  slot: number,
  transcript: Uint8Array,
  honest: Uint8Array,
  kind: MessageKind,
): Uint8Array[] {
  const signed = (message: Uint8Array): Uint8Array => {
    signInPlace(primitives, identity.seed, kind, transcript, message);
    return message;
  };
  if (kind === 'ConsistencyCheck' && cheat === 'two-checks')
    return [honest, signed(encodeConsistencyCheck(self, slot, primitives.sha256(honest)))];
  if (kind !== 'Unmasking') return [honest];
  const { answers } = decodeUnmasking(honest);
  const altered = (alter: (answer: ShareAnswer) => ShareAnswer): Uint8Array[] => [
    signed(
      encodeUnmasking(
        self,
        slot,
        answers.map((answer) => (answer.kind === 'none' ? answer : alter(answer))),
      ),
    ),
  ];
  if (cheat === 'wrong-opening')
    return altered((answer) => ({ ...answer, opening: answer.opening.with(0, answer.opening[0]! ^ 1) }));
  if (cheat === 'wrong-kind')
    return altered((answer) => ({ ...answer, kind: answer.kind === 'seed' ? 'mask' : 'seed' }));
  return [honest];
}
