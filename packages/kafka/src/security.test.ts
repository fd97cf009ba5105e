import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { ClientTls, TlsMaterial } from '@weir/pipeline';
import { testCertificates } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { securityOf } from './security.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-security-'));
const [ours, others] = await Promise.all([testCertificates(join(dir, 'ours')), testCertificates(join(dir, 'others'))]);
const text = (path: string) => readFileSync(path, 'utf8');
const OURS = { ca: text(ours.ca) };
const OUR_CERTIFICATE = { ...OURS, cert: text(ours.clientCert), key: text(ours.clientKey) };

let server: Server;
const shown: string[] = [];
const sockets = new Set<TLSSocket>();

beforeAll(async () => {
  const own = { cert: text(ours.serverCert), key: text(ours.serverKey), ca: text(ours.ca) };
  server = createServer({ ...own, requestCert: true, rejectUnauthorized: false }, (socket) => {
    sockets.add(socket);
    shown.push(String(socket.getPeerCertificate().subject?.CN ?? 'none'));
    socket.on('error', () => undefined);
    socket.write('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** How a connection of kafkajs would end: connected, or with the code of an error. */
function connect(tls: ClientTls): Promise<string> {
  const { socketFactory, ssl } = securityOf({ brokers: [], clientId: 't', tls });
  return new Promise((resolve) => {
    const { port } = server.address() as AddressInfo;
    const socket = socketFactory({ host: '127.0.0.1', port, ssl: ssl ?? {}, onConnect: () => undefined });
    const end = (how: string) => {
      socket.destroy();
      resolve(how);
    };
    // Only now has the server seen what this side shows.
    socket.on('data', () => end('connected'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

const having = (material: TlsMaterial, serverName?: string): ClientTls => ({ serverName, material: () => material });

test('a broker must be signed by the authority that is named, and have the name that is asked for', async () => {
  expect(await connect(having(OURS))).toBe('connected');
  expect(await connect(having(OURS, 'localhost'))).toBe('connected');
  expect(await connect(having(OURS, 'kafka.example'))).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  expect(await connect(having({ ca: text(others.ca) }))).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED|SIGNATURE/);
  expect(await connect(having({}))).toMatch(/UNABLE_TO|SELF_SIGNED/);
});

test('the certificate that is there at each connection is shown, and none where there is none', async () => {
  shown.length = 0;
  let material: TlsMaterial = OURS;
  const tls: ClientTls = { material: () => material };
  await connect(tls);
  material = OUR_CERTIFICATE;
  await connect(tls);
  await expect.poll(() => shown).toEqual(['none', 'weir-envoy']);
});

test('without TLS the client asks for none, and each client has an object for SASL of its own', () => {
  const sasl = { mechanism: 'PLAIN', username: 'u', password: 'p' } as const;
  const made = securityOf({ brokers: [], clientId: 't', sasl });
  expect(made).not.toHaveProperty('ssl');
  expect(made.sasl).toEqual(sasl);
  expect(made.sasl).not.toBe(sasl);
});
