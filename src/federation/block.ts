import { bytesToHex } from '@noble/hashes/utils.js';
import type { Json } from '../crypto/canonical.js';
import { type BlockConfig, memberIds, PROTOCOL_VERSION } from '../secagg/block.js';
import { graphKindFor } from '../secagg/graph.js';
import { advertBytes, shareKeysBytes } from '../secagg/messages.js';
import { SecaggRefusal } from '../secagg/refusal.js';
import {
  closeAdverts,
  closeShares,
  createBlock,
  receiveAdvert,
  receiveShares,
  shareBundle,
} from '../secagg/server/block.js';
import type { AdvertisingBlock, ReadyBlock, SharingBlock } from '../secagg/server/state.js';
import type { RunFrame } from './driver.js';
import { FederationError } from './errors.js';
import { receiver, replay } from './messages.js';
import type { BlockRecord, Store } from './ports.js';
import { PHASES, type Phase } from './service.js';

/** A block of key slots that is set up: the messages are in the store, this is their fold. */
export interface LiveBlock {
  readonly record: BlockRecord;
  readonly state: ReadyBlock;
  /** Who has answered so far: whoever was lost in one round is left out of the next, and rejoins at the next block. */
  active: readonly string[];
  nextSlot: number;
}

/** Set-up messages belong to no slot. */
export const SETUP_SLOT = -1;

/** Between two tries at a set-up. */
const SETUP_PAUSE_MS = 500;

/**
 * Gathers whoever is connected and sets up a block of fresh keys. Throws QuorumNotReached if fewer than the charter's
 * floor could be gathered in time.
 */
export async function setUpBlock(frame: RunFrame): Promise<LiveBlock> {
  const { charter, ports, signal } = frame;
  const giveUpAt = ports.clock.now() + ports.timing.quorumWaitMs;
  for (;;) {
    const invited = await gather(frame, giveUpAt);
    const block = await trySetUp(frame, invited);
    if (block !== undefined) return block;
    signal.throwIfAborted();
    // Members that refuse do so at once: without a pause they would be asked again in a tight loop.
    await ports.clock.sleep(SETUP_PAUSE_MS, signal);
    signal.throwIfAborted();
    if (ports.clock.now() > giveUpAt)
      throw new FederationError(
        'QuorumNotReached',
        `No key set-up succeeded with at least ${charter.cohort.minSurvivors} members.`,
      );
  }
}

async function gather(
  { charter, ports, signal, run, accused }: RunFrame,
  giveUpAt: number,
): Promise<readonly string[]> {
  const { desk, clock, timing, store } = ports;
  const { minSurvivors } = charter.cohort;
  let announced = false;
  for (;;) {
    const revoked = new Set(
      (await store.transaction((tx) => tx.participants()))
        .filter((p) => p.status !== 'approved')
        .map((p) => p.id),
    );
    const eligible = charter.members.map((m) => m.id).filter((id) => !revoked.has(id) && !accused.has(id));
    const present = eligible.filter((id) => desk.isPresent(id));
    const now = clock.now();
    // Whoever has been gone for long is not waited for again at every block.
    const absent = eligible.filter((id) => !desk.isPresent(id));
    const everyoneBy = Math.max(...absent.map((id) => desk.lastSeenMs(id))) + timing.gatherMs;
    if (present.length === eligible.length && present.length >= minSurvivors) return present;
    if (present.length >= minSurvivors && now >= everyoneBy) return present;
    if (now >= giveUpAt || eligible.length < minSurvivors)
      throw new FederationError(
        'QuorumNotReached',
        `${present.length} of ${charter.members.length} members are connected; the charter wants at least ${minSurvivors} in every sum. ` +
          'No further ε was spent; what was learnt so far is kept.',
        { present: present.length, needed: minSurvivors },
      );
    if (present.length < minSurvivors && !announced) {
      announced = true;
      ports.log('waiting for members', { run: run.id, present: present.length, needed: minSurvivors });
    }
    const woken = new AbortController();
    const unsubscribe = desk.onPresence(() => woken.abort());
    const until = present.length >= minSurvivors ? everyoneBy : giveUpAt;
    await clock.sleep(Math.max(1, until - now), AbortSignal.any([woken.signal, signal]));
    unsubscribe();
    signal.throwIfAborted();
  }
}

async function trySetUp(frame: RunFrame, invited: readonly string[]): Promise<LiveBlock | undefined> {
  const { charter, ports, run, signal } = frame;
  const { store, desk, timing, rng, primitives } = ports;
  const config: BlockConfig = {
    protocolVersion: PROTOCOL_VERSION,
    federation: charter.federation,
    charterDigest: run.charterDigest,
    block: bytesToHex(rng(8)),
    slots: timing.slotsPerBlock,
    members: charter.members
      .filter((m) => invited.includes(m.id))
      .map(({ id, publicKey }) => ({ id, publicKey })),
    ...charter.cohort,
    graph: graphKindFor(invited.length),
  };
  const record = await store.transaction((tx) =>
    tx.insertBlock({
      id: config.block,
      runId: run.id,
      phase: 'advertise-keys',
      config: config as unknown as Json,
      slots: config.slots,
      nextSlot: 0,
    }),
  );
  const abandon = async (reason: string) => {
    signal.throwIfAborted();
    await forgetBlock(store, record.id);
    ports.log('block abandoned', { run: run.id, block: record.id, reason });
    return undefined;
  };
  const waits = {
    deadlineMs: timing.phaseDeadlineMs,
    graceMs: timing.reconnectGraceMs,
  };

  const advertising = receiver<AdvertisingBlock>(
    ports,
    { blockId: record.id, slot: SETUP_SLOT, phase: 'advertise-keys' },
    createBlock(primitives, config),
    (state, body) => receiveAdvert(primitives, state, body),
  );
  await desk.collect(
    {
      ...waits,
      blockId: record.id,
      slot: SETUP_SLOT,
      phase: 'advertise-keys',
      maxBytes: advertBytes(config.slots),
      from: invited,
      task: (_, upload) => ({
        kind: 'advertise-keys',
        blockId: record.id,
        runId: run.id,
        config: config as unknown as Json,
        upload,
      }),
      receive: advertising.receive,
    },
    signal,
  );
  signal.throwIfAborted();
  const advertised = closeAdvertsOrSay(frame, advertising.state);
  if (typeof advertised === 'string') return abandon(advertised);
  if (advertised.kind === 'aborted') return abandon(advertised.reason);
  await store.transaction((tx) => tx.updateBlock(record.id, { phase: 'share-keys' }));

  const sharing = receiver<SharingBlock>(
    ports,
    { blockId: record.id, slot: SETUP_SLOT, phase: 'share-keys' },
    advertised.state,
    (state, body) => receiveShares(primitives, state, body),
  );
  await desk.collect(
    {
      ...waits,
      blockId: record.id,
      slot: SETUP_SLOT,
      phase: 'share-keys',
      maxBytes: shareKeysBytes(config.slots, advertised.state.graph.shareholders),
      from: memberIds(config, advertised.state.graph.order).sort(),
      task: (_, upload) => ({ kind: 'share-keys', blockId: record.id, adverts: advertised.adverts, upload }),
      receive: sharing.receive,
    },
    signal,
  );
  signal.throwIfAborted();
  const shared = closeShares(primitives, sharing.state);
  if (shared.kind === 'aborted') return abandon(shared.reason);
  await store.transaction((tx) => tx.updateBlock(record.id, { phase: 'ready' }));
  return readyBlock(frame, { ...record, phase: 'ready' }, shared);
}

/** With those who came no graph may hold that holds with all: another try, not a bug. */
function closeAdvertsOrSay({ ports }: RunFrame, state: AdvertisingBlock) {
  try {
    return closeAdverts(ports.primitives, state);
  } catch (error) {
    if (error instanceof SecaggRefusal) return error.message;
    throw error;
  }
}

/** The run's open block as its messages say, or none: a set-up that a restart interrupted is begun anew. */
export async function restoreBlock(frame: RunFrame): Promise<LiveBlock | undefined> {
  const { ports } = frame;
  const { store, primitives } = ports;
  const record = await store.transaction((tx) => tx.openBlock(frame.run.id));
  if (record === null) return undefined;
  if (record.phase !== 'ready') {
    await forgetBlock(store, record.id);
    return undefined;
  }
  const messages = await store.transaction((tx) => tx.messages(record.id, SETUP_SLOT));
  const of = (phase: Phase) => messages.filter((message) => PHASES[message.phase] === phase);
  const config = record.config as unknown as BlockConfig;
  const at = { blockId: record.id, slot: SETUP_SLOT };
  const advertising = receiver<AdvertisingBlock>(
    ports,
    { ...at, phase: 'advertise-keys' },
    createBlock(primitives, config),
    (state, body) => receiveAdvert(primitives, state, body),
  );
  replay(advertising, of('advertise-keys'));
  const advertised = closeAdverts(primitives, advertising.state);
  if (advertised.kind === 'aborted')
    throw new Error(`block ${record.id} was ready, but its adverts do not fold: ${advertised.reason}`);
  const sharing = receiver<SharingBlock>(
    ports,
    { ...at, phase: 'share-keys' },
    advertised.state,
    (state, body) => receiveShares(primitives, state, body),
  );
  replay(sharing, of('share-keys'));
  const shared = closeShares(primitives, sharing.state);
  if (shared.kind === 'aborted')
    throw new Error(`block ${record.id} was ready, but its shares do not fold: ${shared.reason}`);
  const block = readyBlock(frame, record, shared);
  const rounds = (await store.transaction((tx) => tx.rounds(frame.run.id))).filter(
    (r) => r.blockId === record.id,
  );
  const latest = rounds.findLast((r) => r.survivors !== null);
  if (latest !== undefined) block.active = latest.survivors!;
  return block;
}

function readyBlock(
  { ports }: RunFrame,
  record: BlockRecord,
  shared: Extract<ReturnType<typeof closeShares>, { kind: 'ready' }>,
): LiveBlock {
  for (const member of shared.members)
    ports.desk.post(member, `${record.id}/shares`, {
      kind: 'receive-shares',
      blockId: record.id,
      bundle: shareBundle(ports.primitives, shared.state, member),
    });
  return {
    record,
    state: shared.state,
    active: shared.members,
    nextSlot: record.nextSlot,
  };
}

/** Its keys are never used again; its messages may go. */
export async function closeBlock(
  { ports }: Pick<RunFrame, 'ports'>,
  block: Pick<LiveBlock, 'record'>,
): Promise<void> {
  ports.desk.withdraw(`${block.record.id}/shares`);
  await forgetBlock(ports.store, block.record.id);
}

async function forgetBlock(store: Store, blockId: string): Promise<void> {
  await store.transaction(async (tx) => {
    await tx.updateBlock(blockId, { phase: 'closed' });
    await tx.deleteMessages(blockId);
  });
}
