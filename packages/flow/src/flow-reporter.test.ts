import type { Log } from '@weir/delivery';
import { CONTROL_TOPICS, decodeFlowReport, type FlowReport } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { createFlowReporter } from './flow-reporter.ts';

const { signal } = new AbortController();
const LOOK = {
  reporter: 'ab',
  track: 'v1',
  role: 'normalizer',
  fill: 0.5,
  backlogBytes: 1,
  backlogSeconds: null,
  drainBytesPerSecond: null,
  inflowBytesPerSecond: 2,
  breaker: { state: 'closed', forMs: 0, waitMs: 0 },
} as const;

function setUp() {
  const clock = new FakeClock();
  const told: FlowReport[] = [];
  const faults: unknown[] = [];
  const state = { fails: false, hangs: false };
  const append: Log['append'] = async (topic, _partition, records, stop) => {
    expect(topic).toBe(CONTROL_TOPICS.flow);
    if (state.fails) throw new Error('down');
    if (state.hangs) await clock.sleep(1e9, stop);
    for (const { value } of records) {
      const decoded = decodeFlowReport(value);
      if (decoded.ok) told.push(decoded.value);
    }
    return 0;
  };
  const reporter = createFlowReporter(
    { append } as Log,
    clock,
    (error) => faults.push(error),
    () => LOOK,
  );
  return { clock, told, faults, state, reporter };
}

test('reports every second, and says goodbye once when it stops', async () => {
  const { clock, told, reporter } = setUp();
  await reporter.start(signal);
  await clock.advance(3_500);
  expect(told.map(({ leaving }) => leaving)).toEqual([false, false, false]);
  expect(told[0]).toMatchObject(LOOK);
  await reporter.stop(signal);
  await reporter.stop(signal);
  expect(told.map(({ leaving }) => leaving)).toEqual([false, false, false, true]);
});

test('a report that cannot be sent is told of and not sent later, and the next one is', async () => {
  const { clock, told, faults, state, reporter } = setUp();
  await reporter.start(signal);
  state.fails = true;
  await clock.advance(2_000);
  state.fails = false;
  await clock.advance(1_000);
  expect([faults.length, told.length]).toEqual([2, 1]);
  await reporter.stop(signal);
});

test('Kafka that does not answer holds up no stop, and one that never started says nothing', async () => {
  const { clock, told, state, reporter } = setUp();
  await reporter.stop(signal);
  await reporter.start(signal);
  state.hangs = true;
  await clock.advance(1_500);
  const stopped = reporter.stop(signal);
  await clock.advance(1_000);
  await stopped;
  expect(told).toEqual([]);
});
