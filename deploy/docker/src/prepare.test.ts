import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import { createKey, hashKey, parseTenants } from '@weir/tenancy';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prepare } from './prepare.ts';

const PEPPER = 'f3'.repeat(32);
const NOW = new Date();
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-prepare-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const { key, prefix } = createKey();
const config = (demoKey = key) => ({ directory, hostnames: ['localhost', '127.0.0.1'], demoKey, pepper: PEPPER });
const file = (name: string) => readFile(join(directory, name), 'utf8');

test('the first tenant has the demo key, stored as a hash, in the form that ingestctl reads', async () => {
  await prepare(config(), NOW);
  const text = await file('tenants.yaml');
  expect(text).not.toContain(key);
  const parsed = parseTenants(text);
  expect(parsed.ok && parsed.file.tenants.demo?.keys).toEqual([
    { prefix, hash: `hmac-sha256:${hashKey(key, PEPPER)}` },
  ]);
});

test('private keys are their owner alone, and a second run changes nothing', async () => {
  expect(await prepare(config(), NOW)).toEqual({ ok: true, made: ['certificates', 'tenants.yaml'] });
  for (const name of ['server.key', 'edge.key', 'client.key', 'tenants.yaml']) {
    expect((await stat(join(directory, name))).mode & 0o077, name).toBe(0);
  }
  const before = await Promise.all(['ca.crt', 'server.crt', 'tenants.yaml'].map(file));
  expect(await prepare(config(), NOW)).toEqual({ ok: true, made: [] });
  expect(await Promise.all(['ca.crt', 'server.crt', 'tenants.yaml'].map(file))).toEqual(before);
});

test('a key of another form is refused before anything is written', async () => {
  expect(await prepare(config('secret'), NOW)).toMatchObject({ ok: false });
  await expect(file('ca.crt')).rejects.toThrow();
});

test('mutual TLS between Envoy and edge works with the certificates, and not without', async () => {
  await prepare(config(), NOW);
  const [ca, cert, edgeKey] = await Promise.all(['ca.crt', 'edge.crt', 'edge.key'].map(file));
  const server = createServer({ ca: ca!, cert: cert!, key: edgeKey!, requestCert: true, rejectUnauthorized: true });
  server.on('secureConnection', (socket) => socket.end(String(socket.getPeerCertificate().subject.CN)));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const base = { host: '127.0.0.1', port, servername: 'localhost', ca: ca! };
  try {
    const [clientCert, clientKey] = await Promise.all(['client.crt', 'client.key'].map(file));
    expect(await readAll(connectTls({ ...base, cert: clientCert!, key: clientKey! }))).toBe('weir-envoy');
    await expect(readAll(connectTls(base))).rejects.toThrow();
  } finally {
    server.close();
  }
});

async function readAll(socket: TLSSocket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}
