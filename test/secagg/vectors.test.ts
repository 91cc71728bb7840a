import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noblePrimitives.js';
import { nodePrimitives } from '../../src/crypto/nodePrimitives.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { hararyPlan } from '../../src/secagg/cohortPlan.js';
import { vectorText } from './vectorForm.js';
import { PLANS, vectorInputs } from './vectorScenarios.js';
import { run } from './vectors.js';

/** WRITE_VECTORS=1 writes the files anew instead of comparing them. */
const writing = process.env.WRITE_VECTORS === '1';
const folder = new URL('../vectors/secagg/', import.meta.url);
const fileOf = (name: string): URL => new URL(`${name}.json`, folder);

function same(name: string, text: string): void {
  if (writing) writeFileSync(fileOf(name), text);
  // Not expect(text).toBe(…): a diff of a whole vector helps nobody.
  const known = readFileSync(fileOf(name), 'utf8').split('\n');
  const off = text.split('\n').findIndex((line, i) => line !== known[i]);
  expect(off, `${name}.json, line ${off + 1}: ${known[off]}`).toBe(-1);
  expect(text.length).toBe(known.join('\n').length);
}

/** A signature is verified by many members: once a message, lest three hundred members verify ninety thousand. */
function verifyingOnce(primitives: Primitives): Primitives {
  const verdicts = new Map<string, boolean>();
  return {
    ...primitives,
    ed25519Verify(publicKey, message, signature) {
      const key = [publicKey, message, signature]
        .map((bytes) => Buffer.from(bytes).toString('base64'))
        .join();
      let verdict = verdicts.get(key);
      if (verdict === undefined)
        verdicts.set(key, (verdict = primitives.ed25519Verify(publicKey, message, signature)));
      return verdict;
    },
  };
}

describe('the test vectors of the protocol', () => {
  // noble takes a minute for three hundred members, and does nothing with them that it does not do with sixty-six.
  for (const inputs of vectorInputs)
    for (const primitives of inputs.config.members.length > 100
      ? [nodePrimitives]
      : [nodePrimitives, noblePrimitives])
      it(`${inputs.name}: the same bytes again, with ${primitives.name}`, async () => {
        same(inputs.name, vectorText(await run(inputs, verifyingOnce(primitives))));
      }, 120_000);

  it('the plans of Harary graphs', () => {
    const rows = PLANS.map(([members, maxColluders, dropouts]) => {
      const plan = hararyPlan({ members, maxColluders, dropouts });
      return [
        members,
        maxColluders,
        dropouts,
        plan === undefined ? null : [plan.shareholders, plan.threshold, plan.cutFloor],
      ];
    });
    same('plans', vectorText({ format: 1, name: 'plans', plans: rows }));
  });

  it('has no file that nobody makes', () => {
    const names = ['plans', ...vectorInputs.map(({ name }) => name)].map((name) => `${name}.json`);
    expect(readdirSync(folder).sort()).toEqual(names.sort());
  });
});
