import { gzipSync, zstdCompressSync } from 'node:zlib';
import { RejectedWalk } from '@weir/records';
import { type LimitOverrides, TenantDirectory } from '@weir/tenancy';
import { encodeExport } from '@weir/testkit';
import { expect, test } from 'vitest';
import { showLetter } from './dlq-show.ts';
import { letterFilter } from './letter-filter.ts';
import type { Letter } from './letters.ts';
import { rawCopyOf } from './raw-copy.ts';

const META: Letter['meta'] = {
  tenant: 'acme',
  signal: 'logs',
  reason: 'unknown_tenant',
  message: 'there is no such tenant',
  items: 2,
  sourceTopic: 'weir.raw.v1',
  sourcePartition: 3,
  sourceOffset: 7,
  sourceIndex: 0,
  firstSeenNs: 1_700_000_000_000_000_000n,
};
const attributes = [
  { key: 'a', value: { value: { case: 'stringValue', value: '1' } } as const },
  { key: 'b', value: { value: { case: 'stringValue', value: '2' } } as const },
];
const BODY = Buffer.from(
  encodeExport('logs', {
    resourceLogs: [
      { scopeLogs: [{ logRecords: [{ severityText: 'first' }, { severityText: 'second', attributes }] }] },
    ],
  }),
);

function letter(value: Buffer, meta: Partial<Letter['meta']> = {}): Letter {
  return { offset: 12, key: 'weir.raw.v1/3/7/0', meta: { ...META, ...meta }, value };
}

function copyOf(given: Letter, limits: LimitOverrides = {}) {
  const directory = new TenantDirectory('');
  directory.apply('acme', Buffer.concat([Buffer.of(1), Buffer.from(JSON.stringify({ keys: [], limits }))]));
  const made = rawCopyOf(given, (name) => directory.get(name), 5n);
  return made.ok ? made.copy.record.meta : made.why;
}

test.each([
  ['identity', BODY],
  ['gzip', gzipSync(BODY)],
  ['zstd', zstdCompressSync(BODY)],
])('a letter of a body in %s goes in again as it is, received now', (encoding, value) => {
  const same = { tenant: 'acme', signal: 'logs', priority: false, items: 2, bytes: BODY.length, receivedAtNs: 5n };
  expect(copyOf(letter(value))).toEqual({ ...same, encoding, rejected: undefined });
});

test('what is over a limit of its tenant as it is now is rejected', () => {
  const meta = copyOf(letter(BODY), { attributes: { perItem: 1 } });
  const walk = new RejectedWalk();
  walk.open(typeof meta === 'string' ? undefined : meta.rejected);
  expect([walk.next() > 0, walk.next() > 0]).toEqual([false, true]);
});

test.each([
  ['there is no such tenant', letter(BODY, { tenant: 'nobody' })],
  ['it is not known whose it is', letter(BODY, { tenant: '' })],
  ['it cannot be decompressed', letter(Buffer.from('1f8b0000', 'hex'))],
  ['it is not an export of OTLP', letter(Buffer.from('ffff', 'hex'))],
  ['it has not the items that it should', letter(BODY, { items: 3 })],
  ['it has not the items that it should', letter(Buffer.alloc(0), { items: 0 })],
])('%s: such a letter is left', (why, given) => {
  expect(copyOf(given)).toBe(why);
});

test('a letter is shown decoded, and what cannot be decoded by its first bytes', () => {
  expect(showLetter(letter(gzipSync(BODY)), 'waiting')).toMatchObject({
    id: '0:12',
    encoding: 'gzip',
    firstSeen: '2023-11-14T22:13:20.000000Z',
    export: {
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ severityText: 'first' }, { attributes: { length: 2 } }] }] }],
    },
  });
  const text = Buffer.from('not an export');
  for (const given of [letter(text), letter(text, { tenant: '' }), letter(text, { table: 'otel_logs' })]) {
    expect(showLetter(given, 'waiting')).toMatchObject({
      firstBytes: text.toString('hex'),
      undecoded: expect.any(String),
    });
  }
});

test('a filter takes reasons, tenants, signals, ids, keys and times, all of which must fit', () => {
  const nowNs = 1_700_000_000_000_000_000n;
  const fits = (options: Parameters<typeof letterFilter>[0]) => letterFilter(options, nowNs)(letter(BODY));
  const good = [
    {},
    { reason: ['unknown_tenant', 'invalid_time'], tenant: ['acme'], signal: ['logs'], id: ['0:12'] },
    { id: ['weir.raw.v1/3/7/0'] },
    { from: '2023-11-14T22:13:20Z', to: '2023-11-14T22:13:20Z' },
    { from: '1s' },
  ];
  const bad = [
    { reason: ['invalid_time'] },
    { tenant: ['acme2'] },
    { signal: ['traces'] },
    { id: ['0:1'] },
    { from: '2023-11-14T22:13:20.000001Z' },
    { to: '2023-11-14T22:13:19.999999Z' },
    { reason: ['unknown_tenant'], to: '1m' },
  ];
  expect(good.map(fits)).toEqual(good.map(() => true));
  expect(bad.map(fits)).toEqual(bad.map(() => false));
});
