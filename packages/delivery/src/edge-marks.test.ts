import { expect, test } from 'vitest';
import { EdgeMarks, MARK_AGE_MS_MAX, MARKS_MAX } from './edge-marks.ts';

test('a record at or below the newest of its edge is not taken again', () => {
  const marks = new EdgeMarks();
  expect(marks.takes('a', 0, 1_000)).toBe(true);
  expect(marks.takes('a', 2, 1_000)).toBe(true);
  expect(marks.takes('a', 2, 1_000)).toBe(false);
  expect(marks.takes('a', 1, 1_000)).toBe(false);
  expect(marks.takes('b', 1, 1_000)).toBe(true);
});

test('the next owner of the partition knows what the snapshot knew', () => {
  const marks = new EdgeMarks();
  marks.takes('a', 7, 1_000);
  const next = new EdgeMarks(marks.snapshot());
  expect(next.takes('a', 7, 2_000)).toBe(false);
  expect(next.takes('a', 8, 2_000)).toBe(true);
});

test('restoring a snapshot makes what was taken since new again', () => {
  const marks = new EdgeMarks();
  marks.takes('a', 1, 1_000);
  const before = marks.snapshot();
  marks.takes('a', 2, 1_000);
  marks.takes('b', 0, 1_000);
  marks.restore(before);
  expect(marks.takes('a', 1, 1_000)).toBe(false);
  expect(marks.takes('a', 2, 1_000)).toBe(true);
  expect(marks.takes('b', 0, 1_000)).toBe(true);
});

test('an edge that wrote nothing for the age of a mark is forgotten, one that did is not', () => {
  const marks = new EdgeMarks();
  marks.takes('old', 5, 0);
  marks.takes('edge', 5, 1);
  marks.takes('new', 0, MARK_AGE_MS_MAX + 1);
  expect(marks.snapshot().map(({ edge }) => edge)).toEqual(['edge', 'new']);
});

test('marks are bounded: the longest silent are forgotten first', () => {
  const marks = new EdgeMarks();
  for (let i = 0; i < MARKS_MAX + 3; i++) marks.takes(`edge-${i}`, 0, i);
  const kept = marks.snapshot();
  expect(kept).toHaveLength(MARKS_MAX);
  expect(kept[0]?.edge).toBe('edge-3');
});

test('what stands before a note is known by the mark that it meets', () => {
  const marks = new EdgeMarks();
  expect(marks.hasAllBefore('a', 3)).toBe(false);
  marks.takes('a', 1, 1);
  expect(marks.hasAllBefore('a', 3)).toBe(false);
  marks.takes('a', 2, 1);
  expect(marks.hasAllBefore('a', 3)).toBe(true);
});

test('after hours in which others wrote, what stands before a note is known, and its repetition is not taken', () => {
  const marks = new EdgeMarks();
  marks.takes('paused', 4, 0);
  marks.takes('other', 0, 12 * 3_600_000);
  marks.snapshot();
  expect(marks.hasAllBefore('paused', 5)).toBe(true);
  expect(marks.takes('paused', 4, 12 * 3_600_000)).toBe(false);
});
