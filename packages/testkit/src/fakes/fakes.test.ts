import { expect, test } from 'vitest';
import { FakeClock } from './fake-clock.ts';
import { RecordingConsumer } from './recording-consumer.ts';
import { RefusingConsumer } from './refusing-consumer.ts';

const { signal } = new AbortController();

test('a fake clock wakes sleepers in the order of their times, and those they start while it moves', async () => {
  const clock = new FakeClock(100);
  const woken: [string, number][] = [];
  const sleeper = async (name: string, ...times: number[]) => {
    for (const ms of times) {
      await clock.sleep(ms);
      woken.push([name, clock.nowMs()]);
    }
  };
  void sleeper('a', 30, 30, 100);
  void sleeper('b', 20);
  await clock.advance(70);
  expect(woken).toEqual([
    ['b', 120],
    ['a', 130],
    ['a', 160],
  ]);
  expect([clock.nowMs(), clock.sleeping]).toEqual([170, 1]);
});

test('a sleep on a fake clock ends with the reason of its abort', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const slept = clock.sleep(10, controller.signal);
  controller.abort(new Error('enough'));
  await expect(slept).rejects.toThrow('enough');
  await expect(clock.sleep(10, controller.signal)).rejects.toThrow('enough');
  expect(clock.sleeping).toBe(0);
});

test('the wall clock of a fake clock follows it and can jump back alone', async () => {
  const clock = new FakeClock(0, 5_000_000_000n);
  await clock.advance(1_500);
  expect(clock.wallNs()).toBe(6_500_000_000n);
  clock.jumpWall(-2_000);
  expect([clock.wallNs(), clock.nowMs()]).toEqual([4_500_000_000n, 1_500]);
});

test('a recording consumer keeps what it took in order and answers as told', async () => {
  const consumer = new RecordingConsumer<number, number>((item) => item * 2);
  expect(await consumer.consume(3, signal)).toBe(6);
  expect(await consumer.consume(4, signal)).toBe(8);
  expect(consumer.items).toEqual([3, 4]);
});

test('a refusing consumer refuses everything with its reason', async () => {
  const consumer = new RefusingConsumer<string>('sink_full', 'full', 2);
  expect(await consumer.consume('x', signal)).toEqual({
    kind: 'refused',
    reason: 'sink_full',
    message: 'sink_full: full',
    retryAfterS: 2,
  });
  expect(consumer.asked).toBe(1);
});
