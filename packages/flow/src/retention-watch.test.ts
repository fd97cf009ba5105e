import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { createRetentionWatch, type KeptLog, type Retention, type Waiting } from './retention-watch.ts';

const { signal } = new AbortController();
const EVERY_MS = 30_000;
const HOUR_S = 3_600;
const NONE: Retention = { ms: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

interface Partition {
  readonly doneTo: number;
  /** How old each record is, oldest first, s. */
  readonly agesS: readonly number[];
  readonly recordBytes?: number;
}

/** What is said of partitions whose records are of these ages. */
async function lookAt(retention: Retention | Error, ...partitions: Partition[]) {
  const clock = new FakeClock();
  const nowMs = Number(clock.wallNs() / 1_000_000n);
  let asked = 0;
  const log: KeptLog = {
    retention: async () => {
      if (retention instanceof Error) throw retention;
      return retention;
    },
    offsetAt: async (_topic, partition, timeMs) => {
      asked++;
      const { agesS } = partitions[partition]!;
      const found = agesS.findIndex((age) => nowMs - age * 1_000 >= timeMs);
      return found < 0 ? agesS.length : found;
    },
  };
  const said: Waiting[] = [];
  const faults: unknown[] = [];
  const workers = new Map(
    partitions.map(({ doneTo, agesS, recordBytes = 1 }, at) => [
      at,
      { progress: { doneTo, endOffset: agesS.length, recordBytes } },
    ]),
  );
  const watch = createRetentionWatch(
    {
      log,
      topic: 'weir.rows.v1',
      partitions: { workers },
      clock,
      everyMs: EVERY_MS,
      onFault: (error) => faults.push(error),
    },
    (waiting) => said.push(waiting),
  );
  await watch.start(signal);
  await clock.advance(0);
  await watch.stop(signal);
  return { waiting: said[0], asked, faults };
}

test('the oldest record that waits is told within 5 %, of the worst partition', async () => {
  const ms = 72 * HOUR_S * 1_000;
  const { waiting, asked } = await lookAt(
    { ...NONE, ms },
    { doneTo: 1, agesS: [70 * HOUR_S, 36 * HOUR_S, 1] },
    { doneTo: 0, agesS: [60] },
  );
  expect(waiting!.oldestSeconds).toBeLessThanOrEqual(36 * HOUR_S);
  expect(waiting!.oldestSeconds).toBeGreaterThan((36 * HOUR_S) / 1.06);
  expect(waiting!.retentionUsed).toBeCloseTo(waiting!.oldestSeconds / (72 * HOUR_S));
  expect(asked).toBeLessThan(40);
});

test('what is done, or has just come, uses nothing, and costs at most one look-up', async () => {
  const ms = 72 * HOUR_S * 1_000;
  expect(await lookAt({ ...NONE, ms }, { doneTo: 2, agesS: [99_999, 99_999] })).toMatchObject({
    waiting: { oldestSeconds: 0, retentionUsed: 0 },
    asked: 0,
  });
  expect(await lookAt({ ...NONE, ms }, { doneTo: 1, agesS: [99_999, 5] })).toMatchObject({
    waiting: { oldestSeconds: 0, retentionUsed: 0 },
    asked: 1,
  });
});

test('a topic that is kept by bytes is used by what waits; one that is kept for ever is not used', async () => {
  const partition = { doneTo: 0, agesS: [3, 2, 1], recordBytes: 100 };
  expect((await lookAt({ ...NONE, bytes: 400 }, partition)).waiting?.retentionUsed).toBe(0.75);
  const forEver = await lookAt(NONE, { doneTo: 0, agesS: [400 * 24 * HOUR_S] });
  expect(forEver.waiting?.retentionUsed).toBe(0);
  expect(forEver.waiting?.oldestSeconds).toBeGreaterThan(50 * 24 * HOUR_S);
});

test('a retention that cannot be read is a fault, and nothing is said', async () => {
  const error = new Error('not allowed');
  expect(await lookAt(error, { doneTo: 0, agesS: [99] })).toMatchObject({ waiting: undefined, faults: [error] });
});
