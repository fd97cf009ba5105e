import { randomBytes } from 'node:crypto';
import { encodeExport } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, GRPC_PATHS, grpcFrame, statusOn, TRANSPORTS, type Transport } from './front.ts';
import { ATTACKER, LITTLE, NEIGHBOUR, unharmed } from './unharmed.ts';

const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});
const TYPES = { 'HTTP/protobuf': 'application/x-protobuf', 'HTTP/JSON': 'application/json' } as const;

/** None of these is one of the three paths, byte for byte. */
const PATHS = [
  '/v1/nothing',
  '//v1/traces',
  '/v1//traces',
  '/v1/traces/',
  '/v1/%74races',
  '/%2e%2e/v1/traces',
  '/v1/x/../traces',
  '/v1/x/%2e%2e/traces',
  '/v1/x/..%2ftraces',
  '/v1/traces;x=1',
  '/v1/traces%00',
  '/v1\\traces',
  '/V1/TRACES',
  'v1/traces',
  '*',
];
/** One of the three by another way: only the key decides. */
const WAYS = ['/v1/traces?x=1', '/v1/traces#x', 'http://elsewhere/v1/traces', 'https://elsewhere:1/v1/traces?y'];

const statusLine = (said: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(said)?.[1] ?? 0);

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  afterAll(() => front.close());

  for (const transport of ['HTTP/protobuf', 'HTTP/JSON'] as const) {
    const of = (behaviour: string) => `bad input 14 | ${transport} | ${name} | ${behaviour}`;
    const ask = async (line: string, options: { keyed: boolean; type?: string; extra?: string }) => {
      const authorization = options.keyed ? `authorization: Bearer ${key}\r\n` : '';
      const type = options.type ?? TYPES[transport];
      const head = `${line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: ${type}\r\n${authorization}`;
      return statusLine(await front.raw(`${head}content-length: 2\r\n${options.extra ?? ''}\r\n{}`));
    };

    test(of('paths that are not served are 404 or malformed, with a key and without'), async () => {
      const statuses = await unharmed(front, LITTLE, () =>
        Promise.all(
          PATHS.flatMap((path) =>
            [true, false].map(async (keyed) => [path, await ask(`POST ${path}`, { keyed })] as const),
          ),
        ),
      );
      for (const [path, status] of statuses) expect([path, [400, 404].includes(status)]).toEqual([path, true]);
    });

    test(of('another way to write a path that is served does not pass by authentication'), async () => {
      const statuses = await unharmed(front, LITTLE, () =>
        Promise.all(WAYS.map((path) => ask(`POST ${path}`, { keyed: false }))),
      );
      for (const status of statuses) expect([400, 401, 404]).toContain(status);
    });

    test(of('other methods are 405 or refused, with a key and without'), async () => {
      const methods = ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE'];
      const statuses = await unharmed(front, LITTLE, () =>
        Promise.all(methods.flatMap((method) => [true, false].map((keyed) => ask(`${method} /v1/traces`, { keyed })))),
      );
      expect(statuses.slice(0, 2)).toEqual([405, 405]);
      for (const status of statuses) expect([405, 501, 403, 400]).toContain(status);
      for (const line of ['CONNECT localhost:443', 'PRI *', 'BREW /v1/traces']) {
        // 0: closed without a word.
        expect([0, 400, 403, 404, 405, 501]).toContain(await ask(line, { keyed: true }));
      }
    });

    test(of('another content type is 415, and without a key 401'), async () => {
      const types = [
        'text/plain',
        'application/x-protobuf2',
        'multipart/form-data; boundary=x',
        'application/json,text/html',
        ' ',
      ];
      const statuses = await unharmed(front, LITTLE, () =>
        Promise.all(types.map((type) => ask('POST /v1/traces', { keyed: true, type }))),
      );
      expect(statuses).toEqual(types.map(() => 415));
      expect(await ask('POST /v1/traces', { keyed: false, type: 'text/plain' })).toBe(401);
    });
  }

  test(`bad input 14 | gRPC | ${name} | other services, methods, paths and content types are not served, with a key and without`, async () => {
    const good = GRPC_PATHS.traces;
    const paths = [
      '/',
      '/x',
      `/${good}`,
      `${good}/`,
      good.slice(1),
      good.toLowerCase(),
      good.replace('/E', '%2fE'),
      `${good}2`,
    ];
    const replies = await unharmed(front, LITTLE, () =>
      Promise.all(
        paths.flatMap((path) =>
          [{ authorization: `Bearer ${key}` }, {}].map((headers) =>
            front.grpcStream(headers as Record<string, string>, grpcFrame(Buffer.alloc(0)), { path }),
          ),
        ),
      ),
    );
    // UNIMPLEMENTED, or a stream that is reset where the path is none at all.
    for (const { status } of replies) expect([12, -1]).toContain(status);
    const typed = await front.grpcStream({ 'content-type': 'text/plain' }, grpcFrame(Buffer.alloc(0)));
    expect(typed.status).not.toBe(0);
    expect(Number(typed.headers[':status'])).toBeGreaterThanOrEqual(400);
    const query = await front.grpcStream({}, grpcFrame(Buffer.alloc(0)), { path: `${good}?x=1` });
    expect([12, 16]).toContain(query.status);
  });

  describe.each(TRANSPORTS)('%s', (transport) => {
    test(`bad input 16 | ${transport} | ${name} | another tenant's id in headers and attributes is ignored and overwritten`, async () => {
      const traceId = randomBytes(16);
      const headers = Object.fromEntries(
        ['x-weir-tenant', 'x-tenant-id', 'x-scope-orgid', 'tenant', 'tenantid', 'x-weir-priority', 'x-weir-edge'].map(
          (header) => [header, NEIGHBOUR],
        ),
      );
      const reply = await unharmed(front, LITTLE, () =>
        front.send({ transport, body: spanOf(transport, traceId), key, headers }),
      );
      expect(reply.status).toBe(statusOn(transport, { http: 200, grpc: 0 }));
      const sql = `SELECT groupUniqArray(TenantId) AS tenants FROM otel_traces WHERE TraceId = '${traceId.toString('hex')}'`;
      const { tenants } = await stack.until<{ tenants: string[] }>(sql, ({ tenants }) => tenants.length > 0);
      expect(tenants).toEqual([ATTACKER]);
    });

    /** Exports that came to the edges of v2; the neighbour's never do. */
    const toV2 = () => stack.metric('edge-v2', 'weir_edge_received_exports_total');
    const versions: readonly (readonly [string, Readonly<Record<string, string | string[]>>, 0 | 1])[] = [
      ['v2', { 'x-ingest-version': 'v2' }, 1],
      ['v2,v3', { 'x-ingest-version': 'v2,v3' }, 0],
      ['V2', { 'x-ingest-version': 'V2' }, 0],
      ['v2 and a NUL’s escape', { 'x-ingest-version': 'v2%00' }, 0],
      ['v99', { 'x-ingest-version': 'v99' }, 0],
      ['an empty version', { 'x-ingest-version': '' }, 0],
      // Of several fields, one that is v2 is enough; a list in one field is the name of no track.
      ['v2 twice', { 'x-ingest-version': ['v2', 'v2'] }, 1],
      ['v1 and v2', { 'x-ingest-version': ['v1', 'v2'] }, 1],
      ['v1 and v3', { 'x-ingest-version': ['v1', 'v3'] }, 0],
    ];
    /** Node's client for HTTP/1.1 joins fields of a name. */
    const sendVersion = async (headers: Readonly<Record<string, string | string[]>>): Promise<number> => {
      const body = spanOf(transport, randomBytes(16));
      const version = headers['x-ingest-version']!;
      if (transport === 'gRPC' || !Array.isArray(version))
        return (await front.send({ transport, body, key, headers })).status;
      const fields = version.map((each) => `x-ingest-version: ${each}\r\n`).join('');
      const head = `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: ${TYPES[transport]}\r\n${fields}`;
      const bytes = Buffer.from(`${head}authorization: Bearer ${key}\r\ncontent-length: ${body.length}\r\n\r\n`);
      return statusLine(await front.raw(Buffer.concat([bytes, body])));
    };
    test.each(versions)(
      `bad input 18 | ${transport} | ${name} | x-ingest-version %s takes its written route`,
      async (_what, headers, v2) => {
        const before = await toV2();
        const status = await unharmed(front, LITTLE, () => sendVersion(headers));
        expect(status).toBe(statusOn(transport, { http: 200, grpc: 0 }));
        // An edge's own port is its track's: it does not read the header.
        expect((await toV2()) - before).toBe(name === 'Envoy' ? v2 : 0);
      },
    );

    test(`bad input 18 | ${transport} | ${name} | x_ingest_version ${name === 'Envoy' ? 'is refused' : 'is not read'}`, async () => {
      const before = await toV2();
      const headers = { x_ingest_version: 'v2' };
      const reply = await unharmed(front, LITTLE, () =>
        front.send({ transport, body: spanOf(transport, randomBytes(16)), key, headers }),
      );
      if (name === 'Envoy') expect([400, -1, 13]).toContain(reply.status);
      else expect(reply.status).toBe(statusOn(transport, { http: 200, grpc: 0 }));
      expect(await toV2()).toBe(before);
    });
  });
});

function spanOf(transport: Transport, traceId: Buffer): Buffer {
  const others = ['TenantId', 'tenant', 'tenant.id', 'weir.tenant'];
  if (transport === 'HTTP/JSON') {
    const attributes = others.map((name) => ({ key: name, value: { stringValue: NEIGHBOUR } }));
    const span = { traceId: traceId.toString('hex'), spanId: '07'.repeat(8), startTimeUnixNano: '1', attributes };
    return Buffer.from(
      JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] }),
    );
  }
  const attributes = others.map((name) => ({
    key: name,
    value: { value: { case: 'stringValue' as const, value: NEIGHBOUR } },
  }));
  const span = { traceId, spanId: Buffer.alloc(8, 7), startTimeUnixNano: 1n, attributes };
  return Buffer.from(
    encodeExport('traces', { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] }),
  );
}
