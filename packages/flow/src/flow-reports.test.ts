import type { FlowReport } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { FLOW_FRESH_MS, FLOW_REPORTERS_MAX, FlowReports } from './flow-reports.ts';

const report = (reporter: string, fill: number, more: Partial<FlowReport> = {}): FlowReport => ({
  reporter,
  track: 'v1',
  role: 'sink',
  fill,
  backlogBytes: 0,
  backlogSeconds: null,
  drainBytesPerSecond: null,
  inflowBytesPerSecond: 0,
  breaker: { state: 'closed', forMs: 0, waitMs: 0 },
  leaving: false,
  atMs: 0,
  ...more,
});

test('the fullest fresh report of a track counts, until it is stale by our clock or its reporter leaves', async () => {
  const clock = new FakeClock();
  const reports = new FlowReports(clock);
  expect(reports.fullest('v1')).toEqual({ report: undefined, holdsUntilMs: Number.POSITIVE_INFINITY });
  const startMs = clock.nowMs();
  reports.take(report('a', 0.9));
  await clock.advance(1_000);
  reports.take(report('b', 0.4, { role: 'normalizer' }));
  reports.take(report('c', 1, { track: 'v2' }));
  expect(reports.fullest('v1')).toMatchObject({ report: { reporter: 'a' }, holdsUntilMs: startMs + FLOW_FRESH_MS });
  expect([reports.count('v1', 'sink'), reports.count('v1', 'normalizer')]).toEqual([1, 1]);
  await clock.advance(FLOW_FRESH_MS - 1_000);
  expect([reports.count('v1', 'sink'), reports.count('v1', 'normalizer')]).toEqual([0, 1]);
  expect(reports.fullest('v1').report).toMatchObject({ reporter: 'b' });
  reports.take(report('b', 0.4, { leaving: true }));
  expect(reports.fullest('v1').report).toBe(undefined);
  expect(reports.fullest('v2').report).toMatchObject({ reporter: 'c' });
});

test('no more reporters are kept than the bound, and those that are known go on', () => {
  const reports = new FlowReports(new FakeClock());
  for (let n = 0; n < FLOW_REPORTERS_MAX; n++) reports.take(report(String(n), 0.1));
  reports.take(report('one too many', 1));
  expect(reports.fullest('v1').report?.fill).toBe(0.1);
  reports.take(report('7', 0.8));
  expect(reports.fullest('v1').report?.fill).toBe(0.8);
});
