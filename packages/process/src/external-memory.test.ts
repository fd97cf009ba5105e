import { constants, PerformanceObserver } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { relaxExternalMemory } from './external-memory.ts';

const BODY_BYTES = 400_000;
const BODIES = 3_000;

/** Full collections while bodies come and go beside a heap that stays. */
async function fullCollections(): Promise<number> {
  let full = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) {
      const { kind } = detail as { kind: number };
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR || kind === constants.NODE_PERFORMANCE_GC_INCREMENTAL) full++;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  for (let i = 0; i < BODIES; i++) {
    Buffer.allocUnsafeSlow(BODY_BYTES).fill(0);
    // As between requests: collections are begun by tasks.
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  observer.disconnect();
  return full;
}

test('buffers that come and go make for fewer full collections', async () => {
  const heap = Array.from({ length: 200_000 }, (_, i) => ({ i }));
  const before = await fullCollections();
  relaxExternalMemory();
  const after = await fullCollections();
  expect(heap).toHaveLength(200_000);
  expect(before).toBeGreaterThan(0);
  expect(after).toBeLessThan(0.75 * before);
});
