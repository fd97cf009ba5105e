import type { Log, LogRecord } from '@weir/delivery';
import { FLOW_FRESH_MS, FLOW_REPORTERS_MAX } from '@weir/flow';
import { DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS, encodeFlowReport, type FlowReport } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { followFlow } from './flow-follower.ts';
import { PipeState } from './pipe-state.ts';

const { signal } = new AbortController();
const REPORTER = '00000000000000aa';
const OTHER = '00000000000000bb';

/** weir.flow as the follower reads it; `down` makes Kafka fail. */
function flowLog(clock: FakeClock) {
  const records: LogRecord[] = [];
  const state = { down: false };
  const answer = <T>(value: T): T => {
    if (state.down) throw new DependencyError('kafka', 'unavailable', 'down', { retryable: true });
    return value;
  };
  const log: Log = {
    bounds: async (topic) => {
      expect(topic).toBe(CONTROL_TOPICS.flow);
      return answer({ start: 0, end: records.length });
    },
    read: async (_topic, _partition, offset, { maxWaitMs }, signal) => {
      if (records.length <= offset) await clock.sleep(maxWaitMs, signal);
      const page = records.slice(offset);
      return answer({ records: page, nextOffset: offset + page.length, startOffset: 0, endOffset: records.length });
    },
    append: () => Promise.reject(new Error('nothing is appended here')),
  };
  const put = (value: Buffer) => {
    records.push({ offset: records.length, timestampMs: 0, key: null, value, meta: null });
  };
  const report = (fill: number, fields: Partial<FlowReport> = {}) =>
    put(
      encodeFlowReport({
        reporter: REPORTER,
        track: 'v1',
        role: 'sink',
        fill,
        backlogBytes: fill * 1_000,
        backlogSeconds: fill * 10,
        drainBytesPerSecond: 100,
        inflowBytesPerSecond: 0,
        breaker: { state: 'closed', forMs: 0, waitMs: 0 },
        leaving: false,
        atMs: 0,
        ...fields,
      }),
    );
  return { log, put, report, state };
}

async function started() {
  const clock = new FakeClock();
  const flow = flowLog(clock);
  flow.report(5);
  const pipe = new PipeState(clock, 'v1');
  const follower = followFlow(flow.log, clock, pipe, () => undefined);
  await follower.start(signal);
  await clock.advance(1);
  return { clock, follower, pipe, ...flow };
}

test('what was reported before the start says nothing', async () => {
  const { clock, follower, pipe } = await started();
  await clock.advance(1_000);
  expect(pipe.current()).toEqual({ fill: 0, reason: 'sink_full', retryAfterS: 1 });
  await follower.stop(signal);
});

test('the fullest counts, sink or normalizer, with the time its backlog needs to be back below where everything is taken', async () => {
  const { clock, follower, pipe, report } = await started();
  report(2);
  report(0.5, { reporter: OTHER, role: 'normalizer' });
  report(9, { track: 'v2', reporter: '00000000000000cc' });
  await clock.advance(600);
  expect(pipe.current()).toEqual({ fill: 2, reason: 'sink_full', retryAfterS: LIMITS.retryAfterSMax });
  report(0.2);
  await clock.advance(600);
  expect(pipe.current()).toEqual({ fill: 0.5, reason: 'normalizer_full', retryAfterS: 1 });
  expect([pipe.reporters('sink'), pipe.reporters('normalizer')]).toEqual([1, 1]);
  await follower.stop(signal);
});

test.each<[string, number, Partial<FlowReport>, number]>([
  ['what comes in meanwhile makes it longer', 1, { backlogBytes: 900, inflowBytesPerSecond: 50 }, 3],
  [
    'a backlog that grows goes down once nothing more is taken',
    1,
    { backlogBytes: 900, drainBytesPerSecond: 200, inflowBytesPerSecond: 500 },
    3,
  ],
  ['a drain that is not known is asked for again soon', 3, { drainBytesPerSecond: null, backlogSeconds: null }, 2],
  ['only the seconds are known, as in version 1', 1.2, { drainBytesPerSecond: null, backlogSeconds: 12 }, 4],
  ['a breaker that is open is tried again first', 1, { breaker: { state: 'open', forMs: 9, waitMs: 4_200 } }, 5],
  ['never longer than the bound', 5, { drainBytesPerSecond: 1 }, LIMITS.retryAfterSMax],
  ['a little over is a little while', 0.95, {}, 1],
])('until there is room: %s', async (_what, fill, fields, seconds) => {
  const { clock, follower, pipe, report } = await started();
  report(fill, fields);
  await clock.advance(600);
  expect(pipe.current().retryAfterS).toBe(seconds);
  await follower.stop(signal);
});

test('who says goodbye is not waited for', async () => {
  const { clock, follower, pipe, report } = await started();
  report(2);
  await clock.advance(600);
  expect(pipe.current().fill).toBe(2);
  report(2, { leaving: true });
  await clock.advance(600);
  expect([pipe.current().fill, pipe.reporters('sink')]).toEqual([0, 0]);
  await follower.stop(signal);
});

test('a report without a successor ends by itself, whatever the wall clock says', async () => {
  const { clock, follower, pipe, report } = await started();
  report(1.5);
  await clock.advance(600);
  clock.jumpWall(-3_600_000);
  await clock.advance(FLOW_FRESH_MS - 700);
  expect(pipe.current().fill).toBe(1.5);
  await clock.advance(1_000);
  expect(pipe.current().fill).toBe(0);
  await follower.stop(signal);
});

test('Kafka that is away for a while neither stops the follower nor keeps a report alive', async () => {
  const { clock, follower, pipe, report, state } = await started();
  report(1.5);
  await clock.advance(600);
  state.down = true;
  await clock.advance(FLOW_FRESH_MS + 1_000);
  expect(pipe.current().fill).toBe(0);
  state.down = false;
  await clock.advance(2_000);
  report(0.7);
  await clock.advance(600);
  expect(pipe.current().fill).toBe(0.7);
  await follower.stop(signal);
});

test('what is no report is passed over', async () => {
  const { clock, follower, pipe, put, report } = await started();
  put(Buffer.from('no report'));
  report(0.4);
  await clock.advance(600);
  expect(pipe.current().fill).toBe(0.4);
  await follower.stop(signal);
});

test('endless reporters leave a bounded memory behind', async () => {
  const { clock, follower, pipe, report } = await started();
  for (let i = 0; i < FLOW_REPORTERS_MAX; i++) report(0.1, { reporter: i.toString(16).padStart(16, '0') });
  report(4, { reporter: 'f'.repeat(16) });
  await clock.advance(600);
  expect(pipe.current().fill).toBe(0.1);
  await follower.stop(signal);
});
