import type { RunRecord } from '../../federation/ports.js';
import { builder, READERS } from '../builder.js';
import { whileIn } from '../subscription.js';
import { RunStatusEnum } from './enums.js';

const RunProgress = builder.objectRef<RunRecord>('RunProgress').implement({
  description: 'Where a run is. Each event stands for itself: one that was missed is not missed.',
  fields: (t) => ({
    cursor: t.string({ description: 'To resume: `after`.', resolve: cursorOf }),
    runId: t.exposeString('id'),
    status: t.expose('status', { type: RunStatusEnum }),
    step: t.exposeInt('step'),
    totalSteps: t.exposeInt('totalSteps'),
    progress: t.expose('progress', { type: 'JSON', description: 'Public figures of the synthesizer.' }),
    reason: t.exposeString('reason', { nullable: true }),
  }),
});

builder.subscriptionField('runProgress', (t) =>
  t.field({
    description: 'The run now, then whenever it moved on; ends when it is finished.',
    authScopes: { ...READERS, application: true },
    type: RunProgress,
    args: {
      run: t.arg.string({ required: true, description: '`runId`.' }),
      after: t.arg.string({ description: 'The last cursor that was seen: that event is not sent again.' }),
    },
    subscribe: (_root, { run, after }, context) =>
      whileIn(context, undefined, async function* (signal) {
        for await (const record of context.service.runs.watch(run, signal)) {
          if (cursorOf(record) !== after) yield record;
        }
      }),
    resolve: (record: RunRecord) => record,
  }),
);

function cursorOf({ step, status }: RunRecord): string {
  return `${step}.${status}`;
}
