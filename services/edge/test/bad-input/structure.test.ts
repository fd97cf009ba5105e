import { gzipSync } from 'node:zlib';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, type Reply, statusOn, TRANSPORTS, type Transport } from './front.ts';
import { ATTACKER, type Cost, LITTLE, unharmed } from './unharmed.ts';

const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});
const MIB = 1024 ** 2;

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return Buffer.from([...bytes, value]);
};
/** A length-delimited field. */
const field = (number: number, content: Buffer): Buffer =>
  Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
const spanWith = (content: Buffer): Buffer => field(1, field(2, field(2, content)));
const IDS = Buffer.concat([
  field(1, Buffer.alloc(16, 1)),
  field(2, Buffer.alloc(8, 2)),
  Buffer.from('390100000000000000', 'hex'),
]);
const good = spanWith(Buffer.concat([IDS, field(5, Buffer.from('name'))]));

const MALFORMED: Readonly<Record<string, Buffer>> = {
  'a truncated export': good.subarray(0, good.length - 3),
  'a varint of 11 bytes': spanWith(Buffer.concat([IDS, Buffer.from('30ffffffffffffffffffff01', 'hex')])),
  'a length past the end': Buffer.from('0aff01', 'hex'),
  'a length of 2^63': Buffer.from('0affffffffffffffff7f', 'hex'),
  'a wrong wire type': spanWith(Buffer.concat([IDS, Buffer.from('2801', 'hex')])),
  'group tags': spanWith(Buffer.concat([IDS, Buffer.from('9b019c01', 'hex')])),
  'a field of number 0': Buffer.from('0200', 'hex'),
};

function nestedValue(depth: number): Buffer {
  // From the inside out: an array in an array, written once, its lengths known beforehand.
  const sizes = [0];
  for (let i = 1; i <= depth; i++) {
    const inner = sizes[i - 1]!;
    const array = 1 + varint(inner).length + inner;
    sizes.push(1 + varint(array).length + array);
  }
  const parts: Buffer[] = [];
  for (let i = depth; i >= 1; i--) {
    const inner = sizes[i - 1]!;
    const array = 1 + varint(inner).length + inner;
    parts.push(Buffer.from([0x2a]), varint(array), Buffer.from([0x0a]), varint(inner));
  }
  return Buffer.concat(parts);
}

const DEPTH = 100_000;
const DEEP: Readonly<Record<string, (transport: Transport) => Buffer>> = {
  'an AnyValue of arrays': (transport) =>
    transport === 'HTTP/JSON'
      ? jsonSpan(`{"key":"deep","value":${'{"arrayValue":{"values":['.repeat(DEPTH)}${']}}'.repeat(DEPTH)}}`)
      : spanWith(
          Buffer.concat([IDS, field(9, Buffer.concat([field(1, Buffer.from('deep')), field(2, nestedValue(DEPTH))]))]),
        ),
  'an unknown field': (transport) =>
    transport === 'HTTP/JSON'
      ? Buffer.from(`{"unknown":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`)
      : Buffer.concat([good, Buffer.alloc(DEPTH, 0x7b)]),
};

function jsonSpan(attributes: string, name = 'name'): Buffer {
  const span = `{"traceId":"${'01'.repeat(16)}","spanId":"${'02'.repeat(8)}","startTimeUnixNano":"1","name":${JSON.stringify(name)},"attributes":[${attributes}]}`;
  return Buffer.from(`{"resourceSpans":[{"scopeSpans":[{"spans":[${span}]}]}]}`);
}

/** Exports that say much with little, and the cost that is bound to them: an item, a key, envelopes. */
const MILLION = 1_000_000;
const HUGE: Readonly<Record<string, (transport: Transport) => Buffer>> = {
  'a million attributes on one span': (transport) =>
    transport === 'HTTP/JSON'
      ? jsonSpan(`${'{"key":"a"},'.repeat(MILLION - 1)}{"key":"a"}`)
      : spanWith(
          Buffer.concat([IDS, ...Array.from({ length: MILLION }, () => Buffer.from([0x4a, 0x03, 0x0a, 0x01, 0x61]))]),
        ),
  'a key of 10 MB': (transport) =>
    transport === 'HTTP/JSON'
      ? jsonSpan(`{"key":"${'k'.repeat(10e6)}","value":{"intValue":1}}`)
      : spanWith(Buffer.concat([IDS, field(9, field(1, Buffer.alloc(10e6, 0x6b)))])),
};
/** JSON may have a million signs, and each envelope has two: more are too large, below. */
const emptyEnvelopes = (transport: Transport): Buffer =>
  transport === 'HTTP/JSON'
    ? Buffer.from(`{"resourceSpans":[${'{},'.repeat(400_000)}{}]}`)
    : Buffer.concat(Array.from({ length: MILLION }, () => Buffer.from([0x0a, 0x00])));

/** Up to 16 MiB of JSON become values, some six times as large; protobuf is walked where it lies. */
const PARSES: Cost = { peakMiB: 6 * 16 + 128, cpuS: 10 };

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  afterAll(() => front.close());
  const send = (transport: Transport, body: Buffer, encoding?: string): Promise<Reply> =>
    front.send({ transport, body, key, encoding });

  for (const transport of ['HTTP/protobuf', 'gRPC'] as const) {
    for (const [what, body] of Object.entries(MALFORMED)) {
      test(`bad input 7 | ${transport} | ${name} | ${what} is malformed, plain and compressed, with a BadRequest`, async () => {
        const replies = await unharmed(front, LITTLE, () =>
          Promise.all([send(transport, body), send(transport, gzipSync(body), 'gzip')]),
        );
        for (const { status, headers, body: said } of replies) {
          expect(status).toBe(statusOn(transport, { http: 400, grpc: 3 }));
          const details =
            transport === 'gRPC' ? Buffer.from(String(headers['grpc-status-details-bin']), 'base64') : said;
          expect(details.toString('latin1')).toContain('google.rpc.BadRequest');
        }
      });
    }
  }

  test(`bad input 7 | HTTP/JSON | ${name} | truncated JSON, wrong types and trailing bytes are malformed`, async () => {
    const bodies = [
      '{"resourceSpans":[',
      '{"resourceSpans":{}}',
      '{"resourceSpans":[1]}',
      '{}{}',
      '',
      'null',
      '[]',
      '\ufeff{',
    ];
    const replies = await unharmed(front, LITTLE, () =>
      Promise.all(bodies.map((body) => send('HTTP/JSON', Buffer.from(body)))),
    );
    expect(replies.map(({ status }) => status)).toEqual(bodies.map(() => 400));
    for (const { body } of replies) expect(JSON.parse(body.toString())).toMatchObject({ code: 3 });
  });

  describe.each(TRANSPORTS)('%s', (transport) => {
    for (const [what, make] of Object.entries(DEEP)) {
      test(`bad input 8 | ${transport} | ${name} | ${what} nested 100,000 deep is malformed`, async () => {
        const reply = await unharmed(front, { ...LITTLE, cpuS: 3 }, () => send(transport, make(transport)));
        expect(reply.status).toBe(statusOn(transport, { http: 400, grpc: 3 }));
      });
    }

    for (const [what, make] of Object.entries(HUGE)) {
      test(`bad input 12 | ${transport} | ${name} | ${what} costs a bounded time and is partial, malformed or too large`, async () => {
        const body = make(transport);
        const replies = await unharmed(front, PARSES, async () => [
          await send(transport, body),
          await send(transport, gzipSync(body), 'gzip'),
        ]);
        const allowed = transport === 'gRPC' ? [0, 3, 8] : [200, 400, 413];
        for (const { status, body: said, headers } of replies) {
          expect(allowed).toContain(status);
          // What is taken has been counted: not all of it, or nothing would have been refused.
          if (status === allowed[0]) expect(said.length).toBeGreaterThan(0);
          expect(headers['retry-after'] ?? headers['google.rpc.retryinfo-bin']).toBeUndefined();
        }
      });
    }

    const count = transport === 'HTTP/JSON' ? '400,000' : 'a million';
    test(`bad input 12 | ${transport} | ${name} | ${count} empty envelopes succeed in a bounded time`, async () => {
      const reply = await unharmed(front, PARSES, () => send(transport, emptyEnvelopes(transport)));
      expect(reply.status).toBe(statusOn(transport, { http: 200, grpc: 0 }));
    });
  });

  test(`bad input 12 | HTTP/JSON | ${name} | more values than a body may have are too large before they are made`, async () => {
    const body = gzipSync(`{"resourceSpans":[${'{},'.repeat(5 * MILLION)}{}]}`);
    const reply = await unharmed(front, { peakMiB: 16 + 96, cpuS: 5 }, () => send('HTTP/JSON', body, 'gzip'));
    expect(reply.status).toBe(413);
    expect(body.length).toBeLessThan(MIB);
  });
});
