import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { pause } from '@weir/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ProxyFault, TcpProxy } from '../tcp-proxy.ts';
import { strikeLink } from './row.ts';

const FAULTS: readonly ProxyFault[] = [
  { delayMs: 10 },
  { cutAnswers: 1 },
  { cutRequests: 'x' },
  { loss: 1 },
  { down: true },
];

let echo: Server;
let proxy: TcpProxy;
let client: Socket;

beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = new TcpProxy((echo.address() as AddressInfo).port, () => 0.5);
  client = connect({ host: '127.0.0.1', port: await proxy.listen() });
  client.on('error', () => undefined);
});

afterEach(async () => {
  client.destroy();
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

test.each(FAULTS)('a link is struck by %j where something comes over it', async (fault) => {
  await once(client, 'connect');
  client.write('before');
  await once(client, 'data');
  const struck = strikeLink(proxy, fault, 100);
  client.write('x');
  await struck;
});

test.each(FAULTS)('a strike by %j throws where nothing comes over the link', async (fault) => {
  client.destroy();
  await pause(20);
  await expect(strikeLink(proxy, fault, 20)).rejects.toThrow('struck nothing');
});
