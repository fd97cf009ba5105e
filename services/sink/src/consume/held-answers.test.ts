import { expect, test } from 'vitest';
import { HeldAnswers } from './held-answers.ts';

const RECORD_BYTES = 50_000;

/** An answer of some records. */
function answer(records: number): Buffer[] {
  const memory = Buffer.from(new ArrayBuffer(records * RECORD_BYTES));
  return Array.from({ length: records }, (_, at) => memory.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES));
}

test('an answer is given back with the last of its records that is held', () => {
  const answers = new HeldAnswers();
  const [one, passedOver, other] = answer(3) as [Buffer, Buffer, Buffer];
  answers.hold(one);
  answers.hold(other);
  answers.release(one);
  expect([one.length, other.length]).toEqual([RECORD_BYTES, RECORD_BYTES]);
  answers.release(other);
  expect([one.length, passedOver.length, other.length]).toEqual([0, 0, 0]);
});

test('what is let go of more often than it was held frees nothing that is held', () => {
  const answers = new HeldAnswers();
  const [one, other] = answer(2) as [Buffer, Buffer];
  answers.release(one);
  expect(one.length).toBe(RECORD_BYTES);
  answers.hold(one);
  answers.hold(other);
  answers.release(Buffer.alloc(0));
  expect([one.length, other.length]).toEqual([RECORD_BYTES, RECORD_BYTES]);
});
