import { type ClientHttp2Session, connect, constants, type Settings } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { FakeClock } from '@weir/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { boundSessions } from './grpc-sessions.ts';

const BOUNDS = { streamsMax: 3, headerBytesMax: 8_192, pingIntervalMinMs: 1_000 };
const ending: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end();
});

/** A session with a server of the library's own, over plain TCP. */
async function setUp() {
  const clock = new FakeClock();
  const server = new Server();
  boundSessions(server, BOUNDS, clock);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const port = createServer((socket) => injector.injectConnection(socket));
  await new Promise<void>((resolve) => port.listen(0, '127.0.0.1', resolve));
  const session = connect(`http://127.0.0.1:${(port.address() as AddressInfo).port}`);
  session.on('error', () => undefined);
  ending.push(
    () => port.close(),
    () => server.forceShutdown(),
    () => session.destroy(),
  );
  const settings = await new Promise<Settings>((resolve) => session.once('remoteSettings', resolve));
  return { clock, session, settings };
}

/** How a call ended: its HTTP/2 error code, 0 where it was answered. */
function call(session: ClientHttp2Session, headers: Record<string, string> = {}): Promise<number> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/a/B',
    'content-type': 'application/grpc',
    ...headers,
  });
  stream.on('error', () => undefined);
  stream.resume().end();
  return new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode)));
}

function ping(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
}

test('a session has the streams, the header size and the windows that it is bound to', async () => {
  const { session, settings } = await setUp();
  expect(settings).toMatchObject({
    maxConcurrentStreams: BOUNDS.streamsMax,
    maxHeaderListSize: BOUNDS.headerBytesMax,
    initialWindowSize: LIMITS.grpcStreamWindowBytes,
  });
  await ping(session);
  expect(session.state.remoteWindowSize).toBe(LIMITS.grpcConnectionWindowBytes);
});

test('a call with more headers than that is cut off, and the next one is served', async () => {
  const { session } = await setUp();
  const large = await call(session, { 'x-large': 'x'.repeat(BOUNDS.headerBytesMax) });
  expect(large).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  expect(await call(session)).toBe(constants.NGHTTP2_NO_ERROR);
});

describe('a client that pings', () => {
  test('too often without calls is told to go', async () => {
    const { session } = await setUp();
    const gone = new Promise<[number, string]>((resolve) =>
      session.once('goaway', (code, _last, data) => resolve([code, Buffer.from(data ?? []).toString()])),
    );
    for (let i = 0; i <= LIMITS.pingStrikesMax + 1; i++) await ping(session).catch(() => undefined);
    expect(await gone).toEqual([constants.NGHTTP2_ENHANCE_YOUR_CALM, 'too_many_pings']);
  });

  test('as often as is allowed, or around its calls, is served', async () => {
    const { session, clock } = await setUp();
    let gone = false;
    session.once('goaway', () => {
      gone = true;
    });
    for (let i = 0; i < 10; i++) {
      await ping(session);
      await clock.advance(BOUNDS.pingIntervalMinMs);
    }
    for (let i = 0; i < 10; i++) {
      await call(session);
      await ping(session);
      await ping(session);
    }
    expect([gone, session.closed]).toEqual([false, false]);
  });
});
