import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { Pacer } from './pacer.ts';
import { ProgressLine, progressText } from './progress-line.ts';

test('progress shows share, rate and the time left, and no more than all', () => {
  expect(progressText(500, 2_000, 250)).toBe(`[${'='.repeat(8).padEnd(30)}] 25 %  500 of 2000 items  250/s  6 s left`);
  expect(progressText(3_000, 2_000, 100)).toContain('100 %');
  expect(progressText(10, 0, 5)).toBe('10 read  5/s');
});

test('it is drawn on a terminal only', () => {
  let text = '';
  const outside = { env: {}, readFile: () => '', writeFile: () => undefined, err: () => undefined };
  const out = (more: string) => {
    text += more;
  };
  const draw = (terminal: boolean, isShown: boolean) => {
    const line = new ProgressLine({ ...outside, out, terminal }, isShown, () => 1_000);
    line.draw(1, 2);
    line.end();
  };
  draw(false, true);
  draw(true, false);
  expect(text).toBe('');
  draw(true, true);
  expect(text).toContain('50 %');
  expect(text.endsWith('\r\u001b[K')).toBe(true);
});

test('a rate is held on the whole, however much is taken at once', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(100, clock);
  const signal = new AbortController().signal;
  let taken = 0;
  const taking = (async () => {
    for (const items of [50, 200, 1]) {
      await pacer.take(items, signal);
      taken += items;
    }
  })();
  await clock.advance(0);
  expect(taken).toBe(50);
  await clock.advance(499);
  expect(taken).toBe(50);
  await clock.advance(1);
  expect(taken).toBe(250);
  await clock.advance(1_999);
  expect(taken).toBe(250);
  await clock.advance(1);
  await taking;
  expect(taken).toBe(251);
});
