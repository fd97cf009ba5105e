import { mkdtempSync, rmSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { Agent as HttpsAgent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { caseTenant, encodeExport, OtlpClient, TestStack } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const QUEUE_BYTES = 1024 ** 2;
const BODY_BYTES = QUEUE_BYTES / 4;

let stack: TestStack;
let client: OtlpClient;
const scratch = mkdtempSync(join(tmpdir(), 'weir-share-'));
const agent = new HttpsAgent({ maxSockets: 100 });

beforeAll(async () => {
  stack = await TestStack.start(join(scratch, 'data'), {
    env: {
      WEIR_EDGE_BODY_BYTES_MAX: `${BODY_BYTES}B`,
      WEIR_EDGE_QUEUE_BYTES_MAX: `${QUEUE_BYTES}B`,
      WEIR_EDGE_ASYNC: 'false',
    },
  });
  client = new OtlpClient(stack, { direct: true });
});

afterAll(async () => {
  agent.destroy();
  await client.close();
  await stack.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const now = BigInt(Date.now()) * 1_000_000n;
const span = { traceId: Buffer.alloc(16, 3), spanId: Buffer.alloc(8, 5), name: 'call', startTimeUnixNano: now };
const body = Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
const statusOf = (tenant: string) =>
  client.export('traces', body, { key: stack.key(tenant) }).then(({ status }) => status);

/** Sends all of a body but its last byte; resolves with the answer where there is one, though nothing more comes. */
function uploadSlowly(
  tenant: string,
  bytes: number,
): { readonly sent: ClientRequest; readonly refusal: Promise<string> } {
  const sent = request(`${stack.local.edge.http}/v1/traces`, {
    method: 'POST',
    agent,
    ca: stack.ca,
    headers: {
      authorization: `Bearer ${stack.key(tenant)}`,
      'content-type': 'application/json',
      'content-length': bytes,
    },
  });
  const refusal = new Promise<string>((resolve) => {
    sent.on('response', (answer) => {
      answer.setEncoding('utf8').on('data', (text: string) => resolve(`${answer.statusCode} ${text}`));
    });
  });
  sent.on('error', () => undefined);
  sent.write(Buffer.alloc(bytes - 1, ' '));
  return { sent, refusal };
}

test('slow uploads of one tenant hold its share of the queue, are told so, and keep no other tenant out', async () => {
  const [hot, quiet] = [caseTenant(0), caseTenant(1)];
  const uploads = Array.from({ length: 12 }, () => uploadSlowly(hot, 100_000));
  const refused = await Promise.any(uploads.map(({ refusal }) => refusal));
  expect(refused).toMatch(/^503 .*edge_full: .*fair share/);
  await expect.poll(() => stack.metric('edge', 'weir_edge_queue_bytes')).toBeGreaterThan(QUEUE_BYTES / 2);
  for (let i = 0; i < 20; i++) expect(await statusOf(quiet)).toBe(200);
  expect(await stack.metric('edge', 'weir_edge_queue_bytes')).toBeLessThan(QUEUE_BYTES * 0.8);
  expect(await stack.metric('edge', 'weir_edge_zone', { of: 'queue', zone: 'open' })).toBe(1);
  for (const { sent } of uploads) sent.destroy();
  await expect.poll(() => stack.metric('edge', 'weir_edge_queue_tenants')).toBe(0);
  expect(await statusOf(hot)).toBe(200);
});

test('without batches each export is a produce of its own, and all are stored', async () => {
  const tenant = caseTenant(2);
  const produces = () => stack.metric('edge', 'weir_edge_produce_seconds_count');
  const before = await produces();
  const answers = await Promise.all(Array.from({ length: 100 }, () => statusOf(tenant)));
  expect(new Set(answers)).toEqual(new Set([200]));
  expect((await produces()) - before).toBeGreaterThanOrEqual(100);
  const sql = `SELECT count() AS n FROM otel_traces WHERE TenantId = '${tenant}'`;
  await stack.until<{ n: string }>(sql, ({ n }) => n === '100');
});
