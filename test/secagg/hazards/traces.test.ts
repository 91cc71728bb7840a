import { bytesToNumberLE } from '@noble/curves/utils.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../../src/crypto/nodePrimitives.js';
import {
  abandonSlot,
  type BlockState,
  closeConsistency,
  closeMaskedInputs,
  createMaskedInput,
  decodeState,
  encodeState,
  handleConsistency,
  handleShares,
  handleSurvivors,
  openRound,
  type ReadyMember,
  type RoundState,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  type SharedMember,
  shareBundle,
  unmask,
  verifyEvidence,
} from '../../../src/secagg/index.js';
import { decodeUnmasking } from '../../../src/secagg/messages.js';
import {
  accepted,
  answerBy,
  answered,
  type Choir,
  idAt,
  maskedElements,
  play,
  ready,
  roundOf,
  setUp,
  vectorOf,
} from '../choir.js';

/** Where a secret could be found that should be nowhere: states, messages, evidence, errors. */

/** The forms in which bytes turn up in a text, long enough to be no coincidence. */
const spellings = (bytes: Uint8Array): string[] => [
  bytesToHex(bytes),
  Buffer.from(bytes).toString('base64').slice(0, 40),
  [...bytes].join(),
  `${bytesToNumberLE(bytes)}`,
];

const found = (texts: readonly string[], secrets: ReadonlyMap<string, Uint8Array>): string[] =>
  [...secrets].flatMap(([name, bytes]) =>
    texts.some((text) => spellings(bytes).some((spelling) => text.includes(spelling))) ? [name] : [],
  );

describe('hazard S27: the coordinator folds and forgets', () => {
  /** Every form in which a vector could lie about in an encoded state: words, bytes of words, packed. */
  const vectorSpellings = (words: Uint32Array): string[] => [
    [...words].join(),
    bytesToHex(new Uint8Array(words.buffer, words.byteOffset, words.byteLength)),
    Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('latin1'),
  ];
  const holds = (state: BlockState | RoundState, words: Uint32Array): boolean => {
    const text = new TextDecoder('latin1').decode(encodeState(nodePrimitives, state));
    return vectorSpellings(words).some((spelling) => text.includes(spelling));
  };

  it('hazard S27: a planted vector and its masked form are in no state, from the first fold of another on', async () => {
    const choir = setUp({ n: 4, slots: 1 });
    const round = roundOf(choir, { modulusBits: 32, dimension: 8 });
    const planted = Uint32Array.from({ length: 8 }, (_, i) => 0xc0ffee00 + i);
    const masked: Uint32Array[] = [];
    const states: RoundState[] = [];
    let collecting = openRound(nodePrimitives, choir.block, round);
    const members: ReadyMember[] = [];
    for (const id of round.expected) {
      const vector = id === idAt(0) ? planted : vectorOf(choir, id, round);
      const next = await createMaskedInput(choir.parties.get(id)!, choir.members.get(id)!, round, vector);
      const message = next.outbound.release('restart-abandons');
      masked.push(maskedElements(message, round));
      collecting = accepted(receiveMaskedInput(nodePrimitives, collecting, message));
      members.push(next.state);
      // The sum changes in place: what is written down is what it is now.
      states.push(
        decodeState<RoundState>(nodePrimitives, encodeState(nodePrimitives, collecting), ['collecting']),
      );
    }
    const inputs = ready(closeMaskedInputs(collecting));
    let checking = inputs.state;
    const signed = members.map((state, i) =>
      handleSurvivors(choir.parties.get(idAt(i))!, state, 0, inputs.survivors),
    );
    for (const { outbound } of signed)
      checking = accepted(receiveConsistency(nodePrimitives, checking, outbound.release('state-durable')));
    const checks = ready(closeConsistency(checking));
    let unmasking = checks.state;
    for (const [i, { state }] of signed.entries()) {
      const told = checks.checksFor.get(idAt(i))!;
      const { outbound } = handleConsistency(choir.parties.get(idAt(i))!, state, 0, told);
      unmasking = accepted(receiveUnmasking(nodePrimitives, unmasking, outbound.release('state-durable')));
    }
    const outcome = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), unmasking);
    expect(outcome.kind).toBe('unmasked');
    states.push(inputs.state, checking, unmasking);

    for (const [i, state] of states.entries()) {
      expect(holds(state, planted), `the vector in state ${i}`).toBe(false);
      // A sum of one is that one, under its masks; from the second on nobody's is there.
      for (const [j, words] of masked.entries())
        if (i > 0) expect(holds(state, words), `masked input ${j} in state ${i}`).toBe(false);
    }
    // Positive control: a coordinator that keeps what it received, and one with a sum of a single member.
    expect(holds(states[0]!, masked[0]!)).toBe(true);
    const keeping = { ...unmasking, answers: [new Uint8Array(planted.buffer)] };
    expect(holds(keeping, planted)).toBe(true);
  });
});

describe('hazard S28: what leaves a member or is said of it', () => {
  const shared = new Map<string, SharedMember>();
  const choir = setUp({
    n: 5,
    slots: 2,
    alterShareKeys: (id, message, state) => {
      shared.set(id, state);
      return message;
    },
  });
  const PLANTED = 987_654;
  const round = roundOf(choir);

  /** Everything that only its owner may know; shares by dealer and holder. */
  function secretsOf({ shares }: { readonly shares: boolean }): Map<string, Uint8Array> {
    const secrets = new Map<string, Uint8Array>();
    for (const [id, state] of shared) {
      secrets.set(`identity ${id}`, choir.seeds.get(id)!);
      secrets.set(`encryption key ${id}`, state.encryptionPrivateKey);
      for (const [slot, { maskRoot, seedRoot }] of state.secrets.entries()) {
        secrets.set(`mask root ${id} ${slot}`, maskRoot);
        secrets.set(`seed root ${id} ${slot}`, seedRoot);
      }
      for (const [slot, kept] of choir.members.get(id)!.slots.entries()) {
        if (kept.kind !== 'fresh') throw new Error('the choir is not fresh');
        for (const { member, secret } of kept.pairSecrets)
          secrets.set(`pair ${id} ${member} ${slot}`, secret);
        if (!shares) continue;
        for (const { dealer, bytes } of kept.openings)
          for (const [at, kind] of [
            [0, 'mask'],
            [48, 'seed'],
          ] as const)
            secrets.set(`${kind} share of ${dealer} at ${id} ${slot}`, bytes.subarray(at, at + 32));
      }
    }
    return secrets;
  }

  it('messages: no secret is in any, and the only shares are those that the round opens', async () => {
    const { transcript } = await play(choir, round, { atMaskedInput: [idAt(3)] });
    const isUnmasking = (message: Uint8Array): boolean => message[1] === 4;
    const other = [...choir.transcript, ...transcript.filter((message) => !isUnmasking(message))];
    expect(found(other.map(bytesToHex), secretsOf({ shares: true }))).toEqual([]);
    const unmasking = transcript.filter(isUnmasking).map(bytesToHex);
    const opened = found(unmasking, secretsOf({ shares: true }));
    // Four members answer about five: four seeds and one key each, of this slot only.
    expect(opened).toHaveLength(20);
    for (const name of opened) expect(name).toMatch(name.includes('of 3 at') ? /^mask share/ : /^seed share/);
    expect(opened.every((name) => name.endsWith(' 0'))).toBe(true);
  });

  it('evidence: nothing but what the round opened to the coordinator anyway', async () => {
    const state = await answered(choir, round, {
      dropped: [idAt(3)],
      alter: (id, message, transcript) =>
        id === idAt(1)
          ? answerBy(choir, message, transcript, (answer) => ({
              ...answer,
              opening: answer.opening.toReversed(),
            }))
          : message,
    });
    const { evidence } = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), state);
    expect(evidence.length).toBeGreaterThan(0);
    const text = new TextDecoder().decode(
      encodeState(nodePrimitives, { ...state, evidence } as typeof state),
    );
    const secrets = secretsOf({ shares: true });
    for (const answer of state.answers)
      for (const { member, opening } of answer === null ? [] : decodeUnmasking(answer).answers)
        for (const [name, bytes] of secrets)
          if (name.includes(`share of ${member} at`) && bytesToHex(opening).startsWith(bytesToHex(bytes)))
            secrets.delete(name);
    expect(found([text], secrets)).toEqual([]);
  });

  /** Every message of every error that a member, a coordinator or a judge throws over bad input. */
  async function complaints(of: Choir): Promise<string[]> {
    const said: string[] = [];
    const listen = async (act: () => unknown): Promise<void> => {
      try {
        const result = await act();
        if (typeof result === 'object' && result !== null && 'reason' in result)
          said.push(String(result.reason));
      } catch (error) {
        // As a logger would: text, stack, fields, cause.
        for (let at: unknown = error; at instanceof Error; at = at.cause)
          said.push(String(at), at.stack ?? '', JSON.stringify(at), JSON.stringify(Object.entries(at)));
      }
    };
    const id = idAt(0);
    const party = of.parties.get(id)!;
    const state = of.members.get(id)!;
    const planted = new Uint32Array(round.dimension).fill(PLANTED);
    for (const context of [
      { ...round, modulusBits: 8 },
      { ...round, dimension: 4 },
      { ...round, slot: 77 },
      { ...round, expected: [] },
    ])
      await listen(() => createMaskedInput(party, state, context, planted));
    const masked = await createMaskedInput(party, state, round, planted);
    await listen(() => createMaskedInput(party, masked.state, round, planted.with(0, 1)));
    await listen(() => handleSurvivors(party, state, 0, []));
    for (const set of [[], [id], [id, id], ['nobody'], round.expected.slice(1)])
      await listen(() => handleSurvivors(party, masked.state, 0, set));
    const signed = handleSurvivors(party, masked.state, 0, round.expected);
    await listen(() => handleSurvivors(party, signed.state, 0, round.expected.slice(0, 4)));
    await listen(() => handleConsistency(party, signed.state, 0, [new Uint8Array(3)]));
    await listen(() => handleConsistency(party, abandonSlot(state, 0).state, 0, []));
    const bundle = shareBundle(nodePrimitives, of.block, id);
    for (let at = 0; at < bundle.length; at += 41)
      await listen(() => handleShares(party, shared.get(id)!, bundle.with(at, bundle[at]! ^ 0x55)));
    await listen(() => handleShares(party, shared.get(id)!, bundle.subarray(4)));
    await listen(() => handleShares(party, state, bundle.subarray(4)));
    const { transcript } = await play(of, round);
    const collecting = openRound(nodePrimitives, of.block, round);
    const kinds = [receiveAdvert, receiveShares] as const;
    for (const message of [...of.transcript, ...transcript])
      for (const bad of [message.subarray(9), message.with(2, 200), message.with(40, message[40]! ^ 1)]) {
        for (const receive of kinds) await listen(() => receive(nodePrimitives, of.block, bad));
        for (const receive of [receiveMaskedInput, receiveConsistency, receiveUnmasking])
          await listen(() => receive(nodePrimitives, collecting, bad));
      }
    for (const member of [state, masked.state, signed.state, shared.get(id)!]) {
      const bytes = encodeState(nodePrimitives, member);
      for (const torn of [bytes.subarray(0, -1), bytes.with(900, 7)])
        await listen(() => decodeState(nodePrimitives, torn, ['ready']));
      await listen(() => decodeState(nodePrimitives, bytes, ['advertised']));
    }
    const lying = await answered(of, round, {
      alter: (who, message, transcriptOf) =>
        who === id
          ? answerBy(of, message, transcriptOf, (answer) => ({
              ...answer,
              opening: answer.opening.toReversed(),
            }))
          : message,
    });
    const { evidence } = await unmask(nodePrimitives, inlineMaskWork(nodePrimitives), lying);
    const [item] = evidence;
    for (const altered of [
      { ...item!, dealer: 3 },
      { ...item!, openings: [] },
      { ...item!, adverts: [item!.openings[0]!.answer] },
      { ...item!, openings: [{ ...item!.openings[0]!, answer: item!.openings[0]!.answer.subarray(1) }] },
      { ...item!, openings: item!.openings[0] },
    ])
      await listen(() => verifyEvidence(nodePrimitives, of.floors, altered as NonNullable<typeof item>));
    return said;
  }

  it('errors and refusals: no secret, no share, no coordinate in message, stack, fields or cause', async () => {
    const said = await complaints(choir);
    expect(said.length).toBeGreaterThan(100);
    expect(found(said, secretsOf({ shares: true }))).toEqual([]);
    expect(said.filter((text) => text.includes(`${PLANTED}`))).toEqual([]);
    // Positive control: an error that says what it was given is found.
    const careless = (element: number, share: Uint8Array) =>
      `${element} does not fit; the share was ${bytesToHex(share)}`;
    const [[name, bytes]] = [...secretsOf({ shares: true })] as [[string, Uint8Array]];
    expect(found([careless(PLANTED, bytes)], secretsOf({ shares: true }))).toEqual([name]);
  });
});
