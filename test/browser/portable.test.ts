import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import { type Bundle, bundleForBrowser } from './bundle.js';
import { chromiumPlatform, type Page, withChromium } from './chromium.js';
import { LOST, type Played, playRound, scripts } from './coordinator.js';
import { contribution, createMember, type MemberScript, type ScriptedMember } from './member.js';

const cast = scripts('portable member');

/** What of Node's a bundle needs: nothing, if it is to run in a browser. */
const needsOfNode = ({ modules, imports }: Bundle): string[] =>
  [...modules, ...imports].filter((id) => id.startsWith('node:') || id.includes('nodePrimitives'));

/** A member that lives on the page, as a coordinator meets it. */
async function joinFrom(page: Page, script: MemberScript): Promise<ScriptedMember> {
  await page.evaluate(`chorale.join(${JSON.stringify(script)})`);
  const ask = async (step: keyof ScriptedMember, ...relayed: readonly unknown[]): Promise<string> => {
    const given = relayed.map((one) => JSON.stringify(one)).join(', ');
    return (await page.evaluate(
      `chorale.members.get(${JSON.stringify(script.id)}).${step}(${given})`,
    )) as string;
  };
  return {
    advertiseKeys: () => ask('advertiseKeys'),
    shareKeys: (adverts) => ask('shareKeys', adverts),
    maskedInput: (bundle, round) => ask('maskedInput', bundle, round),
    consistencyCheck: (slot, survivors) => ask('consistencyCheck', slot, survivors),
    unmasking: (slot, checks) => ask('unmasking', slot, checks),
  };
}

describe('the member’s half of secure aggregation runs without Node', () => {
  let bundle: Bundle;
  let inNode: Played;
  beforeAll(async () => {
    bundle = await bundleForBrowser('test/browser/member.ts');
    inNode = await playRound(cast, (script) => createMember(nodePrimitives, script));
  });

  it('its bundle imports nothing: no module of Node’s, no code of the coordinator’s', async ({
    annotate,
  }) => {
    expect(needsOfNode(bundle)).toEqual([]);
    expect(bundle.imports).toEqual([]);
    expect(bundle.modules).toContain('src/secagg/client/round.ts');
    expect(bundle.modules.filter((id) => id.startsWith('src/secagg/server/'))).toEqual([]);
    const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;
    await annotate(
      `the member's bundle: ${kib(bundle.code.length)} minified, ${kib(gzipSync(bundle.code).length)} with gzip`,
    );
  });

  it('control: a file that imports node:crypto is found out', async () => {
    expect(needsOfNode(await bundleForBrowser('src/crypto/nodePrimitives.ts'))).toContain('node:crypto');
  });

  it('with node:crypto, the sum that is opened is that of the survivors’ contributions', () => {
    const { dimension, encoding } = cast[0]!.query;
    const sum = new Uint32Array(dimension);
    for (const script of cast.filter(({ id }) => id !== LOST))
      for (const [i, value] of contribution(script).entries())
        sum[i] = (sum[i]! + value) % 2 ** encoding.modulusBits;
    expect(inNode.sum).toEqual(sum);
    // AdvertiseKeys and ShareKeys of four, the other three messages of the three who stayed.
    expect(inNode.messages).toHaveLength(4 + 4 + 3 + 3 + 3);
  });

  it('@noble gives the same messages, byte for byte; control: other seeds give others', async () => {
    const portable = (script: MemberScript): ScriptedMember => createMember(noblePrimitives, script);
    expect(await playRound(cast, portable)).toEqual(inNode);
    const { messages } = await playRound(scripts('other seeds'), portable);
    expect(messages.filter((message) => inNode.messages.includes(message))).toEqual([]);
  });

  it('members in Chromium send a coordinator in Node the same messages, byte for byte, without network', async ({
    annotate,
    skip,
  }) => {
    skip(
      !chromiumPlatform,
      `no Chromium for ${process.platform} ${process.arch}: it comes for linux x64 only`,
    );
    await withChromium(bundle.code, async (page) => {
      await annotate(`Chromium ${page.version}`);
      expect(await page.evaluate('[typeof process, typeof require, typeof Buffer]')).toEqual(
        Array(3).fill('undefined'),
      );
      const onPage = new Map<string, ScriptedMember>();
      for (const script of cast) onPage.set(script.id, await joinFrom(page, script));
      expect(await playRound(cast, ({ id }) => onPage.get(id)!)).toEqual(inNode);

      // Its own randomness is crypto.getRandomValues, 64 KiB at a time, filled to the last byte.
      const lengths = [0, 16, 65_536, 200_000];
      const fresh = (await page.evaluate(
        `[${lengths.join(', ')}].map((length) => chorale.freshBytes(length))`,
      )) as string[];
      expect(fresh.map((hex) => hex.length / 2)).toEqual(lengths);
      for (const hex of fresh.slice(1)) expect(hex.slice(-32)).not.toMatch(/^0+$/);
      expect(page.requests).toEqual([]);
    });
  });
});
