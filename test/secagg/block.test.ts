import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { inlineMaskWork } from '../../src/crypto/maskWork.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { systemRng } from '../../src/crypto/rng.js';
import { assertBlockConfig, assertCovered, type BlockConfig, blockDigest } from '../../src/secagg/block.js';
import { createAdvert, createBlock, MAX_COMPLETE_MEMBERS, MAX_MEMBERS } from '../../src/secagg/index.js';
import { charter, digestOf, expectRefusal, idAt, seedOf } from './choir.js';

const { config, floors, seeds } = charter({ n: 5 });
const member = { id: idAt(0), seed: seeds.get(idAt(0))! };
const masks = inlineMaskWork(nodePrimitives);
const create = (changed: Partial<BlockConfig>, own = floors, identity = member) =>
  createAdvert({ identity, primitives: nodePrimitives, masks }, { ...config, ...changed }, own, systemRng());

const crowd = (n: number): BlockConfig['members'] =>
  Array.from({ length: n }, (_, i) => ({ id: String(i).padStart(5, '0'), publicKey: digestOf(`${i}`) }));

describe('the configuration by itself', () => {
  it('a good one passes', () => {
    assertBlockConfig(config);
    assertCovered(config, floors);
  });

  const swapped = [config.members[1]!, config.members[0]!, ...config.members.slice(2)];
  const wrong: [string, Partial<Record<keyof BlockConfig, unknown>>][] = [
    ['the protocol version before this one', { protocolVersion: 1 }],
    ['no federation', { federation: '' }],
    ['a block id of 65 characters', { block: 'b'.repeat(65) }],
    ['a lone surrogate in an id', { block: 'b\ud800' }],
    ['an upper-case digest', { charterDigest: digestOf('x').toUpperCase() }],
    ['no slots', { slots: 0 }],
    ['65 slots', { slots: 65 }],
    ['half a slot', { slots: 1.5 }],
    ['no colluder', { maxColluders: 0 }],
    ['survivors not above colluders + 1', { maxColluders: 2 }],
    ['members out of order', { members: swapped }],
    ['a member twice', { members: [config.members[0], ...config.members] }],
    ['one key for two members', { members: [...config.members, { ...config.members[0]!, id: 'z' }] }],
    ['a malformed key', { members: [...config.members, { id: 'z', publicKey: 'ff' }] }],
    ['NaN survivors', { minSurvivors: Number.NaN }],
    ['an unknown graph', { graph: 'star' }],
    ['no graph', { graph: undefined }],
    ['513 members on the complete graph', { members: crowd(MAX_COMPLETE_MEMBERS + 1) }],
    ['1025 members on a Harary graph', { graph: 'harary', members: crowd(MAX_MEMBERS + 1) }],
  ];
  it.each(wrong)('refuses %s', (_name, changed) => {
    expectRefusal('InvalidConfig', () => create(changed as Partial<BlockConfig>));
    expectRefusal('InvalidConfig', () =>
      createBlock(nodePrimitives, { ...config, ...changed } as BlockConfig),
    );
  });

  it('takes 512 members on the complete graph and 1024 on a Harary graph', () => {
    assertBlockConfig({ ...config, members: crowd(MAX_COMPLETE_MEMBERS) });
    assertBlockConfig({ ...config, graph: 'harary', members: crowd(MAX_COMPLETE_MEMBERS + 1) });
    assertBlockConfig({ ...config, graph: 'harary', members: crowd(MAX_MEMBERS) });
  });

  it('hazard S25: two members are refused, whatever the floors say', () => {
    const two = { ...floors, minSurvivors: 2 };
    expectRefusal('InvalidConfig', () => create({ minSurvivors: 2 }, two));
    expectRefusal('CohortTooSmall', () => create({ members: config.members.slice(0, 2) }));
  });
});

describe('the configuration against the member’s own charter', () => {
  it('hazard S6: a lower floor, another charter or federation is refused; a stricter floor is not', () => {
    expectRefusal('FederationMismatch', () => create({ federation: 'other' }));
    expectRefusal('CharterMismatch', () => create({ charterDigest: digestOf('other') }));
    expectRefusal('SurvivorFloorLowered', () => create({}, { ...floors, minSurvivors: 4 }));
    expectRefusal('ColluderFloorLowered', () => create({ minSurvivors: 4 }, { ...floors, maxColluders: 2 }));
    expectRefusal('CohortTooSmall', () => create({ minSurvivors: 4, members: config.members.slice(0, 3) }));
    expect(create({ minSurvivors: 5, maxColluders: 2 }).state.kind).toBe('advertised');
  });

  it('hazard S7: a member that is not in the charter is refused, so a cohort can’t be filled up', () => {
    const sybil = { id: 'zz', publicKey: digestOf('sybil') };
    expectRefusal('UnknownMember', () => create({ members: [...config.members, sybil] }));
  });

  it('hazard S1: another identity key of a known member is refused', () => {
    const members = config.members.map((m) => (m.id === idAt(2) ? { ...m, publicKey: digestOf('mine') } : m));
    expectRefusal('KeyMismatch', () => create({ members }));
  });

  it('a member that was not invited, or that holds another key, says so', () => {
    expectRefusal('NotInvited', () => create({ members: config.members.slice(1) }));
    expectRefusal('KeyMismatch', () => create({}, floors, { id: idAt(0), seed: seedOf('other') }));
  });

  it('hazard S2: every field of the configuration is in the digest that adverts are signed over', () => {
    const changes: { readonly [Field in keyof BlockConfig]: readonly Partial<BlockConfig>[] } = {
      protocolVersion: [{ protocolVersion: 1 as unknown as 2 }],
      federation: [{ federation: 'f2' }],
      charterDigest: [{ charterDigest: digestOf('2') }],
      block: [{ block: 'b2' }],
      slots: [{ slots: 3 }],
      minSurvivors: [{ minSurvivors: 4 }],
      maxColluders: [{ maxColluders: 2 }],
      graph: [{ graph: 'harary' }],
      members: [
        { members: config.members.slice(1) },
        { members: config.members.map((m, i) => (i ? m : { ...m, id: 'a' })) },
        { members: config.members.map((m, i) => (i ? m : { ...m, publicKey: digestOf('key') })) },
      ],
    };
    const variants = [{}, ...Object.values(changes).flat()].map((change) => ({ ...config, ...change }));
    const digests = variants.map((variant) => bytesToHex(blockDigest(nodePrimitives, variant)));
    expect(new Set(digests).size).toBe(variants.length);
  });
});
