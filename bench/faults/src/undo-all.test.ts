import { expect, test } from 'vitest';
import { undoAll } from './undo-all.ts';

const failing = (message: string) => () => {
  throw new Error(message);
};

test('an undo that throws keeps no other from being done, and all that was thrown is told', async () => {
  const done: number[] = [];
  const undo = (number: number) => async () => void done.push(number);
  await expect(undoAll([undo(1), failing('a'), undo(2)])).rejects.toThrow('a');
  await expect(undoAll([failing('a'), undo(3), async () => failing('b')(), undo(4)])).rejects.toThrow(
    'Error: a; Error: b',
  );
  await undoAll([undo(5)]);
  expect(done).toEqual([1, 2, 3, 4, 5]);
});
