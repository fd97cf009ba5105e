import { decodeFlowReport, encodeFlowReport } from '@weir/records';
import { expect, test } from 'vitest';
import { BacklogMeter, backlogReport, type PartitionBacklog } from './backlog-meter.ts';

const MIB = 1024 ** 2;
const BOUNDS = { bytesMax: 1024 * MIB, secondsMax: 60 };
const at = (doneTo: number, endOffset: number, partition = 0): [number, PartitionBacklog] => [
  partition,
  { doneTo, endOffset, recordBytes: MIB },
];

test('the backlog in seconds is what waits over the rate at which it is done', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look([at(0, 100)], 0);
  expect(meter.look([at(10, 110)], 1_000)).toEqual({
    bytes: 100 * MIB,
    seconds: 10,
    fill: 10 / 60,
    drainBytesPerSecond: 10 * MIB,
    inflowBytesPerSecond: 10 * MIB,
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
  meter.look([at(0, 0), at(900, 1_000, 1)], 0);
  const { drainBytesPerSecond, inflowBytesPerSecond } = meter.look([at(500, 600), at(901, 1_002, 1)], 1_000);
  expect([drainBytesPerSecond, inflowBytesPerSecond]).toEqual([MIB, 2 * MIB]);
  // A worker that is begun anew has its place later.
  expect(meter.look([at(500, 600), at(0, 0, 1)], 2_000).inflowBytesPerSecond).toBeLessThan(2 * MIB);
});

test('while what comes behind fails, the rate from before stays, and the backlog in seconds grows with what comes', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look([at(0, 10)], 0);
  meter.look([at(10, 20)], 1_000);
  for (let second = 2; second <= 11; second++) meter.look([at(10, 10 + 10 * second)], second * 1_000, () => true);
  expect(meter.look([at(10, 130)], 12_000, () => true)).toMatchObject({ seconds: 12, drainBytesPerSecond: 10 * MIB });
});

test('a hang that turns out to be a failure has said nothing about the rate', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look([at(0, 10)], 0);
  meter.look([at(10, 20)], 1_000);
  for (let second = 2; second <= 30; second++) meter.look([at(10, 20)], second * 1_000);
  expect(meter.look([at(10, 20)], 31_000).seconds).toBeGreaterThan(60);
  expect(meter.look([at(10, 20)], 32_000, () => true)).toMatchObject({ seconds: 1, drainBytesPerSecond: 10 * MIB });
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
