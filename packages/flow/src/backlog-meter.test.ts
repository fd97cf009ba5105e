import { decodeFlowReport, encodeFlowReport } from '@weir/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BacklogMeter, backlogReport, type PartitionBacklog } from './backlog-meter.ts';

const MIB = 1024 ** 2;
const BOUNDS = { bytesMax: 1024 * MIB, secondsMax: 60 };
const at = (doneTo: number, endOffset: number, partition = 0): [number, PartitionBacklog] => [
  partition,
  { doneTo, endOffset, recordBytes: MIB },
];
/** Ten records come and ten are done a second, with ten that wait. */
const steady = (meter: BacklogMeter, seconds: number) => {
  for (let n = 0; n <= seconds; n++) meter.look([at(10 * n, 10 + 10 * n)], n * 1_000);
};

test('the backlog in seconds is what waits over the rate at which it is done', () => {
  const meter = new BacklogMeter(BOUNDS);
  for (let second = 0; second < 2; second++) {
    // One look may fall between two steps: it is no rate yet.
    expect(meter.look([at(10 * second, 100 + 10 * second)], second * 1_000).seconds).toBe(null);
  }
  expect(meter.look([at(20, 120)], 2_000)).toEqual({
    bytes: 100 * MIB,
    seconds: expect.closeTo(10),
    fill: expect.closeTo(10 / 60),
    drainBytesPerSecond: expect.closeTo(10 * MIB),
    inflowBytesPerSecond: expect.closeTo(10 * MIB),
    stalled: false,
  });
});

test('an idle pipe has no rate, and is not full', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look([at(7, 7)], 0);
  expect(meter.look([at(7, 7)], 1_000)).toMatchObject({ bytes: 0, seconds: null, fill: 0, drainBytesPerSecond: null });
});

test('partitions that come, go or are not known yet are neither drain nor inflow', () => {
  const meter = new BacklogMeter(BOUNDS);
  const second = (n: number) => at(900 + n, 1_000 + 2 * n, 1);
  meter.look([at(0, 0), second(0)], 0);
  for (let n = 1; n <= 4; n++) meter.look([at(500, 600), second(n)], n * 1_000);
  const { drainBytesPerSecond, inflowBytesPerSecond } = meter.look([at(500, 600), second(5)], 5_000);
  expect([drainBytesPerSecond, inflowBytesPerSecond]).toEqual([MIB, 2 * MIB]);
  // A worker that is begun anew has its place later.
  expect(meter.look([at(500, 600), at(0, 0, 1)], 6_000).inflowBytesPerSecond).toBeLessThan(2 * MIB);
});

test('while what comes behind fails, the rate from before stays, and the backlog in seconds grows with what comes', () => {
  const meter = new BacklogMeter(BOUNDS);
  steady(meter, 5);
  for (let second = 6; second <= 15; second++) meter.look([at(50, 10 + 10 * second)], second * 1_000, () => true);
  expect(meter.look([at(50, 170)], 16_000, () => true)).toMatchObject({
    seconds: expect.closeTo(12),
    drainBytesPerSecond: expect.closeTo(10 * MIB),
  });
});

test('a hang that turns out to be a failure has said nothing about the rate', () => {
  const meter = new BacklogMeter(BOUNDS);
  steady(meter, 5);
  for (let second = 6; second <= 34; second++) meter.look([at(50, 60)], second * 1_000);
  expect(meter.look([at(50, 60)], 35_000).seconds).toBeGreaterThan(60);
  expect(meter.look([at(50, 60)], 36_000, () => true)).toMatchObject({
    seconds: expect.closeTo(1),
    drainBytesPerSecond: expect.closeTo(10 * MIB),
  });
});

test('one partition that fails counts in bytes, and in seconds only while no other does anything', () => {
  const meter = new BacklogMeter(BOUNDS);
  const fails = (partition: number) => partition === 0;
  let second = 0;
  const look = (done: number, end: number) =>
    meter.look([at(5, 105), at(done, end, 1), at(7, 7, 2)], second++ * 1_000, fails);
  for (; second <= 10; ) look(second, 2 + second);
  expect(look(11, 13)).toMatchObject({ bytes: 102 * MIB, seconds: 2, drainBytesPerSecond: MIB });
  // With nothing to do that one says nothing any more.
  for (; second <= 40; ) look(13, 13);
  const { bytes, seconds, drainBytesPerSecond } = look(13, 13);
  expect([bytes, seconds]).toEqual([100 * MIB, (100 * MIB) / drainBytesPerSecond!]);
  expect(drainBytesPerSecond).toBeGreaterThanOrEqual(MIB);
});

test('where it hangs without a failure, every report for two hours can be read and soon says that it is full', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look([at(0, 100)], 0);
  meter.look([at(50, 150)], 1_000);
  for (let second = 2; second <= 7_200; second++) {
    const report = backlogReport(meter.look([at(50, 150)], second * 1_000));
    const breaker = { state: 'closed', forMs: 0, waitMs: 0 } as const;
    const self = { reporter: 'a', track: 'v1', role: 'sink', breaker, leaving: false, atMs: 0 } as const;
    const read = decodeFlowReport(encodeFlowReport({ ...self, ...report }));
    if (second > 60) expect(read.ok && read.value.fill).toBeGreaterThanOrEqual(1);
  }
});

test('whoever does in steps what has come is never said to be seconds behind, wherever the looks fall', () => {
  const perSecond = fc.integer({ min: 600, max: 5_000 });
  const step = {
    everyMs: fc.integer({ min: 500, max: 2_000 }),
    takesMs: fc.array(fc.integer({ min: 50, max: 1_000 }), { minLength: 1 }),
  };
  fc.assert(
    fc.property(perSecond, fc.record(step), (records, { everyMs, takesMs }) => {
      const meter = new BacklogMeter(BOUNDS);
      const came = (ms: number) => Math.floor((records * ms) / 1_000);
      let [beganMs, done, steps] = [0, 0, 0];
      for (let nowMs = 0; nowMs <= 300_000; nowMs += 1_000) {
        for (;;) {
          const endsMs = beganMs + takesMs[steps % takesMs.length]!;
          if (endsMs > nowMs) break;
          done = came(beganMs);
          beganMs = Math.max(beganMs + everyMs, endsMs);
          steps++;
        }
        const { seconds } = meter.look([[0, { doneTo: done, endOffset: came(nowMs) + 1, recordBytes: 1_024 }]], nowMs);
        // What waits is what came during a step and the pause before it; a mean over 5 s may be off by half.
        expect(seconds ?? 0).toBeLessThan(8);
      }
    }),
    { numRuns: 200 },
  );
});
