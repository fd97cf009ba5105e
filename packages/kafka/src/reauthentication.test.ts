import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { createSocketFactory } from './internals.ts';

/** kafkajs's own connection: what of it is used here. */
interface Connection {
  authenticatedAt: [number, number] | null;
  sessionLifetime: unknown;
  connect(): Promise<boolean>;
  disconnect(): Promise<boolean>;
  setVersions(versions: object): void;
  send(call: object): Promise<unknown>;
}

interface Long {
  readonly fromValue: (value: number) => unknown;
}

const require = createRequire(import.meta.url);
const ConnectionClass = require('kafkajs/src/network/connection') as new (options: object) => Connection;
const Encoder = require('kafkajs/src/protocol/encoder') as new () => { buffer: Buffer };
const LongClass = require('kafkajs/src/utils/long') as Long;

const HANDSHAKE = 17;
const SLOW = 100;
const QUICK = 101;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A broker that notes the kind of each request, and lets anybody in. */
async function createBroker(events: string[]) {
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const size = bytes.readInt32BE(0);
        const kind = bytes.readInt16BE(4);
        events.push(`request ${kind}`);
        const mechanisms =
          kind === HANDSHAKE ? Buffer.from('00000000000100055343'.concat('52414d'), 'hex') : Buffer.alloc(0);
        const head = Buffer.alloc(8);
        head.writeInt32BE(4 + mechanisms.length, 0);
        head.writeInt32BE(bytes.readInt32BE(8), 4);
        socket.write(Buffer.concat([head, mechanisms]));
        bytes = bytes.subarray(4 + size);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function request(apiKey: number, encodeMs: number) {
  const encode = async () => {
    await pause(encodeMs);
    return new Encoder();
  };
  const response = { decode: async () => ({}), parse: async () => ({}) };
  return { request: { apiKey, apiVersion: 0, apiName: String(apiKey), encode }, response };
}

test('what was being encoded when a session ended is not sent in the middle of the next proof', async () => {
  const events: string[] = [];
  const server = await createBroker(events);
  const logger = { namespace: () => logger, debug: () => undefined, warn: () => undefined, error: () => undefined };
  const prove = async () => {
    await pause(100);
    events.push('proved');
  };
  const connection = new ConnectionClass({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    logger,
    socketFactory: createSocketFactory(),
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    reauthenticationThreshold: 0,
    sasl: { mechanism: 'SCRAM', authenticationProvider: () => ({ authenticate: prove }) },
  });
  connection.setVersions({ [HANDSHAKE]: { minVersion: 0, maxVersion: 1 } });
  await connection.connect();
  connection.authenticatedAt = process.hrtime();
  connection.sessionLifetime = LongClass.fromValue(20);
  const slow = connection.send(request(SLOW, 60));
  await pause(30);
  await Promise.all([slow, connection.send(request(QUICK, 0))]);
  expect(events.slice(0, 2)).toEqual([`request ${HANDSHAKE}`, 'proved']);
  expect(events.slice(2).toSorted()).toEqual([`request ${SLOW}`, `request ${QUICK}`]);
  await connection.disconnect();
  server.close();
});
