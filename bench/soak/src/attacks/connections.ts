import { constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { pause } from '@weir/testkit';
import type { Attack, Target } from './attack.ts';
import { beginCall, withSession, writeFrames, writeRaw } from './sending.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [DATA_LESS, SETTINGS, PING, HEADERS, CONTINUATION] = [0, 4, 6, 1, 9];
const END_HEADERS = 4;
const FRAMES = 5_000;
const FRAME_BYTES = 16_000;
const RESETS = 1_000;
const CHURNED = 30;
const CHURN_HOLD_MS = 200;
/** In HPACK: a literal that is put into the table, 4,000 bytes long, and then the name of it again and again. */
const ENTRY = Buffer.concat([Buffer.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e), Buffer.alloc(4_000, 0x61)]);
const REFERENCES = 12_000;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const OPENED = [PREFACE, frame(SETTINGS, DATA_LESS, 0, Buffer.alloc(0))];
const repeated = (made: Buffer, times = FRAMES) => Array.from({ length: times }, () => made);

const PINGS = Buffer.concat([...OPENED, ...repeated(frame(PING, 0, 0, Buffer.alloc(8)))]);
const SETTINGS_FLOOD = Buffer.concat([
  ...OPENED,
  ...repeated(frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0xff, 0xff]))),
]);
const CONTINUATIONS = Buffer.concat([
  ...OPENED,
  frame(HEADERS, 0, 1, Buffer.of(0x83)),
  ...repeated(frame(CONTINUATION, 0, 1, Buffer.alloc(FRAME_BYTES, 0x84)), 500),
]);
const HPACK = Buffer.concat([
  ...OPENED,
  frame(HEADERS, END_HEADERS, 1, Buffer.concat([Buffer.of(0x83, 0x84, 0x87), ENTRY, Buffer.alloc(REFERENCES, 0xbe)])),
]);

function frames(name: string, what: string, bytes: Buffer): Attack {
  return { name, what, pauseMs: 1_000, allowed: /^(closed|held)$/, run: (target) => writeFrames(target, bytes) };
}

async function churn({ http, ca }: Target): Promise<string> {
  const sockets = Array.from({ length: CHURNED }, () =>
    connectTls({ host: http.hostname, port: Number(http.port), ca }).on('error', () => undefined),
  );
  await pause(CHURN_HOLD_MS);
  for (const socket of sockets) socket.destroy();
  return 'left';
}

/** What is done to a connection. */
export const CONNECTION_ATTACKS: readonly Attack[] = [
  {
    name: 'rapid-reset',
    what: `${RESETS} calls on one connection, each cancelled at once`,
    pauseMs: 1_000,
    allowed: /^(closed|held)$/,
    run: (target) =>
      withSession(target, async (session) => {
        let closed = false;
        session.once('close', () => {
          closed = true;
        });
        for (let i = 0; i < RESETS && !session.closed && !session.destroyed; i++) {
          beginCall(session, target.key).close(constants.NGHTTP2_CANCEL);
          if (i % 100 === 0) await pause(1);
        }
        await pause(500);
        return closed ? 'closed' : 'held';
      }),
  },
  frames('ping-flood', `${FRAMES} PING frames`, PINGS),
  frames('settings-flood', `${FRAMES} SETTINGS frames`, SETTINGS_FLOOD),
  frames('continuation-flood', '8 MB of CONTINUATION frames of one header block', CONTINUATIONS),
  frames('hpack-bomb', '48 MB of headers in 16 KB', HPACK),
  {
    name: 'smuggling',
    what: 'Content-Length and Transfer-Encoding in one request',
    pauseMs: 200,
    allowed: /^(HTTP 400|cut)$/,
    run: (target) =>
      writeRaw(
        target,
        `POST /v1/traces HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer ${target.key}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/logs HTTP/1.1\r\nhost: weir\r\n\r\n`,
      ),
  },
  {
    name: 'header-bomb',
    what: 'a megabyte of headers',
    pauseMs: 500,
    allowed: /^(HTTP 431|cut)$/,
    run: (target) =>
      writeRaw(target, `POST /v1/traces HTTP/1.1\r\nhost: weir\r\n${`x-a: ${'a'.repeat(4_000)}\r\n`.repeat(256)}\r\n`),
  },
  {
    name: 'plaintext',
    what: 'HTTP without TLS on the TLS port',
    pauseMs: 500,
    allowed: /^cut$/,
    run: ({ http }) =>
      new Promise((resolve) => {
        const socket = connectTcp(Number(http.port), http.hostname, () => socket.write('GET / HTTP/1.1\r\n\r\n'));
        socket.on('error', () => undefined).resume();
        socket.setTimeout(15_000, () => socket.destroy());
        socket.once('close', () => resolve('cut'));
      }),
  },
  {
    name: 'churn',
    what: `${CHURNED} connections that are opened and left`,
    pauseMs: 500,
    allowed: /^left$/,
    run: churn,
  },
];
