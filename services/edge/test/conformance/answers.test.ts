import { gunzipSync } from 'node:zlib';
import { SIGNALS, type SignalKind } from '@weir/pipeline';
import {
  decodeRpcStatus,
  GRPC_METHODS,
  GrpcWire,
  grpcFrame,
  Http1Wire,
  http1Bytes,
  type WireTransport,
  wireTarget,
} from '@weir/testkit';
import { expect } from 'vitest';
import { oneItem } from './made-exports.ts';
import { behaves, ON, type RowCase, stack } from './row.ts';

const key = () => stack.key('demo');
const TYPES: Readonly<Record<WireTransport, string>> = {
  'HTTP/protobuf': 'application/x-protobuf',
  'HTTP/JSON': 'application/json',
  gRPC: 'application/grpc',
};

/** Sends one request by hand; the answer's body is read as a Status in the encoding that it names. */
async function ask(
  { transport, place }: RowCase,
  request: {
    method?: string;
    path?: string;
    headers?: readonly (readonly [string, string])[];
    body?: string;
    type?: string | null;
    noKey?: boolean;
  },
) {
  const { http, ca } = wireTarget(stack, place);
  const wire = await Http1Wire.open(http, { ca });
  const body = Buffer.from(request.body ?? '');
  const type = request.type === undefined ? TYPES[transport] : request.type;
  const headers = [
    ...(type === null ? [] : ([['content-type', type]] as const)),
    ...(request.noKey === true ? [] : ([['x-api-key', key()]] as const)),
    ['content-length', String(body.length)] as const,
    ...(request.headers ?? []),
  ];
  wire.write(http1Bytes({ method: request.method ?? 'POST', path: request.path ?? '/v1/traces', headers, body }));
  const answer = await wire.answer();
  wire.destroy();
  if (answer === undefined) throw new Error('there was no answer');
  return { ...answer, type: answer.headers.get('content-type')?.[0] };
}

for (const signal of SIGNALS) {
  behaves(4, `${signal} are served at their path, on their port`, async ({ transport, wire }) => {
    const outcome = await wire.send(transport, { signal, body: oneItem(signal, 'path'), key: key() });
    expect(outcome).toMatchObject({ http: 200, code: 0 });
  });

  behaves(9, `an empty request of ${signal} succeeds`, async ({ transport, wire }) => {
    const outcome = await wire.send(transport, { signal, body: Buffer.alloc(0), key: key() });
    expect(outcome).toMatchObject({ http: 200, code: 0, partial: { set: false } });
  });

  behaves(9, `empty envelopes of ${signal} succeed`, async ({ transport, wire }) => {
    for (const body of emptyEnvelopes(signal)) {
      const outcome = await wire.send(transport, {
        signal,
        body: transport === 'HTTP/JSON' ? body.json : body.bytes,
        key: key(),
      });
      expect(outcome).toMatchObject({ http: 200, code: 0, partial: { set: false } });
    }
  });

  behaves(7, `a full success of ${signal} has no partial_success: 0 bytes, or {}`, async ({ transport, wire }) => {
    const outcome = await wire.send(transport, { signal, body: oneItem(signal, 'full'), key: key() });
    expect([outcome.http, outcome.code]).toEqual([200, 0]);
    expect(outcome.body.toString()).toBe(transport === 'HTTP/JSON' ? '{}' : '');
  });
}

/** One empty resource, and one with an empty scope. */
function emptyEnvelopes(signal: SignalKind): { bytes: Buffer; json: string }[] {
  const name = { traces: 'Spans', logs: 'Logs', metrics: 'Metrics' }[signal];
  return [
    { bytes: Buffer.of(10, 0), json: `{"resource${name}":[{}]}` },
    { bytes: Buffer.of(10, 2, 18, 0), json: `{"resource${name}":[{"scope${name}":[{}]}]}` },
  ];
}

behaves(
  4,
  'the development service of profiles, which is not served, is 404 with a Status',
  async (at) => {
    const answer = await ask(at, { path: '/v1development/profiles', body: at.transport === 'HTTP/JSON' ? '{}' : '' });
    expect([answer.status, answer.type]).toEqual([404, TYPES[at.transport]]);
    expect(decodeRpcStatus(answer.body, at.transport === 'HTTP/JSON' ? 'json' : 'protobuf').code).toBe(12);
  },
  ON.http,
);

const UNKNOWN = [
  [
    4,
    'the development service of profiles, which is not served,',
    '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export',
  ],
  [15, 'an unknown service', '/opentelemetry.proto.collector.trace.v2.TraceService/Export'],
  [15, 'an unknown method of a known service', '/opentelemetry.proto.collector.trace.v1.TraceService/Import'],
  [15, 'a service of somebody else', '/grpc.health.v1.Health/Check'],
] as const;

for (const [row, what, path] of UNKNOWN) {
  behaves(
    row,
    `${what} is UNIMPLEMENTED with a Status`,
    async ({ wire }) => {
      const outcome = await wire.send('gRPC', { signal: 'traces', body: Buffer.alloc(0), key: key(), path });
      expect(outcome).toMatchObject({ http: 200, code: 12, status: { code: 12 } });
      expect(outcome.status?.message).toContain('TraceService');
    },
    ON.grpc,
  );
}

behaves(
  15,
  'a client that goes on sending to an unknown method is cut off',
  async ({ place }) => {
    const { grpc, ca } = wireTarget(stack, place);
    const wire = new GrpcWire(grpc, { ca });
    const { stream, answer } = wire.open('/opentelemetry.proto.collector.trace.v2.TraceService/Export');
    stream.write(Buffer.alloc(100));
    expect(await answer).toMatchObject({ code: 12 });
    wire.destroy();
  },
  ON.grpc,
);

behaves(
  5,
  'protobuf and JSON are told apart by Content-Type, on one connection',
  async ({ place }) => {
    const { http, ca } = wireTarget(stack, place);
    const wire = await Http1Wire.open(http, { ca });
    const send = (type: string, body: Buffer) => {
      const headers = [
        ['content-type', type],
        ['x-api-key', key()],
        ['content-length', String(body.length)],
      ] as const;
      wire.write(http1Bytes({ path: '/v1/logs', headers, body }));
      return wire.answer();
    };
    for (let i = 0; i < 2; i++) {
      const json = await send('application/json', Buffer.from('{"resourceLogs":[]}'));
      expect([json?.status, json?.headers.get('content-type')]).toEqual([200, ['application/json']]);
      const protobuf = await send('application/x-protobuf', oneItem('logs', 'one port'));
      expect([protobuf?.status, protobuf?.headers.get('content-type')]).toEqual([200, ['application/x-protobuf']]);
    }
    wire.destroy();
  },
  ON.http.slice(0, 1),
);

for (const suffix of ['; charset=utf-8', ';charset="utf-8"; foo=bar', ' ; encoding=delimited']) {
  behaves(
    5,
    `a media type may have parameters, as in \`type${suffix}\``,
    async (at) => {
      const type = at.transport === 'HTTP/JSON' ? 'Application/JSON' : 'Application/X-Protobuf';
      const answer = await ask(at, { type: `${type}${suffix}`, body: at.transport === 'HTTP/JSON' ? '{}' : '' });
      expect([answer.status, answer.type]).toEqual([200, TYPES[at.transport]]);
    },
    ON.http,
  );
}

const REFUSED = [
  ['an unknown path', 404, 12, { path: '/v1/nothing' }],
  ['GET', 405, 12, { method: 'GET' }],
  ['PUT', 405, 12, { method: 'PUT' }],
  ['an unknown Content-Encoding', 415, 12, { headers: [['content-encoding', 'br']] }],
  ['a body that cannot be decoded', 400, 3, { body: '\u0001{' }],
  ['a request without a key', 401, 16, { noKey: true }],
  ['an unknown version of a path', 404, 12, { path: '/v2/traces?x=1' }],
] as const;

for (const [what, status, code, request] of REFUSED) {
  behaves(
    10,
    `${what} is ${status}, its body a google.rpc.Status in the request's encoding`,
    async (at) => {
      const answer = await ask(at, request);
      expect([answer.status, answer.type]).toEqual([status, TYPES[at.transport]]);
      const found = decodeRpcStatus(answer.body, at.transport === 'HTTP/JSON' ? 'json' : 'protobuf');
      expect(found.code).toBe(code);
      expect(found.message).not.toBe('');
    },
    ON.http,
  );
}

behaves(
  10,
  'an unknown Content-Type is 415 with a Status, and so is none; in protobuf, since neither encoding was asked for',
  async (at) => {
    for (const type of ['text/plain', null]) {
      const answer = await ask(at, { type, body: 'x' });
      expect([answer.status, answer.type]).toEqual([415, 'application/x-protobuf']);
      expect(decodeRpcStatus(answer.body, 'protobuf').code).toBe(3);
    }
  },
  ON.protobuf,
);

behaves(
  10,
  'what is no HTTP, or has headers that are too large, is answered 4xx with a Status',
  async ({ place }) => {
    const { http, ca } = wireTarget(stack, place);
    const requests = ['nonsense\r\n\r\n', `POST /v1/traces HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`];
    for (const request of requests) {
      const wire = await Http1Wire.open(http, { ca });
      wire.write(Buffer.from(request));
      const answer = await wire.answer();
      expect([400, 431]).toContain(answer?.status);
      expect(answer?.headers.get('content-type')).toEqual(['application/x-protobuf']);
      expect([3, 8]).toContain(decodeRpcStatus(answer?.body ?? Buffer.alloc(0), 'protobuf').code);
      wire.destroy();
    }
  },
  ON.protobuf,
);

const UNDECODABLE: Readonly<Record<WireTransport, readonly (Buffer | string)[]>> = {
  'HTTP/protobuf': [
    Buffer.of(10, 5, 255),
    Buffer.from('ffffffffffffffffffffff', 'hex'),
    oneItem('traces', 'cut').subarray(0, 30),
  ],
  gRPC: [Buffer.of(10, 5, 255), Buffer.from('ffffffffffffffffffffff', 'hex'), oneItem('traces', 'cut').subarray(0, 30)],
  'HTTP/JSON': ['{"resourceSpans":', '[]', '{"resourceSpans":[{"scopeSpans":7}]}'],
};

behaves(11, 'what cannot be decoded is 400 or INVALID_ARGUMENT, with a BadRequest', async ({ transport, wire }) => {
  for (const body of UNDECODABLE[transport]) {
    const outcome = await wire.send(transport, { signal: 'traces', body, key: key() });
    expect(outcome).toMatchObject({ http: transport === 'gRPC' ? 200 : 400, code: 3 });
    expect(outcome.status?.details).toEqual([{ type: 'google.rpc.BadRequest', fields: ['body'] }]);
    expect(outcome.headers['retry-after']).toBeUndefined();
  }
});

behaves(
  6,
  'the answer has the Content-Type of the request, errors too',
  async (at) => {
    const good = await ask(at, { body: at.transport === 'HTTP/JSON' ? '{}' : '' });
    const bad = await ask(at, { body: '\u0001{' });
    expect([good.status, good.type, bad.status, bad.type]).toEqual([
      200,
      TYPES[at.transport],
      400,
      TYPES[at.transport],
    ]);
  },
  ON.http,
);

behaves(
  6,
  'the answer is compressed only if Accept-Encoding asks for it',
  async (at) => {
    const format = at.transport === 'HTTP/JSON' ? 'json' : 'protobuf';
    for (const accepted of [undefined, 'identity', 'gzip;q=0, identity', 'br']) {
      const headers = accepted === undefined ? [] : ([['accept-encoding', accepted]] as const);
      const plain = await ask(at, { headers, body: '\u0001{' });
      expect([plain.status, plain.headers.get('content-encoding')]).toEqual([400, undefined]);
      expect(decodeRpcStatus(plain.body, format).code).toBe(3);
    }
    const zipped = await ask(at, { headers: [['accept-encoding', 'deflate, gzip;q=0.5']], body: '\u0001{' });
    expect([zipped.status, zipped.headers.get('content-encoding')]).toEqual([400, ['gzip']]);
    expect(decodeRpcStatus(gunzipSync(zipped.body), format).code).toBe(3);
  },
  ON.http,
);

behaves(
  6,
  'the answer is application/grpc, uncompressed',
  async ({ place }) => {
    const { grpc, ca } = wireTarget(stack, place);
    const wire = new GrpcWire(grpc, { ca });
    const headers = { 'x-api-key': key(), 'grpc-accept-encoding': 'gzip' };
    for (const frame of [grpcFrame(oneItem('traces', 'grpc')), grpcFrame(Buffer.of(10, 5, 255))]) {
      const { headers: got } = await wire.call(GRPC_METHODS.traces, frame, headers);
      expect(got['content-type']).toMatch(/^application\/grpc(\+proto)?$/);
      expect(got['grpc-encoding'] ?? 'identity').toBe('identity');
    }
    wire.destroy();
  },
  ON.grpc,
);

behaves(3, 'an answer is small, however large what it answers', async ({ transport, wire }) => {
  const spans = `{"resourceSpans":[{"${'x'.repeat(5 * 1024 ** 2)}":7,"scopeSpans":7}]}`;
  const bytes = Buffer.concat([Buffer.of(10, 0x80, 0x80, 0x80, 0x03, 1), Buffer.alloc(5 * 1024 ** 2, 1)]);
  const body = transport === 'HTTP/JSON' ? spans : bytes;
  const outcome = await wire.send(transport, { signal: 'traces', body, key: key() });
  expect(outcome.code).toBe(3);
  expect(outcome.body.length).toBeLessThan(8 * 1024);
  expect(String(outcome.headers['grpc-status-details-bin'] ?? '').length).toBeLessThan(8 * 1024);
});

behaves(
  10,
  'Expect: 100-continue is answered only to a request that may be sent',
  async ({ transport, place }) => {
    const { http, ca } = wireTarget(stack, place);
    const body = transport === 'HTTP/JSON' ? Buffer.from('{}') : oneItem('traces', 'continue');
    const wire = await Http1Wire.open(http, { ca });
    const head = (apiKey: string) =>
      http1Bytes({
        path: '/v1/traces',
        headers: [
          ['content-type', TYPES[transport]],
          ['x-api-key', apiKey],
          ['content-length', String(body.length)],
          ['expect', '100-continue'],
        ],
      });
    wire.write(head('nobody'));
    expect(await wire.answer()).toMatchObject({ status: 401, interim: [] });
    wire.destroy();
    const second = await Http1Wire.open(http, { ca });
    second.write(head(key()));
    const answer = second.answer();
    await new Promise((resolve) => setTimeout(resolve, 100));
    second.write(body);
    expect(await answer).toMatchObject({ status: 200, interim: [100] });
    second.destroy();
  },
  ON.http,
);
