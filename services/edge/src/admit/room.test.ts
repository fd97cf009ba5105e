import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Room } from './room.ts';

function setUp(waitingMax = 10) {
  const clock = new FakeClock();
  const room = new Room(clock, { bytesMax: 100, itemsMax: 3, waitMs: 1_000, waitingMax });
  const answers: [string, boolean][] = [];
  const ask = (name: string, bytes: number) => void room.take(bytes).then((got) => answers.push([name, got]));
  return { clock, room, answers, ask };
}

test('entries wait for bytes and for places, and get in in their order', async () => {
  const { clock, room, answers, ask } = setUp();
  for (const [name, bytes] of Object.entries({ a: 60, b: 50, c: 10, d: 10, e: 10 })) ask(name, bytes);
  await clock.advance(0);
  // c would fit, but b was there before.
  expect(answers).toEqual([['a', true]]);
  room.give(60);
  await clock.advance(0);
  expect(answers.map(([name]) => name)).toEqual(['a', 'b', 'c', 'd']);
  room.give(50);
  await clock.advance(0);
  expect(answers.map(([name]) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(clock.sleeping).toBe(0);
});

test('an entry that waited too long is told so, and those behind it go on', async () => {
  const { clock, room, answers, ask } = setUp();
  ask('a', 60);
  ask('b', 60);
  await clock.advance(500);
  ask('c', 30);
  await clock.advance(500);
  expect(answers).toEqual([
    ['a', true],
    ['b', false],
    ['c', true],
  ]);
  room.give(60);
  room.give(30);
  expect(await room.take(100)).toBe(true);
});

test('where too many wait already, nobody else does', async () => {
  const { clock, answers, ask } = setUp(1);
  for (const name of ['a', 'b', 'c']) ask(name, 100);
  await clock.advance(0);
  expect(answers).toEqual([
    ['a', true],
    ['c', false],
  ]);
});
