import type { CoordinatorClient } from '../../../clients/participant/coordinatorClient.js';
import type { Task } from '../../federation/service.js';

/** Bytes of protocol messages and models: bodies, without what HTTP adds. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** The same client, and how many bytes have gone through it. */
export function counted(client: CoordinatorClient): {
  readonly client: CoordinatorClient;
  readonly traffic: Traffic;
} {
  const traffic = { sent: 0, received: 0 };
  return {
    traffic,
    client: {
      ...client,

      async models(wanted) {
        const models = await client.models(wanted);
        for (const { length } of models) traffic.received += length;
        return models;
      },

      async *tasks(signal) {
        for await (const task of client.tasks(signal)) {
          traffic.received += bytesOf(task);
          yield task;
        }
      },

      async answer(task, body) {
        await client.answer(task, body);
        traffic.sent += body.length;
      },
    },
  };
}

/** The messages of other participants that a task carries. */
function bytesOf(task: Task): number {
  switch (task.kind) {
    case 'share-keys':
      return task.adverts.reduce((sum, advert) => sum + advert.length, 0);
    case 'receive-shares':
      return task.bundle.length;
    case 'unmasking':
      return task.checks.reduce((sum, check) => sum + check.length, 0);
    default:
      return 0;
  }
}
