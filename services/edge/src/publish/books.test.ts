import type { Usage } from '@weir/records';
import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { Books } from './books.ts';

const MINUTE_NS = 60_000_000_000n;
const ONE = { tenant: 'acme', signal: 'traces', items: 2, bytes: 10, receivedAtNs: 7n * MINUTE_NS } as const;

/** Books whose notes are written only when they are told to be. */
async function setUp() {
  const clock = new FakeClock();
  const notes: (readonly Usage[])[] = [];
  const answers: ((written: boolean) => void)[] = [];
  let lost = 0;
  const books = new Books({
    clock,
    write: (usage) => {
      notes.push(usage);
      return new Promise((resolve) => answers.push(resolve));
    },
    onLost: (items) => {
      lost += items;
    },
  });
  await books.start();
  return { clock, books, notes, answers, lost: () => lost };
}

test('what was answered is told now and then, each once', async () => {
  const { clock, books, notes, answers } = await setUp();
  books.acked(ONE);
  books.acked(ONE);
  books.refused({ ...ONE, receivedAtNs: 8n * MINUTE_NS }, 'tenant_items_rate');
  expect(notes).toHaveLength(0);
  await clock.advance(LIMITS.booksMs);
  const at = { tenant: 'acme', signal: 'traces' };
  expect(notes).toEqual([
    [
      { ...at, minute: 7, outcome: 'acked', reason: '', items: 4, bytes: 20 },
      { ...at, minute: 8, outcome: 'refused', reason: 'tenant_items_rate', items: 2, bytes: 10 },
    ],
  ]);
  answers[0]!(true);
  await clock.advance(3 * LIMITS.booksMs);
  expect(notes).toHaveLength(1);
});

test('while one note waits for its partition the next is handed over', async () => {
  const { clock, books, notes } = await setUp();
  for (let round = 0; round < 2; round++) {
    books.acked(ONE);
    await clock.advance(LIMITS.booksMs);
  }
  expect(notes.map(([row]) => row!.items)).toEqual([2, 2]);
});

test('while Kafka takes nothing rows add up, and their number has a bound', async () => {
  const { clock, books, notes, answers } = await setUp();
  for (let round = 0; round < LIMITS.notesWaitingMax; round++) {
    books.acked(ONE);
    await clock.advance(LIMITS.booksMs);
  }
  for (let minute = 0; minute < LIMITS.bookRowsMax + 500; minute++) {
    books.acked({ ...ONE, receivedAtNs: BigInt(minute) * MINUTE_NS });
  }
  await clock.advance(10 * LIMITS.booksMs);
  expect(notes).toHaveLength(LIMITS.notesWaitingMax);
  for (const answer of answers.splice(0)) answer(true);
  await clock.advance(LIMITS.booksMs);
  const told = notes.slice(LIMITS.notesWaitingMax).flat();
  expect(told).toHaveLength(LIMITS.bookRowsMax);
  expect(told.reduce((sum, { items }) => sum + items, 0)).toBe(2 * (LIMITS.bookRowsMax + 500));
  expect(Math.max(...notes.map((rows) => rows.length))).toBe(LIMITS.noteRowsMax);
});

test('what is left is told at the end, and what cannot be told is counted', async () => {
  const { clock, books, notes, answers, lost } = await setUp();
  books.acked(ONE);
  const stopped = books.stop(new AbortController().signal);
  await clock.advance(0);
  expect(notes).toHaveLength(1);
  answers[0]!(false);
  await stopped;
  expect(lost()).toBe(2);
});

test('what is answered after the end is counted as lost', async () => {
  const { books, lost } = await setUp();
  await books.stop(new AbortController().signal);
  books.acked(ONE);
  expect(lost()).toBe(2);
});

test('the end does not wait for a Kafka that takes nothing, nor for what waited before', async () => {
  const { clock, books, notes } = await setUp();
  books.acked(ONE);
  await clock.advance(LIMITS.booksMs);
  books.acked(ONE);
  let ended = false;
  void books.stop(new AbortController().signal).then(() => {
    ended = true;
  });
  await clock.advance(LIMITS.booksStopMs);
  expect([ended, notes.length]).toEqual([true, 2]);
});
