import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type Settings,
} from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { ensureCertificates } from '@weir/local';
import { Budget, ZoneGauge } from '@weir/pipeline';
import { effectiveTenant, RateLimiter, type TenantDirectory, WHOLE } from '@weir/tenancy';
import { encodeExport, FakeClock, RecordingConsumer } from '@weir/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createAdmission } from '../admit/admission.ts';
import { authenticate } from '../admit/authenticate.ts';
import { EdgeQueue } from '../edge-queue.ts';
import type { AdmittedExport, Answer } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { type GrpcBounds, GrpcReceiver, type GrpcSettings } from './grpc-receiver.ts';
import { TlsFiles } from './tls-files.ts';

const PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const BODY_BYTES_MAX = 1024 ** 2;
const QUEUE_BYTES_MAX = 4 * BODY_BYTES_MAX;
const SETTINGS: GrpcSettings = {
  streamsMax: 100,
  headerBytesMax: 16 * 1024,
  pingIntervalMinMs: 5_000,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  connectionIdleMaxMs: 300_000,
  connectionAgeMaxMs: 3_600_000,
  connectionAgeGraceMs: 30_000,
};
const tenant = effectiveTenant('acme', { keys: [] }, undefined);
const small = effectiveTenant('small', { keys: [], limits: { bodyBytes: 1_000 } }, undefined);
const tenants: Readonly<Record<string, typeof tenant>> = { good: tenant, other: { ...tenant, name: 'other' }, small };
const directory = {
  byKey: (key: string) => (tenants[key] === undefined ? { kind: 'unknown' } : { kind: 'tenant', tenant: tenants[key] }),
} as TenantDirectory;
const span = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(9), startTimeUnixNano: 1n };
const spans = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span, span] }] }] }));

const dir = mkdtempSync(join(tmpdir(), 'weir-grpc-'));
let files: Awaited<ReturnType<typeof ensureCertificates>>;
const ending: (() => unknown)[] = [];

beforeAll(async () => {
  files = await ensureCertificates(dir, new Date());
});

afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end();
});

afterAll(() => rmSync(dir, { recursive: true }));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A receiver on loopback before the real admission; what would go to Kafka is recorded. */
async function setUp(
  bounds?: Partial<GrpcBounds>,
  answer?: (admitted: AdmittedExport) => Promise<Answer>,
  clientCa = true,
  bodyBytesMax = BODY_BYTES_MAX,
) {
  const clock = new FakeClock();
  const budget = new Budget({ bytesMax: QUEUE_BYTES_MAX, itemsMax: 1_000 });
  const next = new RecordingConsumer<AdmittedExport, Answer>(
    answer ?? (({ meta }) => ({ kind: 'accepted', acceptedItems: meta.items, rejectedItems: 0 })),
  );
  const limiter = new RateLimiter(clock);
  const queue = new EdgeQueue(budget);
  const pipeFill = () => ({ fill: 0, reason: 'sink_full' as const, retryAfterS: 1 });
  const shares = { ofLimits: () => WHOLE, takeOfPipe: () => undefined, giveBack: () => undefined };
  const zones = { queue, pipeFill, pipeZone: new ZoneGauge(), shares };
  const parts = { clock, limiter, ...zones, bodyBytesMax: BODY_BYTES_MAX, onRejected: () => undefined };
  const tls = new TlsFiles(
    { certFile: files.serverCert, keyFile: files.serverKey, clientCaFile: clientCa ? files.ca : undefined },
    clock,
    () => undefined,
  );
  const refused: string[] = [];
  const port = await freePort();
  const receiver = new GrpcReceiver(
    {
      listen: { host: '127.0.0.1', port },
      tls,
      clientRequired: false,
      bodyBytesMax,
      queue,
      clock,
      authenticate: (headers) => authenticate(directory, headers),
      events: {
        received: () => undefined,
        failed: () => undefined,
        answered: (_signal, _transport, _tenant, given) => {
          if (given.kind === 'refused') refused.push(given.reason);
        },
      },
    },
    createAdmission(parts, next),
    { ...SETTINGS, ...bounds },
  );
  await receiver.start();
  ending.push(() => receiver.stop(AbortSignal.abort()));
  return { receiver, clock, budget, next, refused, port };
}

function session(port: number, settings: Settings = {}): ClientHttp2Session {
  const made = connect(`https://127.0.0.1:${port}`, { ca: readFileSync(files.ca), settings });
  made.on('error', () => undefined);
  ending.push(() => made.destroy());
  return made;
}

/** What a client sees of a call, read from raw HTTP/2: headers and trailers in one. */
interface Call {
  readonly stream: ClientHttp2Stream;
  readonly answer: Promise<IncomingHttpHeaders>;
  readonly closed: Promise<void>;
}

function open(http2: ClientHttp2Session, headers: Readonly<Record<string, string>> = {}): Call {
  const stream = http2.request(
    {
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'x-api-key': 'good',
      ...headers,
    },
    { endStream: false },
  );
  stream.on('error', () => undefined);
  stream.resume();
  let seen: IncomingHttpHeaders = {};
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  const answer = new Promise<IncomingHttpHeaders>((resolve) => {
    stream.on('response', (got) => {
      seen = { ...seen, ...got };
      if (got['grpc-status'] !== undefined) resolve(seen);
    });
    stream.on('trailers', (got) => resolve({ ...seen, ...got }));
    void closed.then(() => resolve(seen));
  });
  return { stream, answer, closed };
}

function frame(message: Uint8Array, compressed = false, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed ? 1 : 0;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** The names of the details of the google.rpc.Status in the trailers. */
function detailsOf(headers: IncomingHttpHeaders): string[] {
  const bytes = Buffer.from(String(headers['grpc-status-details-bin'] ?? ''), 'base64').toString('latin1');
  return [...bytes.matchAll(/google\.rpc\.(\w+)/g)].map((match) => match[1]!);
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}

describe('a compressed message', () => {
  test.each([
    ['gzip', gzipSync(spans), 'gzip'],
    ['zstd', zstdCompressSync(spans), 'zstd'],
    ['deflate', deflateSync(spans), undefined],
  ] as const)(
    'is taken as %s, and goes on as the client sent it where Kafka’s readers know it',
    async (encoding, message, stored) => {
      const { port, next, budget } = await setUp();
      const call = open(session(port), { 'grpc-encoding': encoding });
      call.stream.end(frame(message, true));
      expect((await call.answer)['grpc-status']).toBe('0');
      expect(next.items[0]!.plain.equals(spans)).toBe(true);
      if (stored !== undefined) expect([next.items[0]!.meta.encoding, next.items[0]!.value]).toEqual([stored, message]);
      await until(() => budget.bytes === 0);
    },
  );

  test('is plain where its flag says so, whatever the header says', async () => {
    const { port, next } = await setUp();
    const call = open(session(port), { 'grpc-encoding': 'gzip' });
    call.stream.end(frame(spans));
    expect((await call.answer)['grpc-status']).toBe('0');
    expect(next.items[0]!.plain.equals(spans)).toBe(true);
  });

  test.each([
    ['garbage', 'gzip', Buffer.from('this is not gzip')],
    ['what is truncated', 'gzip', gzipSync(spans).subarray(0, 20)],
    ['garbage', 'zstd', Buffer.from('this is not zstd')],
    ['garbage', 'deflate', Buffer.from('this is not deflate')],
  ])('%s for %s is INVALID_ARGUMENT with a BadRequest, and counted', async (_name, encoding, message) => {
    const { port, refused, budget } = await setUp();
    const call = open(session(port), { 'grpc-encoding': encoding });
    call.stream.end(frame(message, true));
    const answer = await call.answer;
    expect([answer['grpc-status'], detailsOf(answer)]).toEqual(['3', ['BadRequest']]);
    expect(refused).toEqual(['malformed']);
    await until(() => budget.bytes === 0);
  });

  test('of an unknown encoding is UNIMPLEMENTED with a Status, and counted', async () => {
    const { port, refused } = await setUp();
    const call = open(session(port), { 'grpc-encoding': 'br' });
    call.stream.end(frame(spans, true));
    const answer = await call.answer;
    expect([answer['grpc-status'], answer['grpc-status-details-bin'] === undefined]).toEqual(['12', false]);
    expect(refused).toEqual(['encoding_unsupported']);
  });

  test('that becomes too large is RESOURCE_EXHAUSTED without RetryInfo, and counted', async () => {
    const { port, refused } = await setUp();
    const call = open(session(port), { 'grpc-encoding': 'gzip' });
    call.stream.end(frame(gzipSync(Buffer.alloc(BODY_BYTES_MAX + 1)), true));
    const answer = await call.answer;
    expect([answer['grpc-status'], answer['google.rpc.retryinfo-bin']]).toEqual(['8', undefined]);
    expect(refused).toEqual(['too_large']);
  });
});

describe('a message that is larger than its tenant may send', () => {
  test.each([
    ['by its prefix, before it comes', [frame(Buffer.alloc(10), false, 1_001)]],
    ['as it comes, whatever its prefix says', [frame(Buffer.alloc(500)).subarray(0, 3), Buffer.alloc(1_003)]],
  ])('is RESOURCE_EXHAUSTED without RetryInfo %s', async (_name, pieces) => {
    const { port, refused, budget, next } = await setUp();
    const call = open(session(port), { 'x-api-key': 'small' });
    for (const piece of pieces) {
      call.stream.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const answer = await call.answer;
    expect([answer['grpc-status'], answer['google.rpc.retryinfo-bin']]).toEqual(['8', undefined]);
    expect([refused, next.items.length]).toEqual([['too_large'], 0]);
    await call.closed;
    await until(() => budget.bytes === 0);
  });

  test('is taken up to that size, and any other tenant may send more', async () => {
    const { port, refused } = await setUp();
    const ofSize = (bytes: number) => {
      // An unknown field, with a length of two bytes, fills it up.
      const filler = bytes - spans.length - 3;
      return Buffer.concat([spans, Buffer.of(0x7a, 0x80 | (filler & 0x7f), filler >> 7), Buffer.alloc(filler)]);
    };
    const http2 = session(port);
    for (const [key, bytes] of [
      ['small', 1_000],
      ['good', 1_001],
    ] as const) {
      const call = open(http2, { 'x-api-key': key });
      call.stream.end(frame(ofSize(bytes)));
      expect((await call.answer)['grpc-status'], key).toBe('0');
    }
    expect(refused).toEqual([]);
  });
});

describe('what the library refuses itself', () => {
  test('a length prefix of 2^31-1 is RESOURCE_EXHAUSTED with a Status, without RetryInfo, and counted', async () => {
    const { port, refused, budget } = await setUp();
    const call = open(session(port));
    call.stream.write(frame(Buffer.alloc(100), false, 2 ** 31 - 1));
    const answer = await call.answer;
    expect([answer['grpc-status'], answer['grpc-status-details-bin'] === undefined]).toEqual(['8', false]);
    expect(answer['google.rpc.retryinfo-bin']).toBeUndefined();
    expect(refused).toEqual(['too_large']);
    await call.closed;
    await until(() => budget.bytes === 0);
  });

  test.each([
    ['no message', {}, Buffer.alloc(0)],
    ['two messages', {}, Buffer.concat([frame(spans), frame(spans)])],
    ['a part of a message', {}, frame(spans).subarray(0, 30)],
    ['a time-out that is none', { 'grpc-timeout': 'soon' }, Buffer.alloc(0)],
  ])('%s is INVALID_ARGUMENT with a BadRequest, and counted', async (_name, headers, bytes) => {
    const { port, refused, next, budget } = await setUp();
    const call = open(session(port), headers);
    call.stream.end(bytes);
    const answer = await call.answer;
    expect([answer['grpc-status'], detailsOf(answer)]).toEqual(['3', ['BadRequest']]);
    expect([refused, next.items.length]).toEqual([['malformed'], 0]);
    await until(() => budget.bytes === 0);
  });
});

describe('a stream that is not ended', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a part of a message', frame(Buffer.alloc(60_000), false, BODY_BYTES_MAX)],
    ['a whole message', frame(spans)],
  ])('and sent %s is answered and closed after the time-out', async (_name, bytes) => {
    const { port, clock, refused, next, budget } = await setUp();
    const call = open(session(port));
    if (bytes.length > 0) call.stream.write(bytes);
    await until(() => clock.sleeping === 1 && (bytes.length === 0 || budget.bytes > 0));
    await clock.advance(LIMITS.bodyTimeoutMs - 1);
    expect(refused).toEqual([]);
    await clock.advance(1);
    expect((await call.answer)['grpc-status']).toBe('4');
    await call.closed;
    expect([refused, next.items.length]).toEqual([['body_timeout'], 0]);
    await until(() => budget.bytes === 0);
  });

  test('and is dropped by its client leaves nothing behind', async () => {
    const { port, clock, refused, budget } = await setUp();
    const http2 = session(port);
    open(http2).stream.write(frame(Buffer.alloc(60_000), false, BODY_BYTES_MAX));
    await until(() => budget.bytes > 0);
    http2.destroy();
    await until(() => budget.bytes === 0);
    await clock.advance(LIMITS.bodyTimeoutMs);
    expect(refused).toEqual([]);
  });

  test('has no time-out once it is ended: Kafka’s deadline holds', async () => {
    const answered = Promise.withResolvers<Answer>();
    const { port, clock, next, budget } = await setUp({}, () => answered.promise);
    const call = open(session(port));
    call.stream.end(frame(spans));
    await until(() => next.items.length === 1);
    expect(budget.bytes).toBe(spans.length);
    await clock.advance(LIMITS.bodyTimeoutMs);
    answered.resolve({ kind: 'accepted', acceptedItems: 2, rejectedItems: 0 });
    expect((await call.answer)['grpc-status']).toBe('0');
    await until(() => budget.bytes === 0);
  });
});

test.each([
  ['too large', 'good', 32 * BODY_BYTES_MAX, 8],
  ['without a good key', 'bad', 32 * BODY_BYTES_MAX, 16],
])('a client of the library sees why its message, %s, was cut off', async (_name, key, bytes, code) => {
  const { port, refused } = await setUp();
  const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(readFileSync(files.ca)), {
    'grpc.max_send_message_length': -1,
    'grpc.ssl_target_name_override': 'localhost',
  });
  ending.push(() => client.close());
  const metadata = new Metadata();
  metadata.set('x-api-key', key);
  const same = (given: Buffer): Buffer => given;
  for (let i = 0; i < 3; i++) {
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(PATH, same, same, Buffer.alloc(bytes), metadata, (failed) => resolve(failed));
    });
    expect([error?.code, error?.metadata.get('grpc-status-details-bin').length]).toEqual([code, 1]);
  }
  expect(refused).toHaveLength(3);
});

describe('a header with bytes that gRPC does not allow', () => {
  test('is dropped without a word to stderr, whoever sends it', async () => {
    const { port } = await setUp();
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    ending.push(() => written.mockRestore());
    const http2 = session(port);
    const stranger = open(http2, { 'x-api-key': 'wk_secret\x80' });
    expect((await stranger.answer)['grpc-status']).toBe('16');
    const call = open(http2, { 'x-anything': 'secret\x80' });
    call.stream.end(frame(spans));
    expect((await call.answer)['grpc-status']).toBe('0');
    expect(written).not.toHaveBeenCalled();
  });

  test.each([
    ['authorization beside a good x-api-key', { authorization: 'Bearer good\x80' }],
    ['x-api-key beside a good authorization', { authorization: 'Bearer good', 'x-api-key': 'good\xff' }],
    ['x-api-key with a tab in it', { authorization: 'Bearer good', 'x-api-key': 'go\tod' }],
  ])('is a bad key where it would be one: %s', async (_name, headers) => {
    const { port, refused, next } = await setUp();
    const call = open(session(port), headers);
    call.stream.end(frame(spans));
    expect((await call.answer)['grpc-status']).toBe('16');
    expect([refused, next.items.length]).toEqual([['unauthenticated'], 0]);
  });
});

test('a client that does not take its answer is cut off', async () => {
  const { port, clock, next, budget } = await setUp();
  const call = open(session(port, { initialWindowSize: 0 }));
  call.stream.end(frame(spans));
  await until(() => next.items.length === 1 && budget.bytes === 0);
  await clock.advance(LIMITS.bodyTimeoutMs);
  await call.closed;
  expect(call.stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
});

describe('unfinished messages', () => {
  test('are in the budget while they come; what does not fit is refused, closed and given back', async () => {
    const { port, refused, budget } = await setUp();
    const http2 = session(port);
    const calls = Array.from({ length: 8 }, () => open(http2));
    for (const { stream } of calls) stream.write(frame(Buffer.alloc(BODY_BYTES_MAX - 100), false, BODY_BYTES_MAX));
    await until(() => refused.length >= 4);
    expect(budget.bytes).toBeLessThanOrEqual(QUEUE_BYTES_MAX);
    const ended = await Promise.race(calls.map(({ answer }) => answer));
    expect([ended['grpc-status'], detailsOf(ended)]).toEqual(['14', ['RetryInfo']]);
    expect(new Set(refused)).toEqual(new Set(['edge_full']));
    http2.destroy();
    await until(() => budget.bytes === 0);
  });

  test('cost more than their bytes where they come in crumbs', async () => {
    const { port, budget } = await setUp();
    const call = open(session(port));
    call.stream.write(frame(Buffer.alloc(0), false, BODY_BYTES_MAX));
    for (let i = 0; i < 20; i++) {
      call.stream.write(Buffer.alloc(1));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until(() => budget.bytes >= 10 * LIMITS.pieceOverheadBytes);
  });
});

describe('bounds', () => {
  test('calls beyond the bound are UNAVAILABLE with RetryInfo, and room comes back', async () => {
    const { port, refused, budget } = await setUp({ callsMax: 2 });
    const http2 = session(port);
    const held = [open(http2), open(http2)];
    const before = 2 * LIMITS.pieceOverheadBytes + 2;
    for (const { stream } of held) stream.write(Buffer.alloc(1));
    await until(() => budget.bytes === before);
    const third = await open(http2).answer;
    expect([third['grpc-status'], detailsOf(third), refused]).toEqual(['14', ['RetryInfo'], ['edge_full']]);
    for (const { stream } of held) stream.close();
    await until(() => budget.bytes === 0);
    const call = open(http2);
    call.stream.end(frame(spans));
    expect((await call.answer)['grpc-status']).toBe('0');
  });

  test('calls whose clients went away count until their exports are answered', async () => {
    const answered = Promise.withResolvers<Answer>();
    const { port, refused, budget, next } = await setUp({ callsMax: 2 }, () => answered.promise);
    const http2 = session(port);
    const left = [open(http2), open(http2)];
    for (const { stream } of left) stream.end(frame(spans));
    await until(() => next.items.length === 2);
    for (const { stream } of left) stream.close(constants.NGHTTP2_CANCEL);
    await Promise.all(left.map(({ closed }) => closed));
    await new Promise((resolve) => http2.ping(() => resolve(undefined)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await open(http2).answer)['grpc-status']).toBe('14');
    expect([refused, next.items.length]).toEqual([['edge_full'], 2]);
    answered.resolve({ kind: 'accepted', acceptedItems: 2, rejectedItems: 0 });
    await until(() => budget.bytes === 0);
    for (let i = 0; i < 3; i++) {
      const call = open(http2);
      call.stream.end(frame(spans));
      expect((await call.answer)['grpc-status']).toBe('0');
      await call.closed;
    }
  });

  test('calls whose answers are not taken count until their streams are closed', async () => {
    const { port, clock, refused, budget, next } = await setUp({ callsMax: 2 });
    const http2 = session(port, { initialWindowSize: 0 });
    const stuck = [open(http2), open(http2)];
    for (const { stream } of stuck) stream.end(frame(spans));
    await until(() => next.items.length === 2 && budget.bytes === 0);
    expect((await open(session(port)).answer)['grpc-status']).toBe('14');
    expect(refused).toEqual(['edge_full']);
    await clock.advance(LIMITS.bodyTimeoutMs);
    await Promise.all(stuck.map(({ closed }) => closed));
    const call = open(session(port));
    call.stream.end(frame(spans));
    expect((await call.answer)['grpc-status']).toBe('0');
  });

  test('slow uploads of one tenant leave calls to the others', async () => {
    const { port, refused } = await setUp({ callsMax: 9 });
    const slow = session(port);
    const calls = Array.from({ length: 9 }, () => open(slow));
    await until(() => refused.length === 3);
    expect(refused).toEqual(['edge_full', 'edge_full', 'edge_full']);
    const other = open(slow, { 'x-api-key': 'other' });
    other.stream.end(frame(spans));
    expect((await other.answer)['grpc-status']).toBe('0');
    for (const call of calls) call.stream.close();
  });

  test('a message larger than the gRPC limit is too large, though HTTP bodies may be larger', async () => {
    const { port, refused } = await setUp({ receiveMib: 1 }, undefined, true, 2 * BODY_BYTES_MAX);
    const call = open(session(port));
    call.stream.end(frame(Buffer.alloc(1024 ** 2 + 1)));
    expect((await call.answer)['grpc-message']).toContain('1048576');
    expect(refused).toEqual(['too_large']);
  });

  test('a connection that is old is told to go, and its calls have the grace', async () => {
    const { port } = await setUp({ connectionAgeMaxMs: 100, connectionAgeGraceMs: 5_000 });
    const old = session(port);
    const call = open(old);
    await new Promise((resolve) => old.once('goaway', resolve));
    call.stream.end(frame(spans));
    expect((await call.answer)['grpc-status']).toBe('0');
    await until(() => old.closed);
  });

  test('a connection that does not answer a ping is closed', async () => {
    const { port } = await setUp({ keepaliveTimeMs: 50, keepaliveTimeoutMs: 50 });
    const socket = connectTls({ port, host: '127.0.0.1', ca: readFileSync(files.ca), ALPNProtocols: ['h2'] });
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    // The preface and empty settings, and nothing after it.
    socket.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1'));
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  });

  test('a call without a key is answered and closed although its client goes on', async () => {
    const { port, refused } = await setUp();
    const call = open(session(port), { 'x-api-key': 'bad' });
    expect((await call.answer)['grpc-status']).toBe('16');
    await call.closed;
    expect(refused).toEqual(['unauthenticated']);
  });

  test('connections beyond the bound are closed', async () => {
    const { port } = await setUp({ connectionsMax: 1 });
    const first = open(session(port));
    first.stream.end(frame(spans));
    expect((await first.answer)['grpc-status']).toBe('0');
    const second = session(port);
    await new Promise((resolve) => second.once('close', resolve));
    expect(second.alpnProtocol).toBeUndefined();
  });

  test('a connection that does not finish its handshake is closed', async () => {
    const { port } = await setUp({ handshakeTimeoutMs: 50 });
    const socket = (await import('node:net')).connect(port, '127.0.0.1');
    ending.push(() => socket.destroy());
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('close', resolve));
  });
});

test('a client may come with a good certificate or with none; one with a bad certificate is closed', async () => {
  const { port } = await setUp();
  const ca = readFileSync(files.ca);
  const other = mkdtempSync(join(tmpdir(), 'weir-grpc-other-'));
  ending.push(() => rmSync(other, { recursive: true }));
  const stranger = await ensureCertificates(other, new Date());
  const stays = async (cert?: string, key?: string): Promise<boolean> => {
    const material =
      cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) };
    const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'], ...material });
    socket.on('error', () => undefined);
    ending.push(() => socket.destroy());
    return Promise.race([
      // The server's SETTINGS frame: it has taken the connection.
      new Promise<boolean>((resolve) => socket.once('data', () => resolve(true))),
      new Promise<boolean>((resolve) => socket.once('close', () => resolve(false))),
    ]);
  };
  expect(await stays()).toBe(true);
  expect(await stays(files.clientCert, files.clientKey)).toBe(true);
  expect(await stays(stranger.clientCert, stranger.clientKey)).toBe(false);
});

test('a receiver without a CA for clients asks for no certificate', async () => {
  const { port } = await setUp({}, undefined, false);
  const call = open(session(port));
  call.stream.end(frame(spans));
  expect((await call.answer)['grpc-status']).toBe('0');
});

test('a receiver that stops answers what it has, refuses what comes, and ends', async () => {
  const answered = Promise.withResolvers<Answer>();
  const { port, receiver, next } = await setUp({}, () => answered.promise);
  const http2 = session(port);
  const call = open(http2);
  call.stream.end(frame(spans));
  await until(() => next.items.length === 1);
  const goaway = new Promise((resolve) => http2.once('goaway', resolve));
  let ended = false;
  const stopped = receiver.stop(new AbortController().signal).then(() => {
    ended = true;
  });
  await goaway;
  const late = session(port);
  await new Promise((resolve) => late.once('close', resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(ended).toBe(false);
  answered.resolve({ kind: 'accepted', acceptedItems: 2, rejectedItems: 0 });
  expect((await call.answer)['grpc-status']).toBe('0');
  await stopped;
});

test('a receiver that stops waits for the export of a client that does not wait for it', async () => {
  const answered = Promise.withResolvers<Answer>();
  const { port, receiver, next } = await setUp({}, () => answered.promise);
  const call = open(session(port));
  call.stream.end(frame(spans));
  await until(() => next.items.length === 1);
  call.stream.close(constants.NGHTTP2_CANCEL);
  await call.closed;
  let ended = false;
  const stopped = receiver.stop(new AbortController().signal).then(() => {
    ended = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(ended).toBe(false);
  answered.resolve({ kind: 'accepted', acceptedItems: 2, rejectedItems: 0 });
  await stopped;
});

test('calls that came before the receiver stopped are served, whole or not, and later ones are told that nobody saw them', async () => {
  const { port, receiver } = await setUp({}, async () => ({ kind: 'accepted', acceptedItems: 2, rejectedItems: 0 }));
  const http2 = session(port);
  await new Promise((resolve) => http2.once('connect', resolve));
  const begun = open(http2);
  begun.stream.write(frame(spans).subarray(0, 3));
  await new Promise((resolve) => http2.ping(() => resolve(undefined)));
  // These race with the end: some are on their way.
  const racing = Array.from({ length: 20 }, () => open(http2));
  const stopped = receiver.stop(new AbortController().signal);
  begun.stream.end(frame(spans).subarray(3));
  for (const { stream } of racing) stream.end(frame(spans));
  expect((await begun.answer)['grpc-status']).toBe('0');
  for (const { stream, answer, closed } of racing) {
    await closed;
    const seen = (await answer)['grpc-status'] ?? stream.rstCode;
    expect(['0', constants.NGHTTP2_REFUSED_STREAM]).toContain(seen);
  }
  await stopped;
});

test('a client that keeps its connection open after its answers does not keep the receiver', async () => {
  const { port, receiver, clock } = await setUp();
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ca: readFileSync(files.ca),
    ALPNProtocols: ['h2'],
    allowHalfOpen: true,
  } as never);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(Buffer.from('000000040000000000', 'hex'));
  await new Promise((resolve) => socket.once('data', resolve));
  let ended = false;
  const stopped = receiver.stop(new AbortController().signal).then(() => {
    ended = true;
  });
  for (let i = 0; i < 20 && !ended; i++) {
    await clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(ended).toBe(true);
  await stopped;
  socket.destroy();
});
