import type { CoordinatorClient } from '../../../clients/participant/coordinatorClient.js';
import { ParticipantError } from '../../../clients/participant/errors.js';
import { FederationError } from '../../federation/errors.js';
import { type CoordinatorService, PHASES, type Phase, type Task } from '../../federation/service.js';

/**
 * What a participant asks of its coordinator, by direct calls: HTTP, its signatures and its event stream are left out, and nothing
 * else. Tickets, limits and refusals are the coordinator's own; a refusal reaches the participant as it would over HTTP.
 */
export function createInMemoryClient(service: CoordinatorService, publicKey: string): CoordinatorClient {
  let known: string | undefined;

  async function ownId(): Promise<string> {
    known ??= (await service.enrolment.participantByKey(publicKey))?.id;
    if (known === undefined) throw new ParticipantError('Refused', 'NotEnrolled: this key is not enrolled.');
    return known;
  }

  return {
    enroll: (input) => refusing(async () => void (await service.enrolment.enroll({ ...input, publicKey }))),

    async me() {
      const found = await service.enrolment.participantByKey(publicKey);
      return found === null ? undefined : { participantId: found.id, status: found.status.toUpperCase() };
    },

    async charter(digest) {
      const found = await service.enrolment.charter();
      if (found === null || (digest !== undefined && digest !== found.digest)) return undefined;
      return {
        digest: found.digest,
        body: found.body,
        status: found.status.toUpperCase(),
        signedBy: Object.keys(found.signatures),
      };
    },

    signCharter: (digest, signature) =>
      refusing(async () => void (await service.enrolment.signCharter(await ownId(), digest, signature))),

    async run(runId) {
      const run = await service.runs.run(runId);
      if (run === null) throw new ParticipantError('Refused', `There is no run ${runId}.`);
      const { id, charterDigest, synthesizer, options, planDigest } = run;
      const { order } = await service.compliance.budget();
      return { id, charterDigest, synthesizer, options, planDigest, order };
    },

    models: (wanted) =>
      Promise.all(
        wanted.map(async ({ digest }) => {
          const bytes = await service.exchange.model(digest);
          if (bytes === undefined)
            throw new ParticipantError('Refused', 'The round’s models are not there (status 404).');
          return bytes;
        }),
      ),

    async *tasks(signal) {
      yield* service.exchange.tasks(await ownId(), signal);
    },

    answer: (task, body) =>
      refusing(async () => {
        const id = await ownId();
        const { path } = addressed(task).upload;
        const { maxBytes: _, ...address } = service.exchange.upload(id, path);
        await service.exchange.submit(id, address, body);
      }),

    decline: (task, reason, budget) =>
      refusing(async () => service.exchange.decline(await ownId(), addressOf(task), reason, budget)),
  };
}

/** A refusal by the coordinator, as its HTTP client words it. */
async function refusing<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof FederationError)
      throw new ParticipantError('Refused', `${error.code}: ${error.message}`, { cause: error });
    throw error;
  }
}

type Answerable = Exclude<Task, { readonly kind: 'receive-shares' }>;

function addressed(task: Task): Answerable {
  if (task.kind === 'receive-shares') throw new TypeError('receive-shares wants no answer');
  return task;
}

function addressOf(task: Task): { readonly blockId: string; readonly slot: number; readonly phase: Phase } {
  const { blockId, kind } = addressed(task);
  const phase = PHASES.find((name) => name === kind)!;
  return { blockId, slot: 'slot' in task ? task.slot : -1, phase };
}
