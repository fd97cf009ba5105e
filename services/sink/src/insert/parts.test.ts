import type { RowsMeta, TableName } from '@weir/records';
import { expect, test } from 'vitest';
import type { Batch, RowsEntry } from '../batches.ts';
import { partNumber, partsOf } from './parts.ts';

const MIN = 100;

type SectionOf = readonly [table: TableName, lane: number, rows: number];

/** A record of these sections, each of one byte. */
function entry(offset: number, sectionsOf: readonly SectionOf[]): RowsEntry {
  const sections = sectionsOf.map(([table, lane, rows], at) => ({
    ...{ table, lane, rows },
    ...{ blockBytes: 1, start: at, end: at + 1 },
  }));
  const meta = { sections } as unknown as RowsMeta;
  return { offset, value: Buffer.alloc(sections.length, offset), meta } as Partial<RowsEntry> as RowsEntry;
}

function shown(entries: Batch['entries'], apart: boolean) {
  const ranges = [{ partition: 3, entries } as Partial<Batch> as Batch];
  return partsOf({ ranges, apart }, MIN).map(({ table, lane, rows, blocks }) => [
    ...[table, lane, rows],
    blocks.map(({ offset, startInPart, startInRecord }) => `${offset}: ${startInPart}, ${startInRecord}`),
  ]);
}

const ENTRIES = [
  entry(1, [
    ['otel_logs', 7, 60],
    ['otel_logs', 9, 99],
    ['weir_usage', 0, 2],
  ]),
  entry(2, [
    ['otel_traces', 9, 500],
    ['otel_logs', 7, 40],
    ['otel_logs', 0, 300],
  ]),
];

test('a lane with enough rows is a part, and all else of its table another', () => {
  expect(shown(ENTRIES, true)).toEqual([
    ['otel_logs', 7, 100, ['1: 0, 0', '2: 60, 500']],
    ['otel_logs', 0, 399, ['1: 0, 60', '2: 99, 540']],
    ['weir_usage', 0, 2, ['1: 0, 159']],
    // The only lane of its table: nothing is gained, and its name is that of the whole.
    ['otel_traces', 0, 500, ['2: 0, 0']],
  ]);
});

test('a cut that says nothing of lanes has one part for each table, whatever the lanes', () => {
  expect(shown(ENTRIES, false)).toEqual([
    ['otel_logs', 0, 499, ['1: 0, 0', '1: 60, 60', '2: 159, 500', '2: 199, 540']],
    ['weir_usage', 0, 2, ['1: 0, 159']],
    ['otel_traces', 0, 500, ['2: 0, 0']],
  ]);
});

test('no two parts have the same number, and those of mixed rows have that of their table as before lanes', () => {
  const numbers = ENTRIES.flatMap(({ meta }) => meta!.sections.map(partNumber));
  expect(new Set(numbers).size).toBe(5);
  expect([partNumber({ table: 'otel_logs', lane: 0 }), partNumber({ table: 'otel_traces', lane: 0 })]).toEqual([1, 0]);
});
