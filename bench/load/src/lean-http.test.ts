import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createSender } from './sender.ts';
import type { Sender } from './sent.ts';

let server: Server | undefined;
let sender: Sender | undefined;
const sockets = new Set<Socket>();

afterEach(async () => {
  await sender?.close();
  server?.closeAllConnections();
  server?.close();
});

/** A lean sender to an endpoint that answers as `answer` says. */
async function lean(
  connections: number,
  answer: (response: ServerResponse, body: string, request: IncomingMessage) => void,
): Promise<Sender> {
  sockets.clear();
  const made = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => answer(response, body, request));
  });
  made.on('connection', (socket: Socket) => sockets.add(socket));
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  const http = `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
  sender = createSender({ grpc: '', http, ca: undefined }, 'http', { compression: 'none', connections, lean: true });
  return sender;
}

const send = (to: Sender, text: string) => to.send('logs', Buffer.from(text), 'the-key');

test('more exports than connections are all sent, each once with its key, over as many connections', async () => {
  const seen: string[] = [];
  const to = await lean(3, (response, body, { url, headers }) => {
    seen.push(`${url} ${headers.authorization} ${headers['content-type']} ${body}`);
    setTimeout(() => response.end(body), 5);
  });
  const sent = await Promise.all(Array.from({ length: 20 }, (_, number) => send(to, `export ${number}`)));
  expect(sent.every(({ kind }) => kind === 'accepted')).toBe(true);
  const expected = Array.from({ length: 20 }, (_, n) => `/v1/logs Bearer the-key application/x-protobuf export ${n}`);
  expect(seen.toSorted()).toEqual(expected.toSorted());
  expect(sockets.size).toBe(3);
});

test('answers are told apart by their status, whether their body has a length, comes in chunks, or is none', async () => {
  const to = await lean(1, (response, body) => {
    response.statusCode = Number(body);
    if (body === '200') response.end();
    else if (body === '429') response.end('x'.repeat(100_000));
    else {
      response.write('in ');
      setTimeout(() => response.end('chunks'), 10);
    }
  });
  const sent = [await send(to, '200'), await send(to, '429'), await send(to, '503'), await send(to, '200')];
  expect(sent).toEqual([
    { kind: 'accepted' },
    { kind: 'refused', reason: 'HTTP 429' },
    { kind: 'refused', reason: 'HTTP 503' },
    { kind: 'accepted' },
  ]);
  expect(sockets.size).toBe(1);
});

test('a connection that breaks leaves its export unknown, one that is to be closed does not, and both are opened again', async () => {
  const to = await lean(1, (response, body, request) => {
    if (body === 'break') request.socket.destroy();
    else {
      if (body === 'close') response.setHeader('connection', 'close');
      response.end();
    }
  });
  expect(await send(to, 'break')).toEqual({ kind: 'unknown', reason: 'ECONNRESET' });
  expect(await send(to, 'close')).toEqual({ kind: 'accepted' });
  expect(await send(to, 'on')).toEqual({ kind: 'accepted' });
  expect(sockets.size).toBe(3);
});

test('where nobody listens exports are unknown', async () => {
  sender = createSender({ grpc: '', http: 'http://127.0.0.1:1', ca: undefined }, 'http', {
    compression: 'none',
    connections: 2,
    lean: true,
  });
  expect(await send(sender, 'x')).toEqual({ kind: 'unknown', reason: 'ECONNREFUSED' });
  expect(await send(sender, 'y')).toEqual({ kind: 'unknown', reason: 'ECONNREFUSED' });
});
