import { PassThrough } from 'node:stream';
import { createRandom, pause } from '@weir/testkit';
import { expect, test } from 'vitest';
import { LossyPath } from './lossy-path.ts';

function received(to: PassThrough): () => string {
  let text = '';
  to.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

/** Chance as it is told: each call takes the next number. */
function told(...numbers: readonly number[]): () => number {
  const left = [...numbers];
  return () => left.shift() ?? 0.99;
}

test('without loss and delay everything passes at once', async () => {
  const to = new PassThrough();
  const text = received(to);
  const path = new LossyPath(to, createRandom(1));
  for (const letter of 'abc') expect(path.pass(Buffer.from(letter), 0, 0)).toBe('on time');
  await pause(0);
  expect(text()).toBe('abc');
});

test('a piece that is lost comes after TCP would have sent it again, and what follows waits behind it', async () => {
  const to = new PassThrough();
  const text = received(to);
  // The second is lost once, the third never.
  const path = new LossyPath(to, told(0.9, 0.01, 0.9, 0.9));
  const startedMs = performance.now();
  expect(['a', 'b', 'c'].map((letter) => path.pass(Buffer.from(letter), 0, 0.1))).toEqual([
    'on time',
    'late',
    'on time',
  ]);
  await pause(100);
  expect(text()).toBe('a');
  while (text().length < 3) await pause(5);
  expect(text()).toBe('abc');
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(199);
});

test('a piece that is lost over and over is lost for good', () => {
  const path = new LossyPath(new PassThrough(), told(...Array.from({ length: 6 }, () => 0)));
  expect(path.pass(Buffer.from('a'), 0, 0.1)).toBe('never');
});

test('what is sent after a delay has ended does not overtake what was sent before', async () => {
  const to = new PassThrough();
  const text = received(to);
  const path = new LossyPath(to, createRandom(1));
  path.pass(Buffer.from('a'), 60, 0);
  path.pass(Buffer.from('b'), 0, 0);
  await pause(10);
  expect(text()).toBe('');
  while (text().length < 2) await pause(5);
  expect(text()).toBe('ab');
});

test.each([1, 2, 3])('in any order of losses everything arrives in order (seed %i)', async (seed) => {
  const to = new PassThrough();
  const text = received(to);
  const path = new LossyPath(to, createRandom(seed));
  let sent = '';
  let late = 0;
  for (let i = 0; i < 60; i++) {
    const outcome = path.pass(Buffer.from(`${i},`), i % 3, 0.05);
    if (outcome === 'never') break;
    if (outcome === 'late') late++;
    sent += `${i},`;
    await pause(1);
  }
  expect(late).toBeGreaterThan(0);
  while (text().length < sent.length) await pause(10);
  expect(text()).toBe(sent);
});
