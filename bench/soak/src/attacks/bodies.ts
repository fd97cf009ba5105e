import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createKey } from '@weir/tenancy';
import { encodeExport } from '@weir/testkit';
import type { Attack } from './attack.ts';
import { callWith, message, post } from './sending.ts';

const MIB = 1024 ** 2;
const ZEROS = Buffer.alloc(256 * MIB);
const GZIP_BOMB = gzipSync(ZEROS, { level: 9 });
const ZSTD_BOMB = zstdCompressSync(ZEROS);
const DEEP = 100_000;
const DEEP_JSON = `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${'{"arrayValue":{"values":['.repeat(DEEP)}${']}}'.repeat(DEEP)}}]}}]}`;
const EMPTY_ENVELOPES = Buffer.alloc(2 * MIB, Buffer.of(10, 0));
const MANY_ATTRIBUTES = 200_000;
const KEYS_A_ROUND = 100;
const GRPC_LENGTH = 2 ** 31 - 1;

function span(attributes: number): Buffer {
  const start = BigInt(Date.now()) * 1_000_000n;
  const made = {
    traceId: randomBytes(16),
    spanId: randomBytes(8),
    startTimeUnixNano: start,
    attributes: Array.from({ length: attributes }, (_, i) => ({
      key: `k${i}`,
      value: { value: { case: 'intValue' as const, value: BigInt(i) } },
    })),
  };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

/** What lies in a body. */
export const BODY_ATTACKS: readonly Attack[] = [
  {
    name: 'gzip-bomb',
    what: '256 MiB in 256 KiB of gzip',
    pauseMs: 500,
    allowed: /^HTTP (413|429|503)$/,
    run: (target) => post(target, GZIP_BOMB, { 'content-encoding': 'gzip' }),
  },
  {
    name: 'zstd-bomb',
    what: '256 MiB in some KiB of zstd',
    pauseMs: 500,
    allowed: /^HTTP (413|429|503)$/,
    run: (target) => post(target, ZSTD_BOMB, { 'content-encoding': 'zstd' }),
  },
  {
    name: 'garbage',
    what: '64 KiB of random bytes as gzip',
    pauseMs: 100,
    allowed: /^HTTP (400|429|503)$/,
    run: (target) => post(target, randomBytes(64 * 1024), { 'content-encoding': 'gzip' }),
  },
  {
    name: 'truncated',
    what: 'an export that ends in the middle',
    pauseMs: 100,
    allowed: /^HTTP (400|429|503)$/,
    run: (target) => post(target, span(20).subarray(0, -7)),
  },
  {
    name: 'deep-json',
    what: 'JSON nested 100,000 deep',
    pauseMs: 500,
    allowed: /^HTTP (400|429|503)$/,
    run: (target) => post(target, DEEP_JSON, { 'content-type': 'application/json' }),
  },
  {
    name: 'empty-envelopes',
    what: 'a million empty resource spans',
    pauseMs: 1_000,
    allowed: /^HTTP (200|413|429|503)$/,
    run: (target) => post(target, EMPTY_ENVELOPES),
  },
  {
    name: 'attributes',
    what: `a span with ${MANY_ATTRIBUTES.toLocaleString('en-US')} attributes`,
    pauseMs: 2_000,
    allowed: /^HTTP (200|400|413|429|503)$/,
    run: (target) => post(target, gzipSync(span(MANY_ATTRIBUTES)), { 'content-encoding': 'gzip' }),
  },
  {
    name: 'random-keys',
    what: `${KEYS_A_ROUND} exports with keys that nobody has`,
    pauseMs: 500,
    allowed: /^HTTP (401|503)$/,
    run: async (target) => {
      const body = span(1);
      const answers = new Set<string>();
      for (let i = 0; i < KEYS_A_ROUND; i++) answers.add(await post({ ...target, key: createKey().key }, body));
      return [...answers].toSorted().join(' and ');
    },
  },
  {
    name: 'long-message',
    what: 'a gRPC message that claims 2 GiB',
    pauseMs: 500,
    allowed: /^(gRPC (8|14)|cut)$/,
    run: (target) => callWith(target, message(Buffer.alloc(100), GRPC_LENGTH)),
  },
  {
    name: 'grpc-garbage',
    what: '64 KiB of random bytes as a gRPC message',
    pauseMs: 200,
    allowed: /^gRPC (3|8|14)$/,
    run: (target) => callWith(target, message(randomBytes(64 * 1024))),
  },
];
