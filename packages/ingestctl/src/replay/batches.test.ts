import type { RawEntry } from '@weir/normalize';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BatchBounds, cutBatches, type RawBatch } from './batches.ts';

const BOUNDS: BatchBounds = { items: 100, bodyBytes: 1_000, valueBytes: 500, records: 8 };

function raw(offset: number, items: number, bytes: number): RawEntry {
  const meta = {
    tenant: 'a',
    signal: 'logs',
    encoding: 'identity',
    priority: false,
    receivedAtNs: 0n,
    edge: '',
    seq: 0,
  };
  const value = Buffer.alloc(bytes >> 1);
  return {
    kind: 'export',
    offset,
    appendedMs: 0,
    meta: { ...meta, signal: 'logs', encoding: 'identity', items, bytes },
    value,
  };
}

async function* pagesOf(entries: readonly RawEntry[], sizes: readonly number[]) {
  for (let at = 0, page = 0; at < entries.length; page++) {
    const size = sizes[page % sizes.length]!;
    yield entries.slice(at, at + size);
    at += size;
  }
}

async function cut(entries: readonly RawEntry[], sizes: readonly number[], first: number, last: number) {
  const batches: RawBatch[] = [];
  const rest = entries.filter(({ offset }) => offset >= first && offset <= last);
  for await (const batch of cutBatches(pagesOf(rest, sizes), { first, last }, BOUNDS)) batches.push(batch);
  return batches;
}

const log = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 3 }), items: fc.nat(60), bytes: fc.nat(600) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((records) => {
    let offset = 0;
    return records.map(({ gap, items, bytes }) => {
      offset += gap;
      return raw(offset, items, bytes);
    });
  });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

test('batches cover the range without gaps, bounded, and are the same however it was read and wherever one resumes', async () => {
  await fc.assert(
    fc.asyncProperty(log, sizes, sizes, fc.nat(5), async (entries, someSizes, otherSizes, from) => {
      const [first, last] = [1, entries.at(-1)!.offset + 2];
      const batches = await cut(entries, someSizes, first, last);
      expect([batches[0]!.first, batches.at(-1)!.last]).toEqual([first, last]);
      for (const [at, batch] of batches.entries()) {
        if (at > 0) expect(batch.first).toBe(batches[at - 1]!.last + 1);
        expect(batch.entries.length).toBeLessThanOrEqual(BOUNDS.records);
      }
      expect(batches.flatMap((batch) => batch.entries)).toEqual(entries);
      const resumed = batches[from % batches.length]!;
      expect(await cut(entries, otherSizes, resumed.first, last)).toEqual(batches.slice(from % batches.length));
    }),
  );
});
