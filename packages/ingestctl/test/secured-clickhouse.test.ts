import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ran, runProgram } from './run-program.ts';

const stack = sharedStack();
let server: Server;

/** TLS before the stack's ClickHouse, which asks for a certificate that its authority signed. */
beforeAll(async () => {
  const at = dirname(stack.local.ca);
  const [cert, key] = ['server.pem', 'server.key'].map((name) => readFileSync(join(at, name)));
  server = createServer({ cert, key, ca: stack.ca, requestCert: true, rejectUnauthorized: true }, (socket) => {
    const behind = connect(Number(new URL(stack.local.clickhouse.url).port), '127.0.0.1');
    for (const [from, to] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server?.close();
});

function ingestctl(args: readonly string[], tls: Readonly<Record<string, string>>): Promise<Ran> {
  const { port } = server.address() as AddressInfo;
  return runProgram(args, { env: { WEIR_CLICKHOUSE_URL: `https://localhost:${port}`, ...tls } });
}

test('ClickHouse is reached over https with its authority and a certificate', async () => {
  const at = dirname(stack.local.ca);
  const certificate = {
    WEIR_CLICKHOUSE_TLS_CERT_FILE: join(at, 'client.pem'),
    WEIR_CLICKHOUSE_TLS_KEY_FILE: join(at, 'client.key'),
  };
  const all = { WEIR_CLICKHOUSE_TLS_CA_FILE: stack.local.ca, ...certificate };
  expect(await ingestctl(['schema', 'status'], all)).toMatchObject({ status: 0, err: '' });
  expect(await ingestctl(['schema', 'apply'], all)).toMatchObject({
    status: 0,
    out: expect.stringMatching(/nothing to do/),
  });

  const oneLine = expect.stringMatching(/^ingestctl: clickhouse: .*\n$/);
  expect(await ingestctl(['schema', 'status'], certificate)).toMatchObject({ status: 3, err: oneLine });
  const { WEIR_CLICKHOUSE_TLS_CA_FILE } = all;
  expect(await ingestctl(['schema', 'status'], { WEIR_CLICKHOUSE_TLS_CA_FILE })).toMatchObject({
    status: 3,
    err: oneLine,
  });
  const name = { ...all, WEIR_CLICKHOUSE_TLS_SERVER_NAME: 'clickhouse.example' };
  expect(await ingestctl(['schema', 'status'], name)).toMatchObject({
    status: 3,
    err: expect.stringContaining('clickhouse.example'),
  });
});
