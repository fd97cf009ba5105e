import { randomBytes } from 'node:crypto';
import { createKafkaLog, type KafkaLog } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS, decodeDlqMeta, encodeRawMeta, trackTopics } from '@weir/records';
import { encodeExport } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';

const stack = sharedStack();
const TENANT = stack.freshTenant();
const NEVER = new AbortController().signal;
const QUIET = { warn: () => undefined, debug: () => undefined };
const RAW = trackTopics('v1').raw;
const EDGE = randomBytes(8).toString('hex');

let log: KafkaLog;
let seq = 0;

beforeAll(() => {
  log = createKafkaLog({ brokers: stack.local.kafka.brokers, clientId: 'poison-test' }, QUIET, systemClock);
});

afterAll(() => log.close());

function spans(name: string, count: number, resourceBytes = 10): Buffer {
  const text = randomBytes(resourceBytes).toString('hex').slice(0, resourceBytes);
  const attributes = [{ key: 'filler', value: { value: { case: 'stringValue' as const, value: text } } }];
  const now = BigInt(Date.now()) * 1_000_000n;
  const items = Array.from({ length: count }, () => ({
    traceId: new Uint8Array(16).fill(7),
    spanId: new Uint8Array(8).fill(7),
    name,
    startTimeUnixNano: now,
    endTimeUnixNano: now,
  }));
  return Buffer.from(
    encodeExport('traces', { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: items }] }] }),
  );
}

/** A raw record as an edge writes it. */
function raw(value: Buffer, tenant = TENANT) {
  const meta = encodeRawMeta({
    tenant,
    signal: 'traces',
    encoding: 'identity',
    priority: false,
    items: 1,
    bytes: value.length,
    receivedAtNs: BigInt(Date.now()) * 1_000_000n,
    edge: EDGE,
    seq: seq++,
  });
  return { key: null, value, meta };
}

/** Reasons of the dead letters out of one raw partition from an offset on, by source offset. */
async function deadLetters(partition: number, from: number): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  let { start: offset } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  const { end } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  while (offset < end) {
    const page = await log.read(CONTROL_TOPICS.dlq, 0, offset, { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 }, NEVER);
    for (const { meta } of page.records) {
      const decoded = decodeDlqMeta(meta);
      if (!decoded.ok || decoded.value.sourceTopic !== RAW || decoded.value.sourcePartition !== partition) continue;
      if (decoded.value.sourceOffset >= from) found.set(decoded.value.sourceOffset, decoded.value.reason);
    }
    offset = page.nextOffset;
  }
  return found;
}

async function stored(name: string, count: number): Promise<void> {
  const sql = `SELECT count() AS n FROM otel_traces WHERE TenantId = '${TENANT}' AND SpanName = '${name}'`;
  await stack.until<{ n: string }>(sql, ({ n }) => Number(n) >= count);
  const [row] = await stack.query<{ n: string }>(sql);
  expect(Number(row?.n)).toBe(count);
}

test('what cannot be normalized goes to the DLQ by its reason, and what stands behind it is stored', async () => {
  const partition = 1;
  const first = await log.append(
    RAW,
    partition,
    [
      { key: null, value: Buffer.from('x'), meta: null },
      { key: null, value: Buffer.from('x'), meta: Buffer.of(99, 1, 2) },
      raw(Buffer.of(10, 255)),
      raw(spans('poison-nobody', 1), 'no-such-tenant'),
      raw(spans('poison-good', 2)),
    ],
    NEVER,
  );
  // Half a megabyte that a hundred rows repeat: more than a record of the rows log can hold.
  await log.append(RAW, partition, [raw(spans('poison-huge', 100, 600_000))], NEVER);
  await log.append(RAW, partition, [raw(spans('poison-last', 3))], NEVER);
  await stored('poison-last', 3);
  await stored('poison-good', 2);
  expect(await deadLetters(partition, first)).toEqual(
    new Map([
      [first, 'unknown_version'],
      [first + 1, 'unknown_version'],
      [first + 2, 'undecodable_body'],
      [first + 3, 'unknown_tenant'],
      [first + 5, 'rows_rejected'],
    ]),
  );
});

test('an append of an edge that is repeated or comes late is stored once', async () => {
  const partition = 2;
  const older = raw(spans('once-older', 1));
  const newer = raw(spans('once-newer', 2));
  await log.append(RAW, partition, [older], NEVER);
  await log.append(RAW, partition, [newer], NEVER);
  await log.append(RAW, partition, [newer, older], NEVER);
  await log.append(RAW, partition, [raw(spans('once-last', 1))], NEVER);
  await stored('once-last', 1);
  await stored('once-newer', 2);
  await stored('once-older', 1);
});
