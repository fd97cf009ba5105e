import { expect, test } from 'vitest';
import { ReadPlace } from './read-place.ts';

function pageTo(nextOffset: number, endOffset: number) {
  return { records: [], nextOffset, startOffset: 0, endOffset };
}

/** Reads that bring nothing until the place is at `offset`. */
function readsTo(place: ReadPlace, offset: number): number {
  let reads = 0;
  for (; place.offset < offset; reads++) place.move(pageTo(place.offset, 100));
  return reads;
}

test('a place follows what the pages say', () => {
  const place = new ReadPlace(3);
  place.move(pageTo(7, 100));
  place.move(pageTo(20, 100));
  expect([place.offset, place.waitMs]).toEqual([20, 500]);
});

test('an offset is passed once it has brought nothing time and again, and each of those behind it as often', () => {
  const place = new ReadPlace(3);
  const first = readsTo(place, 4);
  expect(first).toBeGreaterThan(5);
  expect(readsTo(place, 14)).toBe(10 * first);
  place.move(pageTo(20, 100));
  expect(readsTo(place, 21)).toBe(first);
});

test('at the end of the topic a place stays, however long nothing comes', () => {
  const place = new ReadPlace(3);
  for (let i = 0; i < 100; i++) place.move(pageTo(3, 3));
  expect([place.offset, place.waitMs]).toEqual([3, 500]);
});
