import { expect, test } from 'vitest';
import { readUsage } from './process-usage.ts';

test("this process's usage grows by the CPU time that it takes, and its memory is what it says itself", () => {
  const before = readUsage(process.pid);
  const own = process.cpuUsage();
  while (process.cpuUsage(own).user < 300_000) JSON.stringify(process.versions);
  const after = readUsage(process.pid);
  expect(after.cpuS - before.cpuS).toBeGreaterThan(0.25);
  expect(after.cpuS - before.cpuS).toBeLessThan(3);
  expect(after.rssBytes / process.memoryUsage.rss()).toBeGreaterThan(0.5);
  expect(after.rssBytes / process.memoryUsage.rss()).toBeLessThan(2);
});

test('of a process that is not there nothing is read', () => {
  expect(() => readUsage(2 ** 30)).toThrow('ENOENT');
});
