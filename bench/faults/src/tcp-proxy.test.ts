import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TcpProxy } from './tcp-proxy.ts';

let echo: Server;
const sockets: Socket[] = [];
let proxy: TcpProxy;
let port = 0;

beforeEach(async () => {
  echo = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await proxy.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});

async function dialed(random: () => number): Promise<Socket> {
  proxy = new TcpProxy((echo.address() as AddressInfo).port, random);
  port = await proxy.listen();
  return dial();
}

async function dial(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

test('under loss everything arrives, later and in order', async () => {
  // Every fourth number is a loss, and no piece is lost twice.
  let calls = 0;
  const socket = await dialed(() => (calls++ % 4 === 0 ? 0 : 0.9));
  proxy.fault = { loss: 0.2 };
  const sent = randomBytes(1024 * 1024);
  const hash = createHash('sha256');
  let left = sent.length;
  const whole = new Promise<void>((resolve, reject) => {
    socket.on('close', () => reject(new Error('the connection ended')));
    socket.on('data', (chunk) => {
      hash.update(chunk);
      left -= chunk.length;
      if (left === 0) resolve();
    });
  });
  socket.write(sent);
  await whole;
  expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  expect(proxy.struck).toBeGreaterThan(0);
});

test('a piece that is lost for good ends the connection by a reset, in both directions', async () => {
  const socket = await dialed(() => 0);
  proxy.fault = { loss: 1 };
  socket.write('x');
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
  expect(proxy.struck).toBe(1);
});

test('once the loss is over a new connection passes everything', async () => {
  const first = await dialed(() => 0);
  proxy.fault = { loss: 1 };
  first.write('x');
  await once(first, 'error');
  proxy.fault = {};
  const again = await dial();
  again.write('y');
  const [answer] = (await once(again, 'data')) as [Buffer];
  expect(answer.toString()).toBe('y');
});
