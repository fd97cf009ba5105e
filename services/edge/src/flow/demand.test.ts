import type { Log, LogRecord } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS, type DemandReport, decodeDemandReport, encodeDemandReport } from '@weir/records';
import { effectiveTenant } from '@weir/tenancy';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Demand } from './demand.ts';

const { signal } = new AbortController();
const acme = effectiveTenant('acme', { keys: [], limits: { items: { perSecond: 100 } } }, undefined);

/** weir.demand for several edges; `down` makes Kafka fail. */
function setUp() {
  const clock = new FakeClock();
  const records: LogRecord[] = [];
  const state = { down: false };
  const answer = <T>(value: T): T => {
    if (state.down) throw new DependencyError('kafka', 'unavailable', 'down', { retryable: true });
    return value;
  };
  const log: Log = {
    bounds: async (topic) => {
      expect(topic).toBe(CONTROL_TOPICS.demand);
      return answer({ start: 0, end: records.length });
    },
    read: async (_topic, _partition, offset, { maxWaitMs }, stop) => {
      if (records.length <= offset) await clock.sleep(maxWaitMs, stop);
      const page = records.slice(offset);
      return answer({ records: page, nextOffset: offset + page.length, startOffset: 0, endOffset: records.length });
    },
    append: async (_topic, _partition, made) => {
      answer(undefined);
      for (const { key, value } of made)
        records.push({ offset: records.length, timestampMs: 0, key, value, meta: null });
      return records.length - made.length;
    },
  };
  const edge = (id: string) =>
    new Demand({
      log,
      clock,
      edge: id,
      track: 'v1',
      tenant: (name) => (name === 'acme' ? acme : undefined),
      fullest: () => undefined,
      onFault: () => undefined,
    });
  const told = (): DemandReport[] =>
    records.flatMap(({ value }) => {
      const decoded = decodeDemandReport(value);
      return decoded.ok ? [decoded.value] : [];
    });
  const put = (report: DemandReport) =>
    records.push({ offset: records.length, timestampMs: 0, key: null, value: encodeDemandReport(report), meta: null });
  return { clock, state, edge, told, put };
}

test('two edges tell each other what is wanted of them, share the limit by it, and one that stops leaves it to the other', async () => {
  const { clock, edge, told } = setUp();
  const [a, b] = [edge('a'), edge('b')];
  await a.start(signal);
  await b.start(signal);
  for (let second = 0; second < 15; second++) {
    for (let i = 0; i < 20; i++) a.meter.add('acme', 10, 1_000, true);
    b.meter.add('acme', 8, 800, true);
    await clock.advance(1_000);
  }
  expect([a.edges, b.edges]).toEqual([2, 2]);
  const [ofA, ofB] = [a.ofLimits(acme).items, b.ofLimits(acme).items];
  expect(ofA + ofB).toBeCloseTo(1, 2);
  expect(ofB).toBeCloseTo(0.1, 2);
  await b.stop(signal);
  expect(told().at(-1)).toMatchObject({ edge: 'b', leaving: true });
  await clock.advance(2_000);
  expect([a.edges, a.ofLimits(acme).items]).toEqual([1, 1]);
  await a.stop(signal);
});

test('without Kafka the shares hold, then are equal, and nothing waits for it', async () => {
  const { clock, edge, state } = setUp();
  const [a, b] = [edge('a'), edge('b')];
  await a.start(signal);
  await b.start(signal);
  for (let second = 0; second < 15; second++) {
    for (let i = 0; i < 20; i++) a.meter.add('acme', 10, 1_000, true);
    await clock.advance(1_000);
  }
  const before = a.ofLimits(acme).items;
  expect(before).toBeGreaterThan(0.9);
  state.down = true;
  await clock.advance(12_000);
  expect(a.ofLimits(acme).items).toBe(before);
  await clock.advance(6_000);
  expect([a.ofLimits(acme).items, b.ofLimits(acme).items, a.edges]).toEqual([0.5, 0.5, 2]);
  await a.stop(signal);
  await b.stop(signal);
});

test('what is no report, and what was told before the start, is passed over', async () => {
  const { clock, edge, put } = setUp();
  const rest = { offeredItems: 0, offeredBytes: 0, acceptedBytes: 0 };
  put({ edge: 'old', track: 'v1', tenants: [], rest, leaving: false, atMs: 0 });
  const a = edge('a');
  await a.start(signal);
  await clock.advance(1_000);
  put({ edge: 'wrong', track: 'v1', tenants: [], rest: { ...rest, offeredItems: -1 }, leaving: false, atMs: 0 });
  await clock.advance(1_000);
  expect(a.edges).toBe(1);
  await a.stop(signal);
  await a.stop(signal);
});
