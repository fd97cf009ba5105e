import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { ClientTls, TlsMaterial } from '@weir/pipeline';
import { testCertificates } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClickHouse } from './client.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-tls-agent-'));
const made = await testCertificates(dir);
const text = (path: string) => readFileSync(path, 'utf8');
const asked: { user: string; certificate: string }[] = [];
let server: Server;

beforeAll(async () => {
  const own = { cert: text(made.serverCert), key: text(made.serverKey), ca: text(made.ca) };
  server = createServer({ ...own, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const [, credentials = ''] = (request.headers.authorization ?? '').split(' ');
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    asked.push({
      user: Buffer.from(credentials, 'base64').toString(),
      certificate: String(peer.subject?.CN ?? 'none'),
    });
    // Each request has a connection of its own.
    response.setHeader('connection', 'close').end('{"1":1}\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server?.close();
  rmSync(dir, { recursive: true, force: true });
});

function clickhouse(tls: ClientTls) {
  const { port } = server.address() as AddressInfo;
  const access = { database: 'weir', username: 'weir', password: 'hunter2' };
  return createClickHouse({ url: `https://127.0.0.1:${port}`, ...access, tls });
}

const signal = AbortSignal.timeout(20_000);

test('a certificate is shown beside the user and password, from the connection on at which it is there', async () => {
  let material: TlsMaterial = { ca: text(made.ca) };
  const client = clickhouse({ material: () => material });
  await client.ping(signal);
  material = { ...material, cert: text(made.clientCert), key: text(made.clientKey) };
  await client.ping(signal);
  await client.close();
  expect(asked).toEqual([
    { user: 'weir:hunter2', certificate: 'none' },
    { user: 'weir:hunter2', certificate: 'weir-envoy' },
  ]);
});

test.each<[string, ClientTls, string]>([
  ['by no known authority', { material: () => ({}) }, 'certificate'],
  ['by another name', { serverName: 'ch.example', material: () => ({ ca: text(made.ca) }) }, 'ch.example'],
])('a server that is certified %s is an outage that says why', async (_what, tls, why) => {
  const client = clickhouse(tls);
  await expect(client.ping(signal)).rejects.toMatchObject({
    code: 'unavailable',
    retryable: true,
    message: expect.stringContaining(why),
  });
  await client.close();
});
