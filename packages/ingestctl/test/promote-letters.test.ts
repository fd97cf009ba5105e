import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKafkaLog } from '@weir/kafka';
import { type FaultPoint, systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS, dlqKey, encodeDlqMeta, encodeRawMeta, readRawPosition } from '@weir/records';
import { caseTenant, encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { Operator } from './operator.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const operator = new Operator(stack);
const NEVER = new AbortController().signal;
const QUIET = { warn: () => undefined, debug: () => undefined };
const log = createKafkaLog({ brokers: stack.local.kafka.brokers, clientId: 'promote-test' }, QUIET, systemClock);
const RECORDS = 5;
const LINES = 3;

afterAll(() => Promise.all([client.close(), log.close()]));

function killedAt(point: FaultPoint, ...args: string[]): Promise<NodeJS.Signals | null> {
  const script = join(import.meta.dirname, 'killed-at.ts');
  const child = spawn(process.execPath, [script, point, '1', '--data-dir', stack.dataDir, ...args], {
    stdio: 'ignore',
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_, signal) => resolve(signal));
  });
}

function lines(seed: number): Buffer {
  const logRecords = Array.from({ length: LINES }, (_, at) => ({
    timeUnixNano: BigInt(Date.now()) * 1_000_000n,
    body: { value: { case: 'stringValue' as const, value: `line ${seed}/${at}` } },
  }));
  return Buffer.from(encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
}

/** A time between what came before and what comes after. */
async function now(): Promise<string> {
  await pause(20);
  const at = new Date().toISOString();
  await pause(20);
  return at;
}

async function applyTenant(name: string): Promise<void> {
  const path = join(stack.dataDir, `${name}.yaml`);
  writeFileSync(path, `version: 1\ntenants:\n  ${name}: { keys: [] }\n`);
  await operator.run('tenants', 'apply', '-f', path);
}

interface Count {
  readonly state: string;
  readonly letters: number;
}

async function states(tenant: string): Promise<Record<string, number>> {
  const counts = await operator.json<Count[]>('dlq', 'list', '--tenant', tenant, '--all');
  const sums: Record<string, number> = {};
  for (const { state, letters } of counts) sums[state] = (sums[state] ?? 0) + letters;
  return sums;
}

async function usage(tenant: string): Promise<Record<string, number>> {
  const rows = await stack.query<{ Outcome: string; n: string }>(
    `SELECT Outcome, sum(Items) AS n FROM weir_usage WHERE TenantId = '${tenant}' AND Outcome != 'acked' GROUP BY Outcome`,
  );
  return Object.fromEntries(rows.map(({ Outcome, n }) => [Outcome, Number(n)]));
}

async function balanced(tenant: string): Promise<void> {
  const { status, out } = await operator.run('audit', '--tenant', tenant);
  expect({ status, out }).toMatchObject({ status: 0 });
}

/** How often each text is there. */
async function counted(table: string, column: string, tenant: string): Promise<Record<string, number>> {
  const rows = await stack.query<{ text: string; n: string }>(
    `SELECT ${column} AS text, count() AS n FROM ${table} WHERE TenantId = '${tenant}' GROUP BY text`,
  );
  return Object.fromEntries(rows.map(({ text, n }) => [text, Number(n)]));
}

/** Logs that became letters since the normalizer did not know their tenant, who is known now; in a window that has no others. */
async function lettersOf(tenant: string): Promise<{ readonly window: readonly string[]; readonly all: object }> {
  const from = await now();
  const edge = randomBytes(8).toString('hex');
  for (let seed = 0; seed < RECORDS; seed++) {
    const value = lines(seed);
    const about = { tenant, signal: 'logs', encoding: 'identity', priority: false } as const;
    const receivedAtNs = BigInt(Date.now()) * 1_000_000n;
    const meta = encodeRawMeta({ ...about, items: LINES, bytes: value.length, receivedAtNs, edge, seq: seed });
    await log.append('weir.raw.v1', 0, [{ key: null, value, meta }], NEVER);
  }
  const to = await now();
  await expect.poll(() => states(tenant), { timeout: 30_000 }).toEqual({ waiting: RECORDS });
  await expect.poll(() => usage(tenant), { timeout: 30_000 }).toEqual({ accepted: 15, dead_lettered: 15 });
  await applyTenant(tenant);
  const names = Array.from({ length: RECORDS * LINES }, (_, at) => `line ${Math.floor(at / LINES)}/${at % LINES}`);
  const window = ['replay', '--shadow', '--from', from, '--to', to, '--tenant', tenant, '--yes'];
  return { window, all: Object.fromEntries(names.map((name) => [name, 1])) };
}

test('a promotion takes the letters whose records it fills, leaves out what was redriven, and the books balance', async () => {
  const tenant = 'latecomer';
  const { window, all } = await lettersOf(tenant);
  const [letter] = await operator.json<{ id: string }[]>('dlq', 'list', '--tenant', tenant, '--letters');
  expect((await operator.run('dlq', 'redrive', '--tenant', tenant, '--id', letter!.id, '--yes')).status).toBe(0);
  const stored = async () => Object.keys(await counted('otel_logs', 'Body', tenant)).length;
  await expect.poll(stored, { timeout: 30_000 }).toBe(LINES);
  const { id } = await operator.json<{ id: string }>(...window);
  const promoted = await Promise.all([
    operator.run('--json', 'shadow', 'promote', id, '--yes'),
    operator.run('shadow', 'promote', id, '--yes'),
  ]);
  expect(promoted.map(({ status, err }) => [status, err])).toEqual([
    [0, ''],
    [0, ''],
  ]);
  expect(JSON.parse(promoted[0].out)).toMatchObject({ leftOut: { redriven: 1 }, leftOutRows: LINES });
  expect(promoted[1].out).toContain('raw records left as they are: 1: dead letters of them were redriven');
  expect(await counted('otel_logs', 'Body', tenant)).toEqual(all);
  expect(await states(tenant)).toEqual({ redriven: 1, promoted: RECORDS - 1 });
  await balanced(tenant);
  // What is promoted is redriven no more.
  const again = await operator.run('--json', 'dlq', 'redrive', '--tenant', tenant, '--yes');
  expect(again).toMatchObject({ status: 0, err: '0 letters with 0 items were sent\n' });
  expect(await operator.json('shadow', 'promote', id, '--yes')).toMatchObject({ inserted: 0, leftOutRows: LINES });
  await pause(1_000);
  expect(await counted('otel_logs', 'Body', tenant)).toEqual(all);
  expect(await usage(tenant)).toEqual({ accepted: 15, stored: 15, dead_lettered: 0 });
  await balanced(tenant);
  await operator.json('shadow', 'drop', id, '--yes');
}, 180_000);

test.each(['promote.after_claim', 'promote.after_fill', 'promote.after_booking', 'promote.after_books'] as const)(
  'killed at %s a promotion holds its letters, and is ended by the next run',
  async (point) => {
    const tenant = `late-${point.slice('promote.after_'.length)}`;
    const { window, all } = await lettersOf(tenant);
    const { id } = await operator.json<{ id: string }>(...window);
    expect(await killedAt(point, 'shadow', 'promote', id, '--yes')).toBe('SIGKILL');
    expect(await states(tenant)).toEqual({ sending: RECORDS });
    expect(await operator.run('dlq', 'redrive', '--tenant', tenant, '--yes')).toMatchObject({
      err: expect.stringContaining(`ingestctl shadow promote ${id}\n0 letters`),
    });
    expect(await operator.run('shadow', 'drop', id, '--yes')).toMatchObject({
      status: 1,
      err: expect.stringContaining('holds dead letters'),
    });
    // Two at once do no harm either.
    const ended = await Promise.all([1, 2].map(() => operator.run('shadow', 'promote', id, '--yes')));
    expect(ended.map(({ status, err }) => [status, err])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    expect(await states(tenant)).toEqual({ promoted: RECORDS });
    expect(await counted('otel_logs', 'Body', tenant)).toEqual(all);
    expect(await usage(tenant)).toEqual({ accepted: 15, stored: 15, dead_lettered: 0 });
    await balanced(tenant);
    expect(await operator.json('shadow', 'compare', id)).toMatchObject({ equal: true });
    await operator.json('shadow', 'drop', id, '--yes');
  },
  180_000,
);

function spans(names: readonly string[], badId?: string): Buffer {
  const spanOf = (name: string, at: number) => ({
    traceId: new Uint8Array(16).fill(9),
    spanId: name === badId ? new Uint8Array(3).fill(1) : new Uint8Array(8).fill(at + 1),
    name,
    startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
    endTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
  });
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: names.map(spanOf) }] }] }));
}

test('of a record with several letters those come back that the replay has rows of; the others can be redriven as before', async () => {
  const tenant = caseTenant(54);
  const names = ['kept', 'lost', 'wrong', 'bad', 'right'];
  const from = await now();
  expect((await client.export('traces', spans(names, 'bad'), { key: stack.key(tenant) })).status).toBe(200);
  const to = await now();
  const sql = `SELECT count() AS n FROM otel_traces WHERE TenantId = '${tenant}'`;
  await stack.until<{ n: string }>(sql, ({ n }) => Number(n) === 4);
  await expect.poll(() => states(tenant), { timeout: 30_000 }).toEqual({ waiting: 1 });
  await balanced(tenant);
  // As a normalizer with a bug leaves it: a span that it did not take, a letter of that, and one that is wrong.
  const [row] = await stack.query<{ p: string }>(
    `SELECT toString(any(RawPosition)) AS p FROM otel_traces WHERE TenantId = '${tenant}'`,
  );
  const { partition, offset } = readRawPosition(BigInt(row!.p))!;
  const source = { sourceTopic: 'weir.raw.v1', sourcePartition: partition, sourceOffset: offset, sourceIndex: 7 };
  const about = { tenant, signal: 'traces', reason: 'invalid_time', message: 'a bug', items: 1 } as const;
  const meta = { ...about, ...source, firstSeenNs: BigInt(Date.now()) * 1_000_000n };
  const letter = { key: Buffer.from(dlqKey(meta)), value: spans(['lost']), meta: encodeDlqMeta(meta) };
  await log.append(CONTROL_TOPICS.dlq, 0, [letter], NEVER);
  const mutated = 'SETTINGS mutations_sync = 2';
  await stack.query(`ALTER TABLE otel_traces DELETE WHERE TenantId = '${tenant}' AND SpanName = 'lost' ${mutated}`);
  await stack.query(
    `ALTER TABLE otel_traces UPDATE StatusMessage = 'broken' WHERE TenantId = '${tenant}' AND SpanName = 'wrong' ${mutated}`,
  );
  await stack.query(
    `INSERT INTO weir_usage SELECT '${tenant}', 'traces', toStartOfDay(now(), 'UTC'), o, r, n, 0 FROM values('o String, r String, n Int64', ('stored', '', -1), ('dead_lettered', 'invalid_time', 1))`,
  );
  await balanced(tenant);
  const { id } = await operator.json<{ id: string }>(
    ...['replay', '--shadow', '--from', from, '--to', to, '--tenant', tenant, '--yes'],
  );
  expect(await operator.json('shadow', 'promote', id, '--yes')).toEqual({
    id,
    replaced: 1,
    inserted: 2,
    kept: 0,
    letters: 1,
    left: 0,
  });
  expect(await operator.json('shadow', 'compare', id)).toMatchObject({ equal: true });
  expect(await states(tenant)).toEqual({ waiting: 1, promoted: 1 });
  expect(await counted('otel_traces', 'SpanName', tenant)).toEqual({ kept: 1, lost: 1, wrong: 1, right: 1 });
  expect(await counted('otel_traces', 'StatusMessage', tenant)).toEqual({ '': 4 });
  expect(await usage(tenant)).toEqual({ accepted: 5, stored: 4, dead_lettered: 1 });
  await balanced(tenant);
  expect(await operator.run('dlq', 'redrive', '--tenant', tenant, '--yes')).toMatchObject({ status: 0 });
  await operator.json('shadow', 'drop', id, '--yes');
}, 180_000);

test('rows that ClickHouse refused are promoted once, and their letters are redriven no more', async () => {
  const tenant = caseTenant(55);
  const bad = 'what the promotion brings back';
  await stack.query(`ALTER TABLE otel_traces ADD CONSTRAINT promote_test CHECK SpanName != '${bad}'`);
  const from = await now();
  try {
    for (const name of ['good', bad, 'also good']) {
      expect((await client.export('traces', spans([name]), { key: stack.key(tenant) })).status).toBe(200);
    }
    await expect.poll(() => states(tenant), { timeout: 60_000 }).toEqual({ waiting: 1 });
    await balanced(tenant);
  } finally {
    await stack.query('ALTER TABLE otel_traces DROP CONSTRAINT promote_test');
  }
  const to = await now();
  const args = ['replay', '--shadow', '--from', from, '--to', to, '--tenant', tenant, '--yes'];
  const { id } = await operator.json<{ id: string }>(...args);
  expect(await operator.json('shadow', 'promote', id, '--yes')).toMatchObject({ inserted: 1, letters: 1, left: 0 });
  expect(await operator.run('dlq', 'redrive', '--tenant', tenant, '--yes')).toMatchObject({
    status: 0,
    err: '0 letters with 0 items were sent\n',
  });
  expect(await counted('otel_traces', 'SpanName', tenant)).toEqual({ good: 1, [bad]: 1, 'also good': 1 });
  expect(await states(tenant)).toEqual({ promoted: 1 });
  expect(await usage(tenant)).toEqual({ accepted: 3, stored: 3, dead_lettered: 0 });
  await balanced(tenant);
  await operator.json('shadow', 'drop', id, '--yes');
}, 180_000);
