import type { Log } from '@weir/delivery';
import { decodeFlowReport, type FlowReport } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { createBacklogReporter } from './backlog-reporter.ts';
import { Breaker } from './breaker.ts';

const MIB = 1024 ** 2;
const { signal } = new AbortController();

test('edges hear of a breaker while nothing works; one partition that fails beside others shows in the gauge', async () => {
  const clock = new FakeClock();
  const breaker = new Breaker(clock);
  const told: FlowReport[] = [];
  const open: number[] = [];
  const log: Pick<Log, 'append' | 'bounds'> = {
    append: async (_topic, _partition, records) => {
      const decoded = decodeFlowReport(records[0]!.value);
      if (decoded.ok) told.push(decoded.value);
      return 0;
    },
    bounds: async () => ({ start: 0, end: 100 }),
  };
  const progress = { doneTo: 1, endOffset: 100, recordBytes: MIB, endSeenMs: 0 };
  const moving = { ...progress };
  const silent = { set: () => undefined };
  const reporter = createBacklogReporter({
    log: log as Log,
    topic: 'weir.rows.v1',
    self: { reporter: 'ab', track: 'v1', role: 'sink' },
    bounds: { bytesMax: 1024 * MIB, secondsMax: 60 },
    partitions: {
      workers: new Map([progress, moving].map((each, at) => [at, { progress: each, sawEnd: () => undefined }])),
    },
    breaker,
    gauges: {
      backlogBytes: silent,
      backlogSeconds: silent,
      fill: silent,
      breakerOpen: { set: (value) => open.push(value) },
    },
    clock,
    onFault: () => undefined,
  });
  await reporter.start(signal);
  await clock.advance(1_000);
  breaker.failed(0, 60_000);
  for (let second = 0; second < 3; second++) {
    moving.doneTo++;
    await clock.advance(1_000);
  }
  expect([told.at(-1)?.breaker.state, open.at(-1)]).toEqual(['closed', 1]);
  await clock.advance(12_000);
  expect([told.at(-1)?.breaker.state, open.at(-1)]).toEqual(['open', 1]);
  await reporter.stop(signal);
});
