import { createClient } from 'graphql-sse';
import { signRequest } from '../../src/crypto/httpSignature.js';
import type { Rng } from '../../src/crypto/rng.js';
import type { BudgetStatement } from '../../src/federation/ports.js';
import type { Phase, Task } from '../../src/federation/service.js';
import { ParticipantError } from './errors.js';
import type { Identity } from './home.js';
import type { AnnouncedRun } from './policy.js';
import type { PublicSource } from './session.js';
import { readTask, TASKS, type WireTask } from './wireTask.js';

/** The coordinator over HTTP, every request signed with the identity key (RFC 9421). */
export interface CoordinatorClient extends PublicSource {
  enroll(input: {
    readonly federation: string;
    readonly name: string;
    readonly declaredRecords: number;
    readonly proof: string;
  }): Promise<void>;
  /** Undefined while this key is not enrolled. */
  me(): Promise<{ readonly participantId: string; readonly status: string } | undefined>;
  charter(digest?: string): Promise<AnnouncedCharter | undefined>;
  signCharter(digest: string, signature: string): Promise<void>;
  /** Ends when the coordinator goes; throws Unreachable when it can't be reached. */
  tasks(signal: AbortSignal): AsyncIterable<Task>;
  answer(task: Task, body: Uint8Array): Promise<void>;
  decline(task: Task, reason: string, budget?: BudgetStatement): Promise<void>;
}

export interface AnnouncedCharter {
  readonly digest: string;
  readonly body: string;
  readonly status: string;
  readonly signedBy: readonly string[];
}

const FAILURE = '... on Failure { code message }';

export interface ClientPorts {
  readonly url: string;
  readonly identity: Identity;
  readonly rng: Rng;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export function createCoordinatorClient({ url, identity, rng, now }: ClientPorts): CoordinatorClient {
  const base = url.replace(/\/+$/, '');
  const graphqlUrl = `${base}/graphql`;
  /** The server's clock minus ours, learnt when it refuses a signature as stale: a wrong clock here decides nothing. */
  let skewMs = 0;

  function sign(method: string, target: string, body?: Uint8Array): Record<string, string> {
    const created = Math.floor((now() + skewMs) / 1000);
    const nonce = Buffer.from(rng(18)).toString('base64url');
    return signRequest({ method, url: target, body }, identity.seed, { created, nonce });
  }

  async function send(
    method: string,
    target: string,
    body?: Uint8Array,
    headers: Record<string, string> = {},
    again = true,
  ): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(target, {
        method,
        headers: { ...headers, ...sign(method, target, body) },
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      });
    } catch (cause) {
      throw new ParticipantError('Unreachable', `The coordinator at ${base} does not answer.`, { cause });
    }
    if (response.status === 401 && again) {
      const date = Date.parse(response.headers.get('date') ?? '');
      const skew = date - now();
      if (Number.isFinite(skew) && Math.abs(skew - skewMs) > 5_000) {
        skewMs = skew;
        await response.body?.cancel();
        return send(method, target, body, headers, false);
      }
    }
    return response;
  }

  async function ask<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const body = Buffer.from(JSON.stringify({ query, variables }));
    const response = await send('POST', graphqlUrl, body, { 'content-type': 'application/json' });
    const answer = (await response.json().catch(() => undefined)) as
      | {
          data?: Record<string, T & { code?: string; message?: string; __typename?: string }> | null;
          errors?: { message: string }[];
          detail?: string;
        }
      | undefined;
    const problem =
      answer?.errors?.[0]?.message ??
      (answer?.data == null ? (answer?.detail ?? `status ${response.status}`) : undefined);
    if (problem !== undefined) {
      if (response.status >= 500 && answer?.errors === undefined)
        throw new ParticipantError('Unreachable', `The coordinator at ${base} is not well: ${problem}.`);
      throw new ParticipantError('Refused', `The coordinator refused: ${problem}`);
    }
    const value = Object.values(answer!.data!)[0]!;
    if (value?.__typename?.endsWith('Failure') === true && value.code !== undefined)
      throw new ParticipantError('Refused', `${value.code}: ${value.message}`);
    return value;
  }

  return {
    async enroll(input) {
      await ask(
        `mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) { __typename ${FAILURE} } }`,
        {
          input: {
            ...input,
            publicKey: identity.publicKey,
            idempotencyKey: `enroll-${identity.publicKey}-${input.proof.slice(0, 16)}`,
          },
        },
      );
    },

    async me() {
      try {
        return await ask('{ me { participantId status } }');
      } catch (error) {
        if (error instanceof ParticipantError && error.code === 'Refused') return undefined;
        throw error;
      }
    },

    async charter(digest) {
      const found = await ask<{
        digest: string;
        body: string;
        status: string;
        signatures: { participantId: string }[];
      } | null>(
        'query ($digest: String) { charter(digest: $digest) { digest body status signatures { participantId } } }',
        { digest: digest ?? null },
      );
      if (found === null) return undefined;
      const { signatures, ...rest } = found;
      return { ...rest, signedBy: signatures.map((s) => s.participantId) };
    },

    async signCharter(digest, signature) {
      await ask(
        `mutation ($input: SignCharterInput!) { signCharter(input: $input) { __typename ${FAILURE} } }`,
        {
          input: { digest, signature, idempotencyKey: `sign-${digest}` },
        },
      );
    },

    async run(runId): Promise<AnnouncedRun> {
      const run = await ask<{
        runId: string;
        synthesizer: string;
        options: unknown;
        planDigest: string;
        order: number | null;
        charter: { digest: string };
      } | null>(
        'query ($id: String!) { run(id: $id) { runId synthesizer options planDigest order charter { digest } } }',
        { id: runId },
      );
      if (run === null) throw new ParticipantError('Refused', `There is no run ${runId}.`);
      return {
        id: run.runId,
        synthesizer: run.synthesizer,
        options: run.options,
        planDigest: run.planDigest,
        order: run.order,
        charterDigest: run.charter.digest,
      };
    },

    async models(wanted) {
      const response = await send('GET', `${base}/models/${wanted.map(({ digest }) => digest).join('+')}`);
      if (!response.ok)
        throw new ParticipantError(
          'Refused',
          `The round's models are not there (status ${response.status}).`,
        );
      const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
      if (Number(response.headers.get('content-length') ?? total) !== total)
        throw new ParticipantError('QueryRefused', 'The models have another size than the query says.');
      const body = new Uint8Array(await response.arrayBuffer());
      let offset = 0;
      return wanted.map(({ bytes }) => body.slice(offset, (offset += bytes)));
    },

    async *tasks(signal) {
      const client = createClient({
        url: graphqlUrl,
        // This room reconnects by itself, so that it can say so.
        retryAttempts: 0,
        fetchFn: (target: string, init: RequestInit) => {
          const body = typeof init.body === 'string' ? Buffer.from(init.body) : undefined;
          return fetch(target, {
            ...init,
            headers: {
              ...(init.headers as Record<string, string>),
              ...sign(init.method ?? 'GET', target, body),
            },
          });
        },
      });
      const events = client.iterate<{ tasks: WireTask }>({ query: TASKS });
      const stop = () => void events.return?.();
      signal.addEventListener('abort', stop, { once: true });
      try {
        for await (const { data, errors } of events) {
          if (errors !== undefined) throw new ParticipantError('Refused', errors[0]!.message);
          if (data != null) yield readTask(data.tasks);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ParticipantError) throw error;
        throw new ParticipantError('Unreachable', `The connection to the coordinator at ${base} was lost.`, {
          cause: error,
        });
      } finally {
        signal.removeEventListener('abort', stop);
        client.dispose();
      }
    },

    async answer(task, body) {
      if (task.kind === 'receive-shares') throw new TypeError('receive-shares wants no answer');
      const { path } = task.upload;
      if (!path.startsWith('/uploads/'))
        throw new ParticipantError('QueryRefused', 'The upload ticket points somewhere else.');
      const response = await send('PUT', `${base}${path}`, body, {
        'content-type': 'application/octet-stream',
      });
      if (response.ok) return;
      const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
      throw new ParticipantError(
        response.status >= 500 ? 'Unreachable' : 'Refused',
        `${problem.code ?? response.status}: ${problem.detail ?? ''}`,
      );
    },

    async decline(task, reason, budget) {
      await ask(
        `mutation ($input: DeclineTaskInput!) { declineTask(input: $input) { __typename ${FAILURE} } }`,
        {
          input: { ...addressOf(task), reason, ...(budget && { budget }) },
        },
      );
    },
  };
}

/** GraphQL names of the phases. */
const PHASE_NAMES: Readonly<Record<Phase, string>> = {
  'advertise-keys': 'ADVERTISE_KEYS',
  'share-keys': 'SHARE_KEYS',
  'masked-input': 'MASKED_INPUT',
  'consistency-check': 'CONSISTENCY_CHECK',
  unmasking: 'UNMASKING',
};

function addressOf(task: Task) {
  if (task.kind === 'receive-shares') throw new TypeError('receive-shares wants no answer');
  return { blockId: task.blockId, slot: 'slot' in task ? task.slot : -1, phase: PHASE_NAMES[task.kind] };
}
