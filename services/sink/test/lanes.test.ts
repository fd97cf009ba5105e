import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FaultPoint } from '@weir/pipeline';
import { caseTenant, encodeExport, OtlpClient, TestStack } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Of 7, 30 and 90 days. */
const TENANTS = ['weekly', caseTenant(1), 'quarterly'];
const TABLES = ['otel_traces', 'otel_logs'] as const;
/** Of one export: enough that it goes in apart by itself, however the services come to divide what they read. */
const SPANS = 4_500;
const EXPORTS = 3;

const scratch = mkdtempSync(join(tmpdir(), 'weir-lanes-'));
const dataDir = join(scratch, 'data');
let stack: TestStack;
let client: OtlpClient;

beforeAll(async () => {
  // One partition and batches that wait: the rows of all tenants are in one of them.
  const env = { WEIR_KAFKA_PARTITIONS: '1', WEIR_SINK_BATCH_AGE: '10s' };
  stack = await TestStack.start(dataDir, { env, faultPoints: true });
  client = new OtlpClient(stack);
});

afterAll(async () => {
  await client.close();
  await stack.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** Sends as many spans and log records of each tenant, each with a name of its own. */
async function send(round: string): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const numbers = Array.from({ length: SPANS }, (_, at) => at);
  const sends = TENANTS.flatMap((tenant) =>
    Array.from({ length: EXPORTS }, async (_, part) => {
      const nameOf = (at: number) => `${round}-${part}-${at}`;
      const id = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
      const spans = numbers.map((at) => ({
        ...{ ...id, name: round, traceState: nameOf(at) },
        ...{ startTimeUnixNano: now, endTimeUnixNano: now },
      }));
      const logRecords = numbers.map((at) => ({ timeUnixNano: now, severityText: round, eventName: nameOf(at) }));
      const key = stack.key(tenant);
      const bodies = {
        traces: encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }),
        logs: encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }),
      };
      for (const signal of ['traces', 'logs'] as const) {
        expect((await client.export(signal, Buffer.from(bodies[signal]), { key })).status).toBe(200);
      }
    }),
  );
  await Promise.all(sends);
}

/** How many rows of a round each tenant has in a table, and how many of them are different. */
function storedSql(table: string, round: string): string {
  const [name, own] = table === 'otel_traces' ? ['SpanName', 'TraceState'] : ['SeverityText', 'EventName'];
  return `SELECT groupArray((TenantId, n, distinct)) AS tenants, sum(n) AS rows FROM (SELECT TenantId, count() AS n, uniqExact(${own}) AS distinct FROM ${table} WHERE ${name} = '${round}' GROUP BY TenantId ORDER BY TenantId)`;
}

async function storedOnce(round: string): Promise<void> {
  const count = SPANS * EXPORTS;
  for (const table of TABLES) {
    const rows = count * TENANTS.length;
    const found = await stack.until<{ tenants: [string, string, string][]; rows: string }>(
      storedSql(table, round),
      ({ rows: n }) => Number(n) >= rows,
      90_000,
    );
    const each = TENANTS.toSorted().map((tenant) => [tenant, String(count), String(count)]);
    expect([table, found.tenants]).toEqual([table, each]);
  }
}

/** What ClickHouse remembers of a table's inserts: for each token the partitions that it touched. */
async function partitionsByToken(table: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const [found] = await stack.query<{ paths: string[] }>(
    `SELECT data_paths AS paths FROM system.tables WHERE database = currentDatabase() AND name = '${table}'`,
  );
  const dir = join(found!.paths[0]!, 'deduplication_logs');
  const touched = new Map<string, string[]>();
  for (const file of readdirSync(dir)) {
    for (const line of readFileSync(join(dir, file), 'utf8').split('\n')) {
      const [, , block = ''] = line.split('\t');
      const [partition, ...token] = block.split('_');
      if (partition === undefined || token.length === 0) continue;
      touched.set(token.join('_'), [...(touched.get(token.join('_')) ?? []), partition]);
    }
  }
  return touched;
}

test('each insert touches one partition of its table', async () => {
  await send('whole');
  await storedOnce('whole');
  for (const table of TABLES) {
    const touched = [...(await partitionsByToken(table)).values()];
    expect(new Set(touched.flat()).size).toBe(TENANTS.length);
    expect(touched.every((partitions) => partitions.length === 1)).toBe(true);
  }
});

const POINTS: readonly FaultPoint[] = ['sink.after_cut', 'sink.in_insert', 'sink.after_insert'];

test.each(POINTS)('a sink that is killed at %s leaves each row of every lane once', async (point) => {
  await stack.killAt('sink', point, () => send(point));
  await storedOnce(point);
  for (const tenant of TENANTS) await stack.ingestctl('audit', '--tenant', tenant);
});
