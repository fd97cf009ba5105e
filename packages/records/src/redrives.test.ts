import { expect, test } from 'vitest';
import { decodeRedriveEntry, encodeRedriveEntry, type RedriveEntry } from './redrives.ts';

const ENTRIES: readonly RedriveEntry[] = [
  { kind: 'promote', chunk: 'c', replay: '20261121_101500_3fa9', letters: ['weir.raw.v1/0/1/0'] },
  { kind: 'booking', chunk: 'c', atMs: 1_795_237_200_000 },
  { kind: 'insert', chunk: 'c', atMs: 1, letters: [] },
  {
    kind: 'promote',
    chunk: 'c',
    replay: 'r',
    letters: ['a'],
    booked: [{ tenant: 'acme', signal: 'logs', reason: 'invalid_time', day: 20_000, items: 2 }],
  },
  {
    kind: 'turn',
    replay: 'r',
    run: 'one',
    scope: { track: 'v1', tables: ['otel_logs'], tenants: [], ranges: [{ partition: 0, first: 1, last: 9 }] },
  },
  { kind: 'turn_over', replay: 'r', runs: ['one'] },
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
  { kind: 'promote', chunk: 'c', replay: 'r', letters: [], booked: [{ tenant: 'acme' }] },
  { kind: 'turn', replay: 'r', run: 'one' },
  {
    kind: 'turn',
    replay: 'r',
    run: 'one',
    scope: { track: 'v1', tables: [], tenants: [], ranges: [{ partition: -1 }] },
  },
  { kind: 'turn_over', replay: 'r' },
  { kind: 'of a newer version', chunk: 'c' },
])('an entry that says too little, or that nobody knows, is refused: %j', (entry) => {
  expect(decodeRedriveEntry(encodeRedriveEntry(entry as never)).ok).toBe(false);
});
