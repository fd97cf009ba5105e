import { decodeFlowReport, encodeFlowReport } from '@weir/records';
import { expect, test } from 'vitest';
import { BacklogMeter } from './backlog.ts';

const MIB = 1024 ** 2;
const BOUNDS = { bytesMax: 1024 * MIB, secondsMax: 60 };
const waiting = (records: number) => [{ storedTo: 0, endOffset: records, recordBytes: MIB }];

test('the backlog in seconds is what waits over the rate at which it was stored', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look(waiting(100), 0);
  meter.stored(10 * MIB);
  expect(meter.look(waiting(100), 1_000)).toEqual({ bytes: 100 * MIB, seconds: 10, fill: 10 / 60 });
});

test('an idle pipe has no rate, and is not full', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look(waiting(0), 0);
  expect(meter.look(waiting(0), 1_000)).toEqual({ bytes: 0, seconds: null, fill: 0 });
});

test('in an outage of two hours every report can be read, and says that it is full', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look(waiting(100), 0);
  meter.stored(50 * MIB);
  for (let second = 1; second <= 7_200; second++) {
    const { bytes, seconds, fill } = meter.look(waiting(100), second * 1_000);
    const self = { reporter: 'a', track: 'v1', healthy: false, atMs: 0 };
    const read = decodeFlowReport(encodeFlowReport({ ...self, backlogBytes: bytes, backlogSeconds: seconds, fill }));
    if (second > 60) expect(read.ok && read.value.fill).toBeGreaterThanOrEqual(1);
  }
});
