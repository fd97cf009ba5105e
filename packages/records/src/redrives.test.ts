import { expect, test } from 'vitest';
import { decodeRedriveEntry, encodeRedriveEntry, type RedriveEntry } from './redrives.ts';

const ENTRIES: readonly RedriveEntry[] = [
  { kind: 'promote', chunk: 'c', replay: '20261121_101500_3fa9', letters: ['weir.raw.v1/0/1/0'] },
  { kind: 'booking', chunk: 'c', atMs: 1_795_237_200_000 },
  { kind: 'insert', chunk: 'c', atMs: 1, letters: [] },
  { kind: 'done', chunk: 'c' },
  { kind: 'purged', letters: ['a'] },
];

test.each(ENTRIES)('an entry is read as it was written: $kind', (entry) => {
  expect(decodeRedriveEntry(encodeRedriveEntry(entry))).toEqual({ ok: true, value: entry });
});

test.each([
  { kind: 'promote', chunk: 'c', letters: [] },
  { kind: 'promote', chunk: 'c', replay: 'r', letters: [1] },
  { kind: 'booking', chunk: 'c', atMs: 'now' },
  { kind: 'of a newer version', chunk: 'c' },
])('an entry that says too little, or that nobody knows, is refused: %j', (entry) => {
  expect(decodeRedriveEntry(encodeRedriveEntry(entry as never)).ok).toBe(false);
});
