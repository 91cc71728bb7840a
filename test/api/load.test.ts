import { Agent, request } from 'undici';
import { expect, it } from 'vitest';
import { activeCharter, identityHeaders, openBench, rng } from './fixture.js';

/**
 * What the HTTP side costs a round: CHORALE_LOAD=1 npx vitest run test/api/load.test.ts. Client and server share one
 * process here, so the CPU figure holds both sides' signatures and parsing: an upper bound.
 */
it.skipIf(process.env.CHORALE_LOAD === undefined)(
  '2 mutations, 1 PUT and 1 model a member and round',
  async () => {
    const bench = await openBench((service) => ({
      ...service,
      exchange: {
        ...service.exchange,
        submit: async () => {},
        upload: () => ({ blockId: 'b', slot: 0, phase: 'masked-input', maxBytes: 1 << 20 }),
        model: async () => model,
      },
    }));
    const model = rng(60_000);
    const { members } = await activeCharter(bench);
    const dispatcher = new Agent({ connections: 2, keepAliveTimeout: 60_000 });
    const vector = rng(60_000);
    const query =
      'mutation($input: SubmitMessageInput!) { submitMessage(input: $input) { __typename ... on Failure { code message } } }';
    const input = {
      blockId: 'b',
      slot: 0,
      phase: 'UNMASKING',
      body: Buffer.from(rng(2_000)).toString('base64'),
    };
    const message = Buffer.from(JSON.stringify({ query, variables: { input } }));
    const send = async (
      member: (typeof members)[number],
      method: 'GET' | 'PUT' | 'POST',
      path: string,
      body?: Uint8Array,
    ) => {
      const url = `${bench.server.url}${path}`;
      const signed = identityHeaders(member, body === undefined ? { method, url } : { method, url, body });
      const headers = { ...signed, ...(method === 'POST' ? { 'content-type': 'application/json' } : {}) };
      const response = await request(url, {
        method,
        headers,
        dispatcher,
        ...(body === undefined ? {} : { body }),
      });
      await response.body.arrayBuffer();
      expect(response.statusCode).toBeLessThan(300);
    };
    const round = () =>
      Promise.all(
        members.map(async (member) => {
          await send(member, 'GET', `/models/${'0'.repeat(64)}`);
          await send(member, 'PUT', '/uploads/x', vector);
          await send(member, 'POST', '/graphql', message);
          await send(member, 'POST', '/graphql', message);
        }),
      );
    for (let i = 0; i < 30; i++) await round();
    const cpu = process.cpuUsage();
    const started = performance.now();
    const rounds = 150;
    for (let i = 0; i < rounds; i++) await round();
    const requests = rounds * members.length * 4;
    const { user, system } = process.cpuUsage(cpu);
    console.log(
      JSON.stringify({
        requests,
        cpuMsPerRequestBothSides: (user + system) / 1000 / requests,
        wallMsPerRequest: (performance.now() - started) / requests,
      }),
    );
    await dispatcher.close();
    await bench.close();
  },
);
