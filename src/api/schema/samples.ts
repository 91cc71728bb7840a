import type { Json } from '../../crypto/canonical.js';
import { FederationError } from '../../federation/errors.js';
import type { Row } from '../../synthesis/synthesizer.js';
import { builder } from '../builder.js';
import { SAMPLE_PAGE_ROWS, SAMPLE_ROWS } from '../limits.js';
import { query } from '../query.js';
import { assertSeed, decodeCursor, encodeCursor, type SampleOrder, tableSchemaOf } from '../samples.js';
import { conditionArgs, conditionsFrom } from './conditions.js';

interface Page {
  readonly rows: readonly Row[];
  readonly schema: Json;
  readonly order: SampleOrder;
  readonly offset: number;
}

const SyntheticSamples = builder.objectRef<Page>('SyntheticSamples').implement({
  description: 'Rows that never were. Drawing them costs no privacy.',
  fields: (t) => ({
    rows: t.expose('rows', {
      type: ['JSON'],
      description: 'Objects by column name, values by the Table Schema; null is a missing value.',
    }),
    schema: t.expose('schema', { type: 'JSON', description: 'Table Schema (Data Package v2).' }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      resolve: ({ rows, order, offset }) => ({
        startCursor: encodeCursor(order, offset),
        endCursor: encodeCursor(order, offset + rows.length),
        hasPreviousPage: offset > 0,
        hasNextPage: offset + rows.length < SAMPLE_ROWS,
      }),
    }),
  }),
});

query('syntheticSamples', {
  description: `Rows of a released run: row i depends on (release, seed, where, balance, i) alone, so pages fit together and repeat. At most ${SAMPLE_PAGE_ROWS} rows a page, ${SAMPLE_ROWS} a seed; for whole files there is GET /samples/<run>.csv?rows=&seed=&where=&balance=, and for the release itself GET /releases/<releaseDigest>.`,
  scopes: { application: true },
  success: SyntheticSamples,
  successName: 'SyntheticSamples',
  args: builder.args((t) => ({
    run: t.string({ required: true, description: '`runId`.' }),
    first: t.int({ required: true, defaultValue: 100 }),
    after: t.string({ description: 'The last page’s endCursor, with all else the same.' }),
    seed: t.string({ required: true, defaultValue: '0', description: 'Any text; another seed, other rows.' }),
    ...conditionArgs,
  })),
  async resolve({ run, first, after, seed, ...conditions }, { prisma, service }) {
    assertSeed(seed);
    if (first < 1 || first > SAMPLE_PAGE_ROWS)
      throw new FederationError('InvalidInput', `first must be from 1 to ${SAMPLE_PAGE_ROWS}.`, {
        limit: SAMPLE_PAGE_ROWS,
      });
    const asked = conditionsFrom(conditions);
    const order = { run, seed, ...asked };
    const offset = typeof after === 'string' ? decodeCursor(after, order) : 0;
    const count = Math.min(first, SAMPLE_ROWS - offset);
    const schema = await tableSchemaOf(prisma, run);
    const rows: Row[] = [];
    for await (const row of await service.samples.rows(run, { seed, offset, count, ...asked }))
      rows.push(row);
    return { rows, schema, order, offset };
  },
});
