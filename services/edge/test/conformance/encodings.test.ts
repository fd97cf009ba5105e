import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { GRPC_METHODS, GrpcWire, grpcFrame, Http1Wire, http1Bytes, type WireOutcome, wireTarget } from '@weir/testkit';
import { Compressor, compressSync } from 'snappy';
import { beforeAll, expect, test } from 'vitest';
import { oneItem } from './made-exports.ts';
import { behaves, ON, stack, title, wireTo } from './row.ts';

const MIB = 1024 ** 2;
/** The default, which the shared stack has. */
const BODY_BYTES_MAX = 64 * MIB;

/** The framing format, as one uncompressed chunk after another would be: made by the library. */
async function framed(plain: Buffer): Promise<Buffer> {
  const compressor = new Compressor();
  return Buffer.concat([compressor.update(plain), await compressor.finish()]);
}

const ENCODINGS = [
  ['none', undefined, (plain: Buffer) => plain],
  ['gzip', 'gzip', (plain: Buffer) => gzipSync(plain)],
  ['zstd', 'zstd', (plain: Buffer) => zstdCompressSync(plain)],
  ['deflate', 'deflate', (plain: Buffer) => deflateSync(plain)],
  ['snappy as a block', 'snappy', (plain: Buffer) => compressSync(plain)],
  ['snappy framed', 'snappy', framed],
  ['x-snappy-framed', 'x-snappy-framed', framed],
] as const;

// Sent all at once, and waited for once: each test looks at its own.
const outcomes = new Map<string, WireOutcome>();
const stored = new Map<string, number>();
const cases = ENCODINGS.flatMap(([what, name, of]) =>
  ON.all.flatMap((transport) =>
    (['edge', 'Envoy'] as const).map((place) => ({
      what,
      name,
      of,
      transport,
      place,
      id: `enc ${what} ${transport} ${place}`,
    })),
  ),
);

beforeAll(async () => {
  for (const { transport, place, id, name, of } of cases) {
    const plain = oneItem('traces', id);
    const key = stack.key('demo');
    if (name === undefined) {
      outcomes.set(id, await wireTo(place).send(transport, { signal: 'traces', body: plain, key }));
      continue;
    }
    const { toSent } = await sentAs(transport, plain, of);
    outcomes.set(
      id,
      await wireTo(place).send(transport, { signal: 'traces', body: plain, key, compress: { name, of: () => toSent } }),
    );
  }
  const sql = `SELECT count() AS n FROM otel_traces WHERE SpanName LIKE 'enc %'`;
  await stack.until<{ n: string }>(sql, ({ n }) => Number(n) >= cases.length).catch(() => undefined);
  const rows = await stack.query<{ name: string; n: string }>(
    `SELECT SpanName AS name, count() AS n FROM otel_traces WHERE SpanName LIKE 'enc %' GROUP BY name`,
  );
  for (const { name, n } of rows) stored.set(name, Number(n));
});

/** The compressed body: the transport's own bytes, JSON where it is that. */
async function sentAs(transport: string, plain: Buffer, of: (plain: Buffer) => Buffer | Promise<Buffer>) {
  const { encodeJsonExport } = await import('@weir/testkit');
  const bytes = transport === 'HTTP/JSON' ? Buffer.from(encodeJsonExport('traces', plain)) : plain;
  return { toSent: await of(bytes) };
}

for (const { what, transport, place, id } of cases) {
  test(title(1, transport, place, `${what} is accepted, and stored`), () => {
    expect(outcomes.get(id)).toMatchObject({ http: 200, code: 0, partial: { set: false } });
    expect(stored.get(id)).toBe(1);
  });
}

behaves(
  1,
  'the name of an encoding may be in any case',
  async ({ transport, wire }) => {
    const compress = { name: 'GZip', of: (plain: Buffer) => gzipSync(plain) };
    const body = oneItem('traces', 'case');
    expect(await wire.send(transport, { signal: 'traces', body, key: stack.key('demo'), compress })).toMatchObject({
      http: 200,
    });
  },
  ON.http,
);

const TOO_LARGE = { code: 8, status: { code: 8, details: [] } };

behaves(
  2,
  'a body declared as larger than 64 MiB is 413 before it is sent',
  async ({ transport, place }) => {
    const { http, ca } = wireTarget(stack, place);
    const wire = await Http1Wire.open(http, { ca });
    const type = transport === 'HTTP/JSON' ? 'application/json' : 'application/x-protobuf';
    const headers = [
      ['content-type', type],
      ['x-api-key', stack.key('demo')],
      ['content-length', String(BODY_BYTES_MAX + 1)],
    ] as const;
    wire.write(http1Bytes({ path: '/v1/traces', headers }));
    expect((await wire.answer())?.status).toBe(413);
    wire.destroy();
  },
  ON.http,
);

behaves(
  2,
  'a body of 65 MiB is answered 413, and its sender sees it',
  async ({ wire }) => {
    const body = Buffer.alloc(BODY_BYTES_MAX + MIB);
    const outcome = await wire.send('HTTP/protobuf', { signal: 'traces', body, key: stack.key('demo') });
    expect(outcome).toMatchObject({ http: 413, ...TOO_LARGE });
    expect(outcome.headers['retry-after']).toBeUndefined();
  },
  ON.protobuf,
);

behaves(
  2,
  'a message whose length says more than 64 MiB is RESOURCE_EXHAUSTED without RetryInfo before it is sent',
  async ({ place }) => {
    const { grpc, ca } = wireTarget(stack, place);
    const wire = new GrpcWire(grpc, { ca });
    const { stream, answer } = wire.open(GRPC_METHODS.traces, { 'x-api-key': stack.key('demo') });
    stream.write(grpcFrame(Buffer.alloc(10), false, BODY_BYTES_MAX + 1));
    const found = await answer;
    expect(found).toMatchObject(TOO_LARGE);
    expect(found.headers['google.rpc.retryinfo-bin']).toBeUndefined();
    wire.destroy();
  },
  ON.grpc,
);

for (const [what, name, of] of [
  ['gzip', 'gzip', (plain: Buffer) => gzipSync(plain, { level: 1 })],
  ['zstd', 'zstd', (plain: Buffer) => zstdCompressSync(plain)],
  ['deflate', 'deflate', (plain: Buffer) => deflateSync(plain, { level: 1 })],
  ['snappy', 'snappy', (plain: Buffer) => compressSync(plain)],
] as const) {
  behaves(
    2,
    `a body of ${what} that becomes larger than 64 MiB is 413 or RESOURCE_EXHAUSTED without RetryInfo`,
    async ({ transport, wire }) => {
      const bomb = of(Buffer.alloc(BODY_BYTES_MAX + 1, ' '));
      const outcome = await wire.send(transport, {
        signal: 'traces',
        body: '',
        key: stack.key('demo'),
        compress: { name, of: () => bomb },
      });
      expect(outcome).toMatchObject({ http: transport === 'gRPC' ? 200 : 413, ...TOO_LARGE });
      expect(outcome.headers['retry-after']).toBeUndefined();
      expect(outcome.headers['google.rpc.retryinfo-bin']).toBeUndefined();
    },
  );
}

behaves(
  15,
  'an unknown grpc-encoding is UNIMPLEMENTED, and the answer names those that are known',
  async ({ wire }) => {
    const compress = { name: 'br', of: (plain: Buffer) => plain };
    const outcome = await wire.send('gRPC', {
      signal: 'traces',
      body: oneItem('traces', 'br'),
      key: stack.key('demo'),
      compress,
    });
    expect(outcome).toMatchObject({ code: 12, status: { code: 12 } });
    expect(outcome.headers['grpc-accept-encoding']?.split(',')).toEqual(
      expect.arrayContaining(['identity', 'gzip', 'zstd']),
    );
  },
  ON.grpc,
);
