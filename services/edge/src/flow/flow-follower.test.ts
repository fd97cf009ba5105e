import type { Log, LogRecord } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS, encodeFlowReport } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { FlowFollower } from './flow-follower.ts';

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
  const report = (fill: number, backlogSeconds: number | null, fields: { reporter?: string; track?: string } = {}) =>
    put(
      encodeFlowReport({
        reporter: REPORTER,
        track: 'v1',
        backlogBytes: 1,
        backlogSeconds,
        fill,
        healthy: true,
        atMs: 0,
        ...fields,
      }),
    );
  return { log, put, report, state };
}

async function started() {
  const clock = new FakeClock();
  const flow = flowLog(clock);
  flow.report(5, 100);
  const follower = new FlowFollower(flow.log, clock, 'v1', () => undefined);
  await follower.start();
  await clock.advance(1);
  return { clock, follower, ...flow };
}

test('what was reported before the start says nothing', async () => {
  const { clock, follower } = await started();
  await clock.advance(1_000);
  expect(follower.current()).toEqual({ fill: 0, retryAfterS: 1 });
  await follower.stop();
});

test('the fullest sink counts, with the time its backlog needs to be back at nine tenths', async () => {
  const { clock, follower, report } = await started();
  report(2, 20);
  report(0.5, 1, { reporter: OTHER });
  report(9, 90, { track: 'v2', reporter: '00000000000000cc' });
  await clock.advance(600);
  expect(follower.current()).toEqual({ fill: 2, retryAfterS: 11 });
  report(0.2, 0);
  await clock.advance(600);
  expect(follower.current().fill).toBe(0.5);
  await follower.stop();
});

test('a sink whose rate is not known is asked again after two seconds', async () => {
  const { clock, follower, report } = await started();
  report(3, null);
  await clock.advance(600);
  expect(follower.current()).toEqual({ fill: 3, retryAfterS: 2 });
  await follower.stop();
});

test('a report without a successor ends by itself, whatever the wall clock says', async () => {
  const { clock, follower, report } = await started();
  report(1.5, 10);
  await clock.advance(600);
  clock.jumpWall(-3_600_000);
  await clock.advance(LIMITS.flowFreshMs - 700);
  expect(follower.current().fill).toBe(1.5);
  await clock.advance(1_000);
  expect(follower.current().fill).toBe(0);
  await follower.stop();
});

test('Kafka that is away for a while neither stops the follower nor keeps a report alive', async () => {
  const { clock, follower, report, state } = await started();
  report(1.5, 10);
  await clock.advance(600);
  state.down = true;
  await clock.advance(LIMITS.flowFreshMs + 1_000);
  expect(follower.current().fill).toBe(0);
  state.down = false;
  await clock.advance(2_000);
  report(0.7, 1);
  await clock.advance(600);
  expect(follower.current().fill).toBe(0.7);
  await follower.stop();
});

test('what is no report is passed over', async () => {
  const { clock, follower, put, report } = await started();
  put(Buffer.from('no report'));
  report(0.4, 1);
  await clock.advance(600);
  expect(follower.current().fill).toBe(0.4);
  await follower.stop();
});

test('endless reporters leave a bounded memory behind', async () => {
  const { clock, follower, report } = await started();
  for (let i = 0; i < LIMITS.flowReportersMax; i++) report(0.1, 1, { reporter: i.toString(16).padStart(16, '0') });
  report(4, 1, { reporter: 'f'.repeat(16) });
  await clock.advance(600);
  expect(follower.current().fill).toBe(0.1);
  await follower.stop();
});
