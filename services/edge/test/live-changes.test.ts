import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';

const stack = sharedStack();
const client = new OtlpClient(stack, { direct: true });

afterAll(() => client.close());

const JSON_TYPE = { 'content-type': 'application/json' };

function statusWith(presented: string): Promise<number> {
  return client
    .http('/v1/traces', '{}', { ...JSON_TYPE, authorization: `Bearer ${presented}` })
    .then(({ status }) => status);
}

async function becomes(presented: string, wanted: number, withinMs: number): Promise<number> {
  const startedMs = Date.now();
  while (Date.now() - startedMs < withinMs) {
    if ((await statusWith(presented)) === wanted) return Date.now() - startedMs;
    await pause(20);
  }
  throw new Error(`not ${wanted} within ${withinMs} ms`);
}

test('a new key works and a revoked one is refused, live, within a second', async () => {
  const file = `${stack.dataDir}/live-tenants.yaml`;
  const { key, entry } = JSON.parse(await stack.ingestctl('--json', 'keys', 'create'));
  expect(await statusWith(key)).toBe(401);
  const yaml = (revoked: string) =>
    `version: 1\ntenants:\n  live-tenant:\n    keys:\n      - prefix: ${entry.prefix}\n        hash: ${entry.hash}\n${revoked}`;
  writeFileSync(file, yaml(''));
  await stack.ingestctl('tenants', 'apply', '-f', file);
  await becomes(key, 200, 1_000);
  writeFileSync(file, yaml('        revoked: true\n'));
  await stack.ingestctl('tenants', 'apply', '-f', file);
  await becomes(key, 401, 1_000);
});

test('tenants show --effective merges the defaults, and a faulty file is refused with its lines', async () => {
  const shown = JSON.parse(await stack.ingestctl('--json', 'tenants', 'show', 'limited', '--effective'));
  expect(shown.limits).toMatchObject({ items: { perSecond: 10, burst: 20 }, retentionDays: 30, slowThreshold: '1s' });
  const file = `${stack.dataDir}/faulty-tenants.yaml`;
  writeFileSync(
    file,
    'version: 1\ntenants:\n  acme:\n    limits:\n      retentionDays: 0\n      slowThreshold: soon\n  Bad_Name: {}\n',
  );
  const failed = await stack.ingestctl('tenants', 'apply', '-f', file).catch((error: Error) => error.message);
  expect(failed).toContain(`${file}:5:`);
  expect(failed).toContain(`${file}:6:`);
  expect(failed).toContain('Bad_Name');
});

/** Serial number of the certificate that a port presents. */
function serialAt(port: number, alpn: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: 'localhost', port, ca: stack.ca, ALPNProtocols: [alpn] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

test('certificates are read again when their files change, on both ports', async () => {
  const tls = `${stack.dataDir}/tls`;
  const ports = [
    [Number(new URL(stack.local.edge.http).port), 'http/1.1'],
    [Number(new URL(stack.local.edge.grpc).port), 'h2'],
  ] as const;
  const before = await Promise.all(ports.map(([port, alpn]) => serialAt(port, alpn)));
  const kept = ['server.pem', 'server.key'].map((name) => readFileSync(`${tls}/${name}`));
  // The client's certificate is signed by the same CA for the same names.
  copyFileSync(`${tls}/client.pem`, `${tls}/server.pem`);
  copyFileSync(`${tls}/client.key`, `${tls}/server.key`);
  try {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const now = await Promise.all(ports.map(([port, alpn]) => serialAt(port, alpn)));
      if (now.every((serial, i) => serial !== before[i])) break;
      if (Date.now() > deadline) throw new Error('the old certificate is still served');
      await pause(200);
    }
    expect((await client.export('traces', '{}', { key: stack.key('demo') })).status).toBe(200);
  } finally {
    writeFileSync(`${tls}/server.pem`, kept[0]!);
    writeFileSync(`${tls}/server.key`, kept[1]!);
  }
});
