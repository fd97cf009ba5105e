import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureCertificates, stackPaths } from '@weir/local';
import { createKey } from '@weir/tenancy';
import { caseTenant, encodeExport, type HttpAnswer, OtlpClient, pause, TestStack } from '@weir/testkit';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';

const QUEUE_BYTES = 1024 ** 2;

let stack: TestStack;
let envoy: OtlpClient;
const scratch = mkdtempSync(join(tmpdir(), 'weir-outage-'));
const dataDir = join(scratch, 'data');

beforeAll(async () => {
  stack = await TestStack.start(dataDir, {
    env: {
      WEIR_EDGE_BODY_BYTES_MAX: `${QUEUE_BYTES / 4}B`,
      WEIR_EDGE_QUEUE_BYTES_MAX: `${QUEUE_BYTES}B`,
      WEIR_TLS_CLIENT_REQUIRED: 'true',
    },
  });
  envoy = new OtlpClient(stack);
});

afterAll(async () => {
  await envoy.close();
  await stack.stop();
  rmSync(scratch, { recursive: true, force: true });
});

let made = 0;

/** Spans whose names do not compress, so that an export has about this many bytes. */
function spans(bytes = 500): { readonly id: string; readonly body: Buffer } {
  const spanId = Buffer.alloc(8);
  spanId.writeUInt32BE(++made, 4);
  const noise = Array.from({ length: Math.ceil(bytes / 16) }, () => createKey().key.slice(12, 28)).join('');
  const span = {
    traceId: Buffer.alloc(16, 3),
    spanId,
    name: noise,
    startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
  };
  const body = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  return { id: spanId.toString('hex'), body: Buffer.from(body) };
}

const key = () => stack.key('demo');
const send = (body = spans().body, as = key()) => envoy.export('traces', body, { key: as });

async function untilAccepted(): Promise<void> {
  const deadline = Date.now() + 40_000;
  while ((await send()).status !== 200) {
    if (Date.now() > deadline) throw new Error('still refused');
    await pause(200);
  }
}

async function stored(id: string): Promise<void> {
  const sql = `SELECT count() AS n FROM otel_traces WHERE SpanId = '${id}'`;
  await stack.until<{ n: string }>(sql, ({ n }) => n === '1');
}

/** Settles with the answer, or with what broke the connection. */
async function post(url: string, tls: object): Promise<number | string> {
  const dispatcher = new Agent({ connect: { ca: stack.ca, ...tls } });
  try {
    const headers = { authorization: `Bearer ${key()}`, 'content-type': 'application/x-protobuf' };
    const answer = await request(`${url}/v1/traces`, { method: 'POST', headers, body: spans().body, dispatcher });
    await answer.body.dump();
    return answer.statusCode;
  } catch (error) {
    return (error as { code?: string }).code ?? 'error';
  } finally {
    await dispatcher.close();
  }
}

test('with client certificates required, only one of our own authority gets in', async () => {
  const { http } = stack.local.edge;
  const paths = stackPaths(dataDir);
  const own = {
    cert: readFileSync(join(paths.tls, 'client.pem')),
    key: readFileSync(join(paths.tls, 'client.key')),
  };
  const strange = await ensureCertificates(join(scratch, 'strange'), new Date());
  const other = { cert: readFileSync(strange.clientCert), key: readFileSync(strange.clientKey) };
  expect(await post(http, own)).toBe(200);
  expect(await post(http, {})).not.toBeTypeOf('number');
  expect(await post(http, other)).not.toBeTypeOf('number');
  const grpc = new OtlpClient(stack, { direct: true });
  const refused = await grpc.grpc('traces', spans().body, { key: key() });
  expect(refused.ok).toBe(false);
  await grpc.close();
  expect((await send()).status).toBe(200);
});

test('while Kafka hangs the queue fills to its bound and then answers 503, and what was held is answered', async () => {
  stack.signal('kafka', 'SIGSTOP');
  const answers: HttpAnswer[] = [];
  const held: Promise<void>[] = [];
  // Twice the bound, 40 KB each.
  for (let i = 0; i < (2 * QUEUE_BYTES) / 40_000; i++) {
    held.push(send(spans(40_000).body).then((answer) => void answers.push(answer)));
    await sleep(5);
  }
  const full = answers.filter(({ body }) => body.toString('latin1').match(/is full|fair share/) !== null);
  const overGrpc = await envoy.grpc('traces', spans(40_000).body, { key: key() });
  expect(await stack.metric('edge', 'weir_edge_queue_bytes')).toBeLessThanOrEqual(QUEUE_BYTES);
  stack.signal('kafka', 'SIGCONT');
  await Promise.all(held);
  expect(full.length).toBeGreaterThan(0);
  for (const answer of full) {
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  }
  expect(overGrpc.ok ? 0 : overGrpc.error.code).toBe(14);
  if (!overGrpc.ok) expect(overGrpc.error.metadata.get('google.rpc.retryinfo-bin')).toHaveLength(1);
  expect(await stack.metric('edge', 'weir_edge_refused_exports_total', { reason: 'edge_full' })).toBeGreaterThan(0);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
  await untilAccepted();
});

test('what Kafka gave no answer for is in the books as what became of it', async () => {
  const tenant = caseTenant(0);
  const statuses: number[] = [];
  const sendAs = () =>
    envoy.export('traces', spans().body, { key: stack.key(tenant) }).then(({ status }) => void statuses.push(status));
  await sendAs();
  stack.signal('kafka', 'SIGSTOP');
  const held: Promise<void>[] = [];
  // Each partition has an append without an answer, and more behind it.
  for (let i = 0; i < 40; i++) {
    held.push(sendAs());
    await sleep(20);
  }
  await Promise.all(held);
  stack.signal('kafka', 'SIGCONT');
  await untilAccepted();
  await sendAs();
  const answered = (status: number) => statuses.filter((each) => each === status).length;
  expect([answered(503) > 10, answered(200) + answered(503)]).toEqual([true, statuses.length]);
  const sum = (outcome: string) => `toInt64(sumIf(Items, Outcome = '${outcome}'))`;
  const books = await stack.until<Record<string, string>>(
    `SELECT ${sum('acked')} AS acked, ${sum('accepted')} AS accepted, ${sum('refused')} AS refused,
       ${sum('unanswered')} AS unanswered, (SELECT count() FROM otel_traces WHERE TenantId = '${tenant}') AS rows
     FROM weir_usage WHERE TenantId = '${tenant}'`,
    // What was cut together goes into one table after the other: the books may be there first.
    ({ acked, accepted, refused, rows }) =>
      Number(acked) === answered(200) &&
      Number(accepted) + Number(refused) === statuses.length &&
      Number(rows) >= Number(accepted),
  );
  expect(Number(books.unanswered) + Number(books.refused)).toBe(answered(503));
  expect(Number(books.accepted)).toBe(answered(200) + Number(books.unanswered));
  expect(books.rows).toBe(books.accepted);
});

test('an edge that starts while Kafka is down knows its tenants, and answers 503 to all others', async () => {
  // What it must know by then is in its copy.
  await untilAccepted();
  stack.signal('kafka', 'SIGSTOP');
  const before = stack.pid('edge');
  stack.signal('edge', 'SIGKILL');
  const deadline = Date.now() + 30_000;
  let known: HttpAnswer | undefined;
  while (Date.now() < deadline) {
    if (stack.pid('edge') !== before) {
      known = await send();
      if (known.body.includes('Kafka')) break;
    }
    await pause(200);
  }
  expect(known?.status).toBe(503);
  expect(known?.body.toString()).toContain('Kafka');
  const unknown = await send(spans().body, createKey().key);
  expect(unknown.status).toBe(503);
  expect(await stack.ready('edge')).toBe(false);
  stack.signal('kafka', 'SIGCONT');
  await untilAccepted();
  // The log of exports may answer before the tenants have been read.
  await expect.poll(async () => (await send(spans().body, createKey().key)).status, { timeout: 20_000 }).toBe(401);
  expect(await stack.ready('edge')).toBe(true);
});

test('an edge that is told to stop answers what it holds first, and it is stored', async () => {
  await untilAccepted();
  stack.signal('kafka', 'SIGSTOP');
  const held = [spans(), spans()] as const;
  const overHttp = send(held[0].body);
  const overGrpc = envoy.grpc('traces', held[1].body, { key: key() });
  await pause(300);
  stack.signal('edge', 'SIGTERM');
  await pause(500);
  stack.signal('kafka', 'SIGCONT');
  expect((await overHttp).status).toBe(200);
  expect((await overGrpc).ok).toBe(true);
  await untilAccepted();
  for (const { id } of held) await stored(id);
});
