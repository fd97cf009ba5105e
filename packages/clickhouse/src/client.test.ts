import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClickHouse } from './client.ts';

let server: Server;

/** A ClickHouse that takes statements and never ends one. */
beforeAll(async () => {
  server = createServer((request) => request.resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('a statement that takes long is given up when its signal aborts', async () => {
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const clickhouse = createClickHouse({ url, database: 'weir', username: 'default', password: '' });
  const interrupted = new AbortController();
  const arrived = new Promise((resolve) => server.once('request', resolve));
  const running = clickhouse.command('SELECT 1', interrupted.signal);
  await arrived;
  interrupted.abort();
  await expect(running).rejects.toMatchObject({ name: 'DependencyError', dependency: 'clickhouse' });
  // One that comes after that is not sent.
  const sent = new Promise((resolve) => server.once('request', () => resolve('sent')));
  const late = clickhouse.query('SELECT 1', {}, interrupted.signal).catch((error: Error) => error.name);
  expect(await Promise.race([sent, late])).toBe('DependencyError');
  await clickhouse.close();
});
