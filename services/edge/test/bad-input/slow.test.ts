import { connect as connectTcp, type Socket } from 'node:net';
import { encodeExport, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, grpcFrame } from './front.ts';
import { ATTACKER, LITTLE, unharmed } from './unharmed.ts';

const stack = sharedStack();
let key = '';

beforeAll(() => {
  key = stack.key(ATTACKER);
});
const WHOLE = grpcFrame(
  Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'x' }] }] }] })),
);

/** How a slow client fared: what it was told, and after how long its connection or stream was closed. */
interface End {
  readonly said: string;
  readonly seconds: number;
}

/** None of these ends by itself: where nothing closes it, the test fails by this. */
const GIVE_UP_MS = 55_000;
/** Of 10 s for a head or a handshake, and of 30 s for a body; the rest is how often it is looked at, and a busy machine. */
const HEAD_S = 20;
const BODY_S = 42;

async function dripped(socket: Socket, first: string, drop: string): Promise<End> {
  const startedMs = Date.now();
  let said = '';
  socket.on('data', (piece: Buffer) => {
    said += piece.toString('latin1');
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (first !== '') socket.write(first);
  const timer = setInterval(() => drop !== '' && socket.writable && socket.write(drop), 500);
  await Promise.race([closed, pause(GIVE_UP_MS)]);
  clearInterval(timer);
  const seconds = (Date.now() - startedMs) / 1_000;
  socket.destroy();
  return { said: said.split('\r\n')[0]!, seconds };
}

async function stream(front: Front, bytes: Buffer): Promise<End> {
  const startedMs = Date.now();
  const reply = front.grpcStream({ authorization: `Bearer ${key}` }, bytes, { end: false });
  const { status } = (await Promise.race([reply, pause(GIVE_UP_MS)])) ?? { status: 'nothing' };
  return { said: String(status), seconds: (Date.now() - startedMs) / 1_000 };
}

function silent(front: Front, which: 'http' | 'grpc'): Promise<End> {
  const socket = connectTcp({ host: '127.0.0.1', port: front.port(which) });
  socket.on('error', () => undefined);
  return dripped(socket, '', '');
}

/** All at once: they take their time, and each is to hold no matter what the others do. */
function attacks(front: Front): Record<string, Promise<End>> {
  const started: Record<string, Promise<End>> = {
    'gRPC | a handshake that is not begun': silent(front, 'grpc'),
    'gRPC | a stream that sends nothing': stream(front, Buffer.alloc(0)),
    'gRPC | a message that does not go on': stream(front, WHOLE.subarray(0, 9)),
    'gRPC | a whole message whose stream is never ended': stream(front, WHOLE),
  };
  for (const [transport, type] of [
    ['HTTP/protobuf', 'application/x-protobuf'],
    ['HTTP/JSON', 'application/json'],
  ] as const) {
    const head = `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: ${type}\r\n`;
    const drip = (first: string, drop: string) => front.connect('http').then((socket) => dripped(socket, first, drop));
    started[`${transport} | a handshake that is not begun`] = silent(front, 'http');
    started[`${transport} | a head that comes in drops`] = drip(`${head}x-slow: `, 'x');
    started[`${transport} | a body that comes in drops`] = drip(`${head}content-length: 10000\r\n\r\n`, ' ');
    started[`${transport} | a chunked body that comes in drops`] = drip(
      `${head}transfer-encoding: chunked\r\n\r\n`,
      '1\r\n \r\n',
    );
  }
  return started;
}

describe.each(['edge', 'Envoy'] as const)('on %s', (name) => {
  const front = new Front(stack, name);
  let ends: Record<string, End> = {};

  beforeAll(async () => {
    ends = await unharmed(
      front,
      LITTLE,
      async () =>
        Object.fromEntries(
          await Promise.all(Object.entries(attacks(front)).map(async ([what, end]) => [what, await end])),
        ),
      500,
    );
  });
  afterAll(() => front.close());

  for (const transport of ['HTTP/protobuf', 'HTTP/JSON', 'gRPC']) {
    test(`bad input 5 | ${transport} | ${name} | a handshake that is not begun is closed`, () => {
      expect(ends[`${transport} | a handshake that is not begun`]!.seconds).toBeLessThan(HEAD_S);
    });
  }

  for (const transport of ['HTTP/protobuf', 'HTTP/JSON']) {
    test(`bad input 5 | ${transport} | ${name} | a head that comes in drops is closed`, () => {
      expect(ends[`${transport} | a head that comes in drops`]!.seconds).toBeLessThan(HEAD_S);
    });

    test.each(['a body', 'a chunked body'])(
      `bad input 5 | ${transport} | ${name} | %s that comes in drops is answered 408 and closed`,
      (body) => {
        const { said, seconds } = ends[`${transport} | ${body} that comes in drops`]!;
        expect(said).toContain(' 408 ');
        expect(seconds).toBeLessThan(BODY_S);
      },
    );
  }

  test.each([
    'a stream that sends nothing',
    'a message that does not go on',
    'a whole message whose stream is never ended',
  ])(`bad input 5 | gRPC | ${name} | %s is DEADLINE_EXCEEDED and closed`, (what) => {
    const { said, seconds } = ends[`gRPC | ${what}`]!;
    expect(said).toBe('4');
    expect(seconds).toBeLessThan(BODY_S);
  });
});
