import { expect, test } from 'vitest';
import { pairRows } from './pair-rows.ts';

test('a row is shown beside the one that it is most like, and what has none alone', () => {
  const rows = [
    { live: 1, SpanId: 'a', Unit: 'broken', RetentionDays: 7, SpanName: 'x' },
    { live: 1, SpanId: 'c', Unit: 's', RetentionDays: 7, SpanName: 'z' },
    { live: 0, SpanId: 'b', Unit: 's', RetentionDays: 30, SpanName: 'y' },
    { live: 0, SpanId: 'a', Unit: 's', RetentionDays: 30, SpanName: 'x' },
  ];
  expect(pairRows(rows)).toEqual([
    { kind: 'different', columns: { Unit: { live: 'broken', shadow: 's' } } },
    { kind: 'different', columns: { SpanId: { live: 'c', shadow: 'b' }, SpanName: { live: 'z', shadow: 'y' } } },
  ]);
  expect(pairRows([rows[1]!])).toEqual([
    { kind: 'only in live', columns: { SpanId: { live: 'c' }, SpanName: { live: 'z' } } },
  ]);
  expect(pairRows([rows[2]!])).toEqual([
    { kind: 'only in the shadow', columns: { SpanId: { shadow: 'b' }, SpanName: { shadow: 'y' } } },
  ]);
});
