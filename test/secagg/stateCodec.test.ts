import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import {
  abandonSlot,
  type BlockState,
  closeAdverts,
  closeConsistency,
  closeMaskedInputs,
  closeShares,
  createBlock,
  createMaskedInput,
  decodeState,
  encodeState,
  handleAdverts,
  handleConsistency,
  handleShares,
  handleSurvivors,
  type MemberState,
  openRound,
  type RoundState,
  receiveAdvert,
  receiveConsistency,
  receiveMaskedInput,
  receiveShares,
  receiveUnmasking,
  shareBundle,
  type Transition,
  UnreadableState,
  unmask,
} from '../../src/secagg/index.js';
import {
  accepted,
  advertise,
  type Choir,
  type ChoirOptions,
  idAt,
  ready,
  roundOf,
  sumOf,
  vectorOf,
} from './choir.js';

type State = MemberState | BlockState | RoundState;
/** What is done with every state before anybody goes on from it. */
type Keep = <S extends State>(state: S) => S;

const inMemory: Keep = (state) => state;
/** Written down and read back; an encoding that is read back and written again is the same. */
function onDisk(seen: Set<string>): Keep {
  return <S extends State>(state: S): S => {
    const encoded = encodeState(nodePrimitives, state);
    const read = decodeState<S>(nodePrimitives, encoded, [state.kind]);
    expect(read).toEqual(state);
    expect(bytesToHex(encodeState(nodePrimitives, read))).toBe(bytesToHex(encoded));
    const slot = state.kind === 'ready' && 'slots' in state ? ` ${state.slots[0]!.kind}` : '';
    seen.add(`${'self' in state ? 'member' : 'coordinator'} ${state.kind}${slot}`);
    return read;
  };
}

/** A whole set-up and a round in which `lost` is lost; gives every byte that was sent or relayed, and the sum. */
async function playKeeping(options: ChoirOptions, lost: string, keep: Keep) {
  const { config, floors, seeds, primitives, parties, rngs, states, adverts } = advertise(options);
  const sent: string[] = [];
  const send = (message: Uint8Array): Uint8Array => {
    sent.push(bytesToHex(message));
    return message;
  };
  const keepAfter = <S extends MemberState>({ state, outbound }: Transition<S>) => ({
    state: keep(state),
    message: send(outbound.release('state-durable')),
  });
  let advertising = keep(createBlock(primitives, config));
  for (const advert of adverts.values())
    advertising = keep(accepted(receiveAdvert(primitives, advertising, send(advert))));
  const advertised = ready(closeAdverts(primitives, advertising));
  let sharing = keep(advertised.state);
  const shared = [...states].map(([id, state]) => {
    const next = keepAfter(handleAdverts(parties.get(id)!, keep(state), advertised.adverts, rngs.get(id)!));
    sharing = keep(accepted(receiveShares(primitives, sharing, next.message)));
    return [id, next.state] as const;
  });
  const block = keep(ready(closeShares(primitives, sharing)).state);
  const members = new Map(
    shared.map(([id, state]) => {
      const bundle = send(shareBundle(primitives, block, id));
      return [id, keep(handleShares(parties.get(id)!, state, bundle).state)];
    }),
  );
  const threshold = block.graph.threshold;
  const choir: Choir = {
    config,
    floors,
    seeds,
    primitives,
    parties,
    block,
    members,
    threshold,
    transcript: [],
  };

  const round = roundOf(choir, { dimension: 7, modulusBits: 19 });
  let collecting = keep(openRound(primitives, block, round));
  for (const [id, state] of members) {
    if (id === lost) continue;
    const masked = await createMaskedInput(parties.get(id)!, state, round, vectorOf(choir, id, round));
    const next = keepAfter(masked);
    members.set(id, next.state);
    collecting = keep(accepted(receiveMaskedInput(primitives, collecting, next.message)));
  }
  const inputs = ready(closeMaskedInputs(collecting));
  let checking = keep(inputs.state);
  for (const id of inputs.survivors) {
    const next = keepAfter(handleSurvivors(parties.get(id)!, members.get(id)!, 0, inputs.survivors));
    members.set(id, next.state);
    checking = keep(accepted(receiveConsistency(primitives, checking, next.message)));
  }
  const checks = ready(closeConsistency(checking));
  let unmasking = keep(checks.state);
  for (const [id, received] of checks.checksFor) {
    for (const check of received) send(check);
    const next = keepAfter(handleConsistency(parties.get(id)!, members.get(id)!, 0, received));
    members.set(id, next.state);
    unmasking = keep(accepted(receiveUnmasking(primitives, unmasking, next.message)));
  }
  keep(abandonSlot(members.get(lost)!, 0).state);
  const outcome = await unmask(primitives, inlineMaskWork(primitives), unmasking);
  if (outcome.kind !== 'unmasked') throw new Error(outcome.reason);
  return { sent, sum: [...outcome.sum], expected: sumOf(choir, inputs.survivors, round), block, members };
}

const GRAPHS: [string, ChoirOptions][] = [
  ['complete', { n: 5, slots: 1 }],
  ['harary', { n: 8, minSurvivors: 7, slots: 1, graph: 'harary' }],
];

const live = await playKeeping({ n: 5, slots: 1 }, idAt(2), inMemory);

describe('states written down and read back', () => {
  it.each(GRAPHS)(
    'hazard S19: at every step of a whole block and round, %s graph: byte-equal messages, the same sum',
    async (_graph, options) => {
      const seen = new Set<string>();
      const kept = await playKeeping(options, idAt(2), inMemory);
      const written = await playKeeping(options, idAt(2), onDisk(seen));
      expect(written.sent).toEqual(kept.sent);
      expect(written.sum).toEqual(kept.sum);
      expect(kept.sum).toEqual(kept.expected);
      // Every state that there is was written and read.
      expect([...seen].sort()).toEqual(
        [
          'member advertised',
          'member shared',
          'member ready fresh',
          'member ready masked',
          'member ready signed',
          'member ready answered',
          'member ready burnt',
          'coordinator advertising',
          'coordinator sharing',
          'coordinator ready',
          'coordinator collecting',
          'coordinator checking',
          'coordinator unmasking',
        ].sort(),
      );
    },
  );

  it('are the same bytes with either implementation of the primitives', () => {
    const { block } = live;
    const encoded = encodeState(noblePrimitives, block);
    expect(bytesToHex(encoded)).toBe(bytesToHex(encodeState(nodePrimitives, block)));
    expect(decodeState<BlockState>(noblePrimitives, encoded, ['ready'])).toEqual(block);
  });
});

describe('UnreadableState', () => {
  const member = live.members.get(idAt(0))!;
  const encoded = encodeState(nodePrimitives, member);
  const read = (bytes: Uint8Array) => () => decodeState<MemberState>(nodePrimitives, bytes, ['ready']);
  const text = new TextDecoder().decode(encoded);

  it('is not thrown for the state as it was written', () => {
    expect(read(encoded)()).toEqual(member);
  });

  it('a state torn anywhere', () => {
    expect(read(new Uint8Array(0))).toThrow(UnreadableState);
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), (length) => {
        expect(read(encoded.subarray(0, length))).toThrow(UnreadableState);
        // As a file system tears it: the length is right, the end is zeros.
        const zeros = encoded.slice();
        zeros.fill(0, length);
        expect(read(zeros)).toThrow(UnreadableState);
      }),
    );
    for (const lost of [1, 2, 3]) expect(read(encoded.subarray(0, -lost))).toThrow(UnreadableState);
  });

  it('a state altered anywhere', () => {
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        expect(read(encoded.with(at, encoded[at]! ^ change))).toThrow(UnreadableState);
      }),
    );
    const head = text.indexOf('\n') + 1;
    for (let at = 0; at < head; at++)
      expect(read(encoded.with(at, encoded[at]! ^ 1)), `byte ${at}`).toThrow(UnreadableState);
  });

  it('bytes before or behind it', () => {
    for (const extra of [[0], [0x20], [0x0a], [0xef, 0xbb, 0xbf]]) {
      expect(read(Uint8Array.of(...extra, ...encoded)), `${extra} before`).toThrow(UnreadableState);
      expect(read(Uint8Array.of(...encoded, ...extra)), `${extra} behind`).toThrow(UnreadableState);
    }
  });

  it('another version, or no state at all', () => {
    expect(text).toMatch(/^chorale secagg state 2 /);
    for (const other of ['chorale secagg state 1 ', 'chorale secagg state 3 ', 'chorale secagg evidence 2 '])
      expect(read(utf8ToBytes(text.replace('chorale secagg state 2 ', other)))).toThrow(UnreadableState);
    for (const other of ['', '\n', '{}', 'null', text.slice(text.indexOf('\n') + 1)])
      expect(read(utf8ToBytes(other))).toThrow(UnreadableState);
  });

  it('a state of another kind than the caller can go on from', () => {
    const kinds = (wanted: readonly MemberState['kind'][]) => () =>
      decodeState<MemberState>(nodePrimitives, encoded, wanted);
    expect(kinds(['advertised', 'shared'])).toThrow(UnreadableState);
    expect(kinds([])).toThrow(UnreadableState);
    expect(kinds(['shared', 'ready'])()).toEqual(member);
    const asRound = () =>
      decodeState<RoundState>(nodePrimitives, encoded, ['collecting', 'checking', 'unmasking']);
    expect(asRound).toThrow(UnreadableState);
  });
});
