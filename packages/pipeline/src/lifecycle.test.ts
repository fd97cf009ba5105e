import { expect, test } from 'vitest';
import { type Component, createLifecycle, systemClock } from './index.ts';

const never = new AbortController().signal;

function part(name: string, seen: string[], faults: { start?: boolean; stop?: 'throws' | 'hangs' } = {}): Component {
  return {
    name,
    start: async () => {
      seen.push(`start ${name}`);
      if (faults.start === true) throw new Error(`${name} cannot start`);
    },
    stop: async () => {
      seen.push(`stop ${name}`);
      if (faults.stop === 'throws') throw new Error(`${name} cannot stop`);
      if (faults.stop === 'hangs') await new Promise(() => undefined);
    },
  };
}

function chain(parts: Component[], faulty: string[] = []) {
  return createLifecycle(parts, { clock: systemClock, stopDeadlineMs: 30, onFault: (name) => faulty.push(name) });
}

test('parts start downstream first and stop upstream first', async () => {
  const seen: string[] = [];
  const life = chain([part('receive', seen), part('publish', seen)]);
  await life.start(never);
  await life.stop(never);
  expect(seen).toEqual(['start publish', 'start receive', 'stop receive', 'stop publish']);
});

test('stop is safe before start and twice', async () => {
  const seen: string[] = [];
  const life = chain([part('a', seen)]);
  await life.stop(never);
  await life.start(never);
  await life.stop(never);
  await life.stop(never);
  expect(seen).toEqual(['start a', 'stop a']);
});

test('a part that cannot start stops those below it', async () => {
  const seen: string[] = [];
  const life = chain([part('a', seen), part('b', seen, { start: true }), part('c', seen)]);
  await expect(life.start(never)).rejects.toThrow('b cannot start');
  expect(seen).toEqual(['start c', 'start b', 'stop b', 'stop c']);
});

test('a part that hangs or throws in stop is reported and the rest are stopped all the same', async () => {
  const seen: string[] = [];
  const faulty: string[] = [];
  const life = chain(
    [part('a', seen, { stop: 'hangs' }), part('b', seen, { stop: 'throws' }), part('c', seen)],
    faulty,
  );
  await life.start(never);
  await life.stop(never);
  expect(faulty).toEqual(['a', 'b']);
  expect(seen.at(-1)).toBe('stop c');
});
