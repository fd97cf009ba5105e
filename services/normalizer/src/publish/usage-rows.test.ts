import { minuteOf, TABLE_COLUMNS, UsageTally } from '@weir/records';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { usageBlock } from './usage-rows.ts';

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open();
});

afterAll(() => engine.close());

const ENDING_NS = 1_795_237_259_999_999_999n;
const AT = { tenant: 'acme', signal: 'traces', minute: minuteOf(ENDING_NS) } as const;

test('what is added for the same minute and outcome is one row, as ClickHouse reads it', () => {
  const usage = new UsageTally();
  usage.add({ ...AT, outcome: 'accepted', reason: '', items: 3, bytes: 100 });
  usage.add({ ...AT, minute: minuteOf(ENDING_NS - 1n), outcome: 'accepted', reason: '', items: 4, bytes: 50 });
  usage.add({ ...AT, minute: minuteOf(ENDING_NS + 1n), outcome: 'accepted', reason: '', items: 2 ** 33, bytes: 1 });
  usage.add({ ...AT, outcome: 'dead_lettered', reason: 'invalid_time', items: 1, bytes: 0 });
  usage.add({ ...AT, outcome: 'stored', reason: '', items: 0, bytes: 0 });
  expect(usage.size).toBe(3);
  const block = usageBlock(usage.entries());
  expect(engine.describeBlock(block)).toEqual(TABLE_COLUMNS.weir_usage);
  expect(
    engine.readBlock(block, 'TenantId, Signal, toUnixTimestamp(Minute) AS Second, Outcome, Reason, Items, Bytes'),
  ).toEqual([
    {
      TenantId: 'acme',
      Signal: 'traces',
      Second: 1_795_237_200,
      Outcome: 'accepted',
      Reason: '',
      Items: '7',
      Bytes: '150',
    },
    {
      TenantId: 'acme',
      Signal: 'traces',
      Second: 1_795_237_260,
      Outcome: 'accepted',
      Reason: '',
      Items: '8589934592',
      Bytes: '1',
    },
    {
      TenantId: 'acme',
      Signal: 'traces',
      Second: 1_795_237_200,
      Outcome: 'dead_lettered',
      Reason: 'invalid_time',
      Items: '1',
      Bytes: '0',
    },
  ]);
});

test('a clock that is far off makes a row all the same', () => {
  const usage = new UsageTally();
  usage.add({ ...AT, minute: minuteOf(2n ** 64n - 1n), outcome: 'accepted', reason: '', items: 1, bytes: 1 });
  usage.add({ ...AT, minute: 0, outcome: 'accepted', reason: '', items: 1, bytes: 1 });
  expect(engine.readBlock(usageBlock(usage.entries()), 'Items')).toHaveLength(2);
});
