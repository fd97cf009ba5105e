import type { BlocksInsert } from '@weir/clickhouse';
import type { LogRecord } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import { encodeNote, encodeRawMeta, rawPosition } from '@weir/records';
import { effectiveTenant } from '@weir/tenancy';
import { encodeExport, FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Pacer } from '../pacer.ts';
import type { DoneBatch } from './journal.ts';
import type { ReplayFilter, ReplayPlan } from './plan.ts';
import { type DeadPart, digestOf } from './replay-dead.ts';
import { Replayer } from './replayer.ts';

const NEVER = new AbortController().signal;
const [A, B] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
const RAW = 'weir.raw.v1';

function body(lines: number): Buffer {
  const logRecords = Array.from({ length: lines }, (_, at) => ({ timeUnixNano: BigInt(at + 1) }));
  return Buffer.from(encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
}

function raw(
  offset: number,
  edge: string,
  seq: number,
  { tenant = 'acme', items = 2, value = body(items) } = {},
): LogRecord {
  const about = { signal: 'logs', encoding: 'identity', priority: false } as const;
  const receivedAtNs = 1_795_237_200_000_000_000n;
  const meta = encodeRawMeta({ ...about, tenant, items, bytes: value.length, receivedAtNs, edge, seq });
  return { offset, timestampMs: offset, key: null, value, meta };
}

function note(offset: number, edge: string, seq: number): LogRecord {
  return { offset, timestampMs: offset, key: null, ...encodeNote({ edge, seq, settled: [], doubtful: [] }) };
}

/** A replay of the records from `first` on, into recorded inserts that fail as they are told to. */
function setUp(records: readonly LogRecord[], first: number, filter: ReplayFilter = { tenants: [], signals: [] }) {
  const inserts: BlocksInsert[] = [];
  const done: DoneBatch[] = [];
  const dead: DeadPart[] = [];
  const failures: DependencyError[] = [];
  const last = records.at(-1)!.offset;
  const counts = { records: 0, items: 0, bytes: 0, others: 0, itemsByTenant: {} };
  const plan: ReplayPlan = {
    id: 'x',
    track: 'v1',
    filter,
    partitions: [{ partition: 0, first, last, firstAt: '', lastAt: '', ...counts }],
    tables: ['otel_logs'],
    days: ['2026-11-21', '2026-11-21'],
  };
  const clock = new FakeClock();
  const replayer = new Replayer(plan, {
    log: {
      bounds: async (topic) => ({ start: 0, end: topic === RAW ? last + 1 : 0 }),
      read: async (topic, _, offset) => {
        const page = topic === RAW ? records.filter((record) => record.offset >= offset).slice(0, 3) : [];
        return { records: page, nextOffset: (page.at(-1)?.offset ?? offset) + 1, startOffset: 0, endOffset: last + 1 };
      },
    },
    clickhouse: {
      insertBlocks: async (insert) => {
        inserts.push(insert);
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
      },
    },
    dead: { put: async (parts) => void dead.push(...parts) },
    journal: { batch: async (_, batch) => void done.push(batch) },
    tenantOf: (name) => (name === 'gone' ? undefined : effectiveTenant(name, { keys: [] }, undefined)),
    pacer: new Pacer(Number.POSITIVE_INFINITY, clock),
    clock,
    onBatch: () => undefined,
  });
  return { replayer, inserts, done, dead, failures, clock };
}

test('what the live path dropped as repeated is dropped, by what came before the window, too', async () => {
  const records = [
    raw(0, A, 0),
    raw(1, B, 5),
    raw(2, A, 0),
    raw(3, A, 1),
    raw(4, B, 5),
    note(5, A, 2),
    raw(6, A, 2),
    raw(7, A, 3),
  ];
  const { replayer, inserts, done } = setUp(records, 2);
  await replayer.run([], NEVER);
  // Offsets 3 and 7: 2 and 4 repeat what came before the window, and the note of 5 has the number of 6.
  expect(done).toMatchObject([{ partition: 0, first: 2, last: 7, tally: { rows: { otel_logs: 4 }, repeated: 3 } }]);
  expect(inserts).toMatchObject([{ table: 'otel_logs', into: 'shadow_x_otel_logs', token: 'x:otel_logs:0:2-7' }]);
});

test('the books get nothing, whom nobody knows is counted, and others are passed over but leave their marks', async () => {
  const records = [raw(0, A, 0, { tenant: 'gone' }), raw(1, A, 1, { tenant: 'other' }), raw(2, A, 1), raw(3, A, 2)];
  const { replayer, inserts, done, dead } = setUp(records, 0, { tenants: ['acme', 'gone'], signals: [] });
  await replayer.run([], NEVER);
  expect(done[0]!.tally).toEqual({ rows: { otel_logs: 2 }, dead: { unknown_tenant: 2 }, repeated: 1 });
  const digest = digestOf(body(2));
  expect(dead).toEqual([{ position: rawPosition('v1', 0, 0), nth: 0, reason: 'unknown_tenant', items: 2, digest }]);
  expect(inserts.map(({ table }) => table)).toEqual(['otel_logs']);
});

test('a batch is repeated under its token, byte for byte, by whoever goes on behind the last that is done', async () => {
  const large = { items: 60_000, value: body(60_000) };
  const records = [raw(0, A, 0, large), raw(1, A, 1, large), raw(2, A, 2, large), raw(3, A, 2, large), raw(4, A, 3)];
  const whole = setUp(records, 0);
  await whole.replayer.run([], NEVER);
  expect(whole.done.map(({ first, last }) => [first, last])).toEqual([
    [0, 1],
    [2, 3],
    [4, 4],
  ]);
  const resumed = setUp(records, 0);
  await resumed.replayer.run(whole.done.slice(0, 1), NEVER);
  expect(resumed.done).toEqual(whole.done.slice(1));
  const sent = (inserts: readonly BlocksInsert[]) =>
    inserts.map(({ token, frames }) => [token, Buffer.concat(frames).toString('base64')]);
  expect(sent(resumed.inserts)).toEqual(sent(whole.inserts).slice(1));
});

test('an insert that passes is tried again under its token; one that is refused ends the replay', async () => {
  const { replayer, inserts, done, failures, clock } = setUp([raw(0, A, 0)], 0);
  failures.push(new DependencyError('clickhouse', 'unavailable', 'down', { retryable: true }));
  const running = replayer.run([], NEVER);
  while (done.length === 0) await clock.advance(1_000);
  await running;
  expect(inserts.map(({ token }) => token)).toEqual(['x:otel_logs:0:0-0', 'x:otel_logs:0:0-0']);
  failures.push(new DependencyError('clickhouse', 'rejected', 'no', { retryable: false }));
  await expect(replayer.run([], NEVER)).rejects.toThrow('no');
});
