import { rawPosition } from '@weir/records';
import { expect, test } from 'vitest';
import { type DurationJournal, pointKey, type SentPoint } from './durations.ts';
import { judge, outOfTurn, type StoredPoint } from './stored-durations.ts';

const sent: SentPoint[] = [1n, 2n, 3n, 4n].map((timeNs) => ({
  tenant: 'acme',
  table: 'otel_metrics_gauge',
  timeNs,
  valuesMs: [250 * Number(timeNs)],
}));
const journal: DurationJournal = { points: new Map(sent.map((point) => [pointKey(point), point])), refused: new Map() };

function stored(timeNs: bigint, value: number, more: Partial<StoredPoint> = {}): StoredPoint {
  const position = rawPosition('v1', 0, Number(timeNs));
  return {
    tenant: 'acme',
    table: 'otel_metrics_gauge',
    timeNs,
    unit: 's',
    original: 'ms',
    position,
    values: [value],
    ...more,
  };
}

test('each point is right, wrong as the bug makes it, or odd; what is missing, doubled or never sent is counted', () => {
  const rows = [stored(1n, 0.25), stored(2n, 0.0005), stored(2n, 0.0005), stored(3n, 750), stored(9n, 1)];
  const judged = judge(journal, rows);
  expect(judged).toMatchObject({ missing: 1, doubled: 1, alien: 1 });
  expect([judged.right.length, judged.wrong.length, judged.odd.length]).toEqual([1, 2, 1]);
  expect(judge(journal, [stored(1n, 0.25, { unit: 'ms' })]).odd).toHaveLength(1);
  expect(judge(journal, [stored(1n, 0.25, { tenant: 'birch' })])).toMatchObject({ alien: 1, missing: 4 });
});

test('what was sent later than a time is not looked at', () => {
  expect(judge(journal, [stored(1n, 0.25), stored(2n, 0.5)], 3n)).toMatchObject({ missing: 0, odd: [], alien: 0 });
});

test('a right record behind a wrong one, or a wrong one in another track, is out of turn', () => {
  expect(outOfTurn({ right: [stored(1n, 0.25)], wrong: [stored(2n, 0.0005)] })).toEqual([]);
  expect(outOfTurn({ right: [stored(3n, 0.75)], wrong: [stored(2n, 0.0005)] })).toHaveLength(1);
  const inV2 = { position: rawPosition('v2', 0, 9) };
  expect(outOfTurn({ right: [stored(3n, 0.75, inV2)], wrong: [] })).toEqual([]);
  expect(outOfTurn({ right: [], wrong: [stored(2n, 0.0005, inV2)] })).toHaveLength(1);
});
