import { lexicographicSortSchema, printSchema } from 'graphql';
import { expect, it } from 'vitest';
import { buildSchema } from '../../src/api/schema/index.js';

it('the schema is the one checked in as src/api/schema.graphql (npx vitest run test/api/sdl.test.ts -u renews it)', async () => {
  const sdl = `${printSchema(lexicographicSortSchema(buildSchema()))}\n`;
  await expect(sdl).toMatchFileSnapshot('../../src/api/schema.graphql');
});
