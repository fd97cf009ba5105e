import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { expect, test } from 'vitest';
import { renderReport } from './report.ts';
import { hasRun, type KeptResult, type ResultFile, withRow } from './result-file.ts';
import type { SeedResult } from './run-row.ts';

const CLEAN: SeedResult = {
  row: 'kill-a',
  seed: 1,
  rate: 10_000,
  sent: 10,
  acked: 10,
  stored: 10,
  lost: 0,
  doubled: 0,
  alien: 0,
  misplaced: 0,
  books: 0,
  recoveryS: 1,
  notRetryable: 0,
  reasons: {},
};
const result = (row: string, seed: number, commit: string): KeptResult => ({
  ...CLEAN,
  row,
  seed,
  commit,
  fault: ROW.fault,
});
const EMPTY: ResultFile = { results: [], failures: [] };
const ROW = { name: 'kill-a', fault: 'a is killed', strike: async () => undefined };

test('the newest results of a row take the place of its former ones, and no other row’s', () => {
  const before = { ...EMPTY, results: [result('kill-a', 1, 'old'), result('kill-b', 1, 'old')] };
  const after = withRow(before, 'kill-a', [result('kill-a', 1, 'new')], undefined);
  expect(after.results.map(({ row, commit }) => [row, commit])).toEqual([
    ['kill-b', 'old'],
    ['kill-a', 'new'],
  ]);
});

test('a row that failed is reported until it is run without failing, beside the results that it had', () => {
  const failure = { row: 'kill-a', error: 'Kafka | did not become ready\nits log', commit: 'new' };
  const failed = withRow({ ...EMPTY, results: [result('kill-a', 1, 'old')] }, 'kill-a', [], failure);
  expect(failed).toEqual({ results: [result('kill-a', 1, 'old')], failures: [failure] });
  expect(renderReport([ROW], failed, '')).toContain('| `kill-a` | Kafka \\| did not become ready | new |');
  expect(withRow(failed, 'kill-a', [result('kill-a', 1, 'new')], undefined).failures).toEqual([]);
});

test('a row has been run where it has as many seeds at that rate on that very commit', () => {
  const file = { ...EMPTY, results: [result('kill-a', 1, 'c1'), result('kill-a', 2, 'c1')] };
  const wanted = { seeds: 2, rate: 10_000, commit: 'c1' };
  expect(hasRun(file, ROW, wanted)).toBe(true);
  expect(hasRun(file, { ...ROW, name: 'kill-b' }, wanted)).toBe(false);
  expect(hasRun(file, { ...ROW, fault: 'a is killed for 60 s' }, wanted)).toBe(false);
  expect(hasRun(file, ROW, { ...wanted, seeds: 3 })).toBe(false);
  expect(hasRun(file, ROW, { ...wanted, rate: 20_000 })).toBe(false);
  expect(hasRun(file, ROW, { ...wanted, commit: 'c2' })).toBe(false);
});

test('on a changed tree nothing has been run', () => {
  const file = { ...EMPTY, results: [result('kill-a', 1, 'c1-dirty')] };
  expect(hasRun(file, ROW, { seeds: 1, rate: 10_000, commit: 'c1-dirty' })).toBe(false);
});

test('the report says at what share of the peak the rows ran, and on which commits', () => {
  const peak = { rate: 25_000, steps: [], commit: 'c0' };
  const text = renderReport(
    [ROW],
    { ...EMPTY, peak, results: [result('kill-a', 1, 'c1'), result('kill-a', 2, 'c2')] },
    '',
  );
  expect(text).toContain('25,000 spans/s (commit c0');
  expect(text).toContain('The rows ran at 40 % of it.');
  expect(text).toContain('| c1, c2 |');
});

test('a result is reported with the fault as its row told it when it was run, whatever the row says now', () => {
  const now = { ...ROW, fault: 'a is killed twice' };
  const kept = renderReport([now], { ...EMPTY, results: [result('kill-a', 1, 'c1')] }, '');
  expect(kept).toContain('| a is killed | `kill-a` |');
  expect(kept).not.toContain(now.fault);
  const { fault: _, ...before } = result('kill-a', 1, 'c0');
  const notKept = renderReport([now], { ...EMPTY, results: [before] }, '');
  expect(notKept).toContain('| a is killed twice (as it is told now: of these runs it was not kept) | `kill-a` |');
});

test('faults of the table that no row injects are named with what shows them', () => {
  const text = renderReport([], EMPTY, '');
  expect(text).toContain('| one bad row in an insert |');
  expect(existsSync(join(ROOT, 'services/sink/test/bad-rows.test.ts'))).toBe(true);
});
