import type { LogRecord } from '@weir/delivery';
import { FAIR_FILL } from '@weir/flow';
import { CONTROL_TOPICS, decodeRawMeta, encodeFlowReport, trackTopics } from '@weir/records';
import { effectiveTenant, ShardMap } from '@weir/tenancy';
import { SimulatedLog, VirtualTime } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Pacer } from '../pacer.ts';
import { PipeRoom } from './pipe-room.ts';
import type { RawCopy } from './raw-copy.ts';
import { RedriveJournal } from './redrive-journal.ts';
import { Sender } from './sender.ts';

const NEVER = new AbortController().signal;
const PARTITIONS = 8;
const tenants = new Map(
  ['acme', 'globex', 'initech'].map((name) => [name, effectiveTenant(name, { keys: [] }, undefined)]),
);

function copyOf(tenant: string, at: number, items = 2): RawCopy {
  const meta = { tenant, signal: 'logs', encoding: 'identity', priority: false, items, bytes: 10 } as const;
  const record = { meta: { ...meta, receivedAtNs: 60_000_000_000n }, value: Buffer.from(`${tenant} ${at}`) };
  return { key: `weir.raw.v1/0/${tenant}/${at}`, reason: 'too_many_attributes', record };
}

function setUp(time: VirtualTime, log: SimulatedLog, rate = Number.POSITIVE_INFINITY) {
  const room = new PipeRoom(log, time);
  const journal = new RedriveJournal(log, time);
  const fills: number[] = [];
  const sender = new Sender({
    log,
    clock: time,
    journal,
    rowsRedriver: { send: async () => 'stored' },
    tenantOf: (name) => tenants.get(name),
    partitionsOf: async () => PARTITIONS,
    pacer: new Pacer(rate, time),
    room,
    onFull: (fill) => fills.push(fill),
    onSent: () => undefined,
  });
  return { sender, room, fills };
}

async function simulate(body: (time: VirtualTime, log: SimulatedLog) => Promise<void>): Promise<void> {
  const time = new VirtualTime(1);
  const log = new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 });
  let isOver = false;
  const running = body(time, log).finally(() => {
    isOver = true;
  });
  for (let atMs = 1_000; !isOver; atMs += 1_000) await time.run(atMs);
  await running;
}

function exportsIn(log: SimulatedLog, track: string): { partition: number; tenant: string; record: LogRecord }[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => partition).flatMap((partition) =>
    log.records(trackTopics(track).raw, partition).flatMap((record) => {
      const meta = decodeRawMeta(record.meta);
      return meta.ok ? [{ partition, tenant: meta.value.tenant, record }] : [];
    }),
  );
}

test('letters go to partitions of their tenant, those that an edge sends its exports to, on the track that they are for', async () => {
  await simulate(async (time, log) => {
    const { sender, room } = setUp(time, log);
    await room.start(NEVER);
    for (let at = 0; at < 900; at++) {
      const tenant = [...tenants.keys()][at % 3]!;
      await sender.raw(at % 2 === 0 ? 'v1' : 'v2', copyOf(tenant, at), NEVER);
    }
    await sender.flush(NEVER);
    await room.stop();
    expect(sender.sent).toEqual({ letters: 900, items: 1_800, refused: 0, unknown: 0 });
    for (const track of ['v1', 'v2']) {
      const found = exportsIn(log, track);
      expect(found).toHaveLength(450);
      const shards = new ShardMap(PARTITIONS);
      for (const { partition, tenant } of found) {
        const { order, own } = shards.of(tenant, undefined);
        expect(order.slice(0, own)).toContain(partition);
      }
    }
  });
});

test('nothing is sent while a sink or normalizer of the track is full, and all once there is room', async () => {
  await simulate(async (time, log) => {
    const breaker = { state: 'closed', forMs: 0, waitMs: 0 } as const;
    const rates = {
      backlogBytes: 0,
      backlogSeconds: null,
      drainBytesPerSecond: null,
      inflowBytesPerSecond: 0,
    } as const;
    const report = async (fill: number, track = 'v1') => {
      const value = encodeFlowReport({
        ...{ reporter: `${track.slice(1)}`.padStart(16, '0'), track, role: 'sink', fill, leaving: false, atMs: 0 },
        ...rates,
        breaker,
      });
      await log.append(CONTROL_TOPICS.flow, 0, [{ key: null, value, meta: null }]);
    };
    const { sender, room, fills } = setUp(time, log);
    await room.start(NEVER);
    await time.sleep(2_000);
    await report(FAIR_FILL.from);
    await report(1, 'v2');
    await time.sleep(1_000);
    await sender.raw('v1', copyOf('acme', 1), NEVER);
    const sending = sender.flush(NEVER);
    for (let second = 0; second < 15; second++) {
      await time.sleep(1_000);
      await report(FAIR_FILL.leftBelow);
    }
    expect(exportsIn(log, 'v1')).toEqual([]);
    expect(fills).toEqual([FAIR_FILL.from]);
    await report(FAIR_FILL.leftBelow - 0.01);
    await sending;
    expect(exportsIn(log, 'v1')).toHaveLength(1);
    // Who has fallen silent keeps nobody waiting.
    await sender.raw('v2', copyOf('acme', 2), NEVER);
    await sender.flush(NEVER);
    expect(exportsIn(log, 'v2')).toHaveLength(1);
    await room.stop();
  });
});

test('the rate holds for what is sent', async () => {
  await simulate(async (time, log) => {
    const { sender, room } = setUp(time, log, 100);
    await room.start(NEVER);
    const startedMs = time.nowMs();
    for (let at = 0; at < 401; at++) await sender.raw('v1', copyOf('acme', at, 5), NEVER);
    await sender.flush(NEVER);
    await room.stop();
    // 2,000 items of two chunks before the last one.
    expect(time.nowMs() - startedMs).toBeGreaterThanOrEqual(20_000);
    expect(time.nowMs() - startedMs).toBeLessThan(25_000);
  });
});
