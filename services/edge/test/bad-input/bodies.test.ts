import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { encodeExport } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, grpcFrame, statusOn, TRANSPORTS } from './front.ts';
import { ATTACKER, LITTLE, unharmed } from './unharmed.ts';

const MIB = 1024 ** 2;
const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});

const GIB_OF_ZEROS = Array.from({ length: 16 }, () => Buffer.alloc(64 * MIB));
/** A gigabyte in one member, and in many: of each, a small part is sent. */
const BOMBS = {
  'gzip bomb of one member': { encoding: 'gzip', body: gzipSync(Buffer.alloc(512 * MIB)) },
  'gzip bomb of 512 members': { encoding: 'gzip', body: repeat(gzipSync(Buffer.alloc(2 * MIB)), 512) },
  'zstd bomb of one frame': { encoding: 'zstd', body: zstdCompressSync(Buffer.alloc(512 * MIB)) },
  'zstd bomb of 512 frames': { encoding: 'zstd', body: repeat(zstdCompressSync(Buffer.alloc(2 * MIB)), 512) },
  'deflate bomb': { encoding: 'deflate', body: deflateSync(Buffer.alloc(512 * MIB)) },
} as const;

/** The cap of 64 MiB, which zlib holds twice while its parts are joined, and the ordinary. */
const INFLATES = { peakMiB: 2 * 64 + 96 };

function repeat(member: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => member));
}

const export_ = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'x' }] }] }] }));

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  afterAll(() => front.close());

  describe.each(TRANSPORTS)('%s', (transport) => {
    const of = (row: number, behaviour: string) => `bad input ${row} | ${transport} | ${name} | ${behaviour}`;

    for (const [what, { encoding, body }] of Object.entries(BOMBS)) {
      test(of(1, `a ${what} is too large, its output capped`), async () => {
        const reply = await unharmed(front, INFLATES, () => front.send({ transport, body, encoding, key }));
        expect(reply.status).toBe(statusOn(transport, { http: 413, grpc: 8 }));
        expect(reply.headers['retry-after'] ?? reply.headers['google.rpc.retryinfo-bin']).toBeUndefined();
      });
    }

    const whole = { gzip: gzipSync(export_), zstd: zstdCompressSync(export_), deflate: deflateSync(export_) };
    for (const [encoding, good] of Object.entries(whole)) {
      test(of(2, `truncated, empty and garbage ${encoding} is malformed`), async () => {
        const bodies = [good.subarray(0, good.length - 6), Buffer.alloc(0), Buffer.alloc(300, 0xa5)];
        const replies = await unharmed(front, LITTLE, () =>
          Promise.all(bodies.map((body) => front.send({ transport, body, encoding, key }))),
        );
        const malformed = statusOn(transport, { http: 400, grpc: 3 });
        expect(replies.map(({ status }) => status)).toEqual([malformed, malformed, malformed]);
      });
    }

    test(of(3, 'an unknown and a nested encoding are refused before anything is inflated'), async () => {
      const replies = await unharmed(front, LITTLE, () =>
        Promise.all(
          ['br', 'gzip, gzip', 'gzip,zstd', 'x-evil'].map((encoding) =>
            front.send({ transport, body: whole.gzip, encoding, key }),
          ),
        ),
      );
      const unsupported = statusOn(transport, { http: 415, grpc: 12 });
      expect(replies.map(({ status }) => status)).toEqual([unsupported, unsupported, unsupported, unsupported]);
    });
  });

  for (const transport of ['HTTP/protobuf', 'HTTP/JSON'] as const) {
    const type = transport === 'HTTP/JSON' ? 'application/json' : 'application/x-protobuf';
    const head = () =>
      `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: ${type}\r\n`;

    test(`bad input 4 | ${transport} | ${name} | a Content-Length above the limit is 413 before a byte of it is read`, async () => {
      const answer = await unharmed(front, LITTLE, async () => {
        const socket = await front.connect('http');
        socket.write(`${head()}content-length: ${65 * MIB}\r\n\r\n`);
        return firstLine(socket);
      });
      expect(answer).toContain(' 413 ');
    });

    test(`bad input 4 | ${transport} | ${name} | an endless chunked body is 413 at the limit, and its connection closed`, async () => {
      // The body up to its limit, beside the ordinary.
      const answer = await unharmed(front, { peakMiB: 64 + 96 }, async () => {
        const socket = await front.connect('http');
        const line = firstLine(socket);
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.write(`${head()}transfer-encoding: chunked\r\n\r\n`);
        const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, 0x20), Buffer.from('\r\n')]);
        let sent = 0;
        while (!socket.destroyed && socket.writable && sent < 20_000) {
          sent++;
          await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
        }
        await closed;
        return { line: await line, sent };
      });
      expect(answer.line).toContain(' 413 ');
      expect(answer.sent).toBeLessThan(20_000);
    });
  }

  test(`bad input 4 | gRPC | ${name} | a message that goes on beyond the limit is RESOURCE_EXHAUSTED without RetryInfo`, async () => {
    const bytes = Buffer.concat([grpcFrame(Buffer.alloc(0), false, 65 * MIB), ...GIB_OF_ZEROS.slice(0, 2)]);
    const reply = await unharmed(front, { peakMiB: 64 + 96 }, () =>
      front.grpcStream({ authorization: `Bearer ${key}` }, bytes, { end: false }),
    );
    expect(reply.status).toBe(8);
    expect(reply.headers['google.rpc.retryinfo-bin']).toBeUndefined();
  });

  for (const encoding of [undefined, 'gzip']) {
    test(`bad input 6 | gRPC | ${name} | a length prefix of 2^31-1 (${encoding ?? 'identity'}) is RESOURCE_EXHAUSTED, and nothing is allocated for it`, async () => {
      const bytes = grpcFrame(Buffer.alloc(100), encoding !== undefined, 2 ** 31 - 1);
      const headers = {
        authorization: `Bearer ${key}`,
        ...(encoding === undefined ? {} : { 'grpc-encoding': encoding }),
      };
      const replies = await unharmed(front, LITTLE, () =>
        Promise.all(Array.from({ length: 20 }, () => front.grpcStream(headers, bytes, { end: false }))),
      );
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([8]));
    });
  }
});

function firstLine(socket: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      if (text.includes('\r\n')) resolve(text.slice(0, text.indexOf('\r\n')));
    });
    socket.once('close', () => resolve(text));
  });
}
