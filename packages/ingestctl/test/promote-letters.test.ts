import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKafkaAdmin, createKafkaLog } from '@weir/kafka';
import { type FaultPoint, onFaultPoint, systemClock } from '@weir/pipeline';
import {
  CONTROL_TOPICS,
  dlqKey,
  encodeDlqMeta,
  encodeRawMeta,
  encodeRedriveEntry,
  readRawPosition,
  TABLE_COLUMNS,
} from '@weir/records';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { Operator } from './operator.ts';
import { runProgram } from './run-program.ts';

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
  const id = await operator.replay(...window);
  const promoted = await Promise.all([
    operator.run('--json', 'shadow', 'promote', id, '--yes'),
    operator.run('shadow', 'promote', id, '--yes'),
  ]);
  expect(promoted.map(({ status, err }) => [status, err])).toEqual([
    [1, ''],
    [1, ''],
  ]);
  expect(JSON.parse(promoted[0].out)).toMatchObject({
    leftOut: { redriven: 1 },
    leftOutRows: LINES,
    state: 'partly promoted',
  });
  expect(promoted[1].out).toContain(`partly promoted ${id}: ${LINES} rows were not inserted`);
  expect((await operator.json<object[]>('shadow', 'list'))[0]).toMatchObject({ id, state: 'partly promoted' });
  expect(promoted[1].out).toContain('raw records left as they are: 1: dead letters of them were redriven');
  expect(await counted('otel_logs', 'Body', tenant)).toEqual(all);
  expect(await states(tenant)).toEqual({ redriven: 1, promoted: RECORDS - 1 });
  await balanced(tenant);
  // What is promoted is redriven no more.
  const again = await operator.run('--json', 'dlq', 'redrive', '--tenant', tenant, '--yes');
  expect(again).toMatchObject({ status: 0, err: '', out: expect.stringContaining('"event":"done","letters":0') });
  const once = await operator.run('--json', 'shadow', 'promote', id, '--yes');
  expect([once.status, JSON.parse(once.out)]).toMatchObject([1, { inserted: 0, leftOutRows: LINES }]);
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
    const id = await operator.replay(...window);
    expect(await killedAt(point, 'shadow', 'promote', id, '--yes')).toBe('SIGKILL');
    expect(await states(tenant)).toEqual({ sending: RECORDS });
    expect(await operator.run('dlq', 'redrive', '--tenant', tenant, '--yes')).toMatchObject({
      out: expect.stringMatching(new RegExp(`held by a promotion: ingestctl shadow promote ${id}[^]*\n0 letters`)),
    });
    const ends = expect.stringContaining(`is ended by ingestctl shadow promote ${id}`);
    const release = ['dlq', 'release', '--as', 'waiting', '--dry-run'];
    expect(await operator.run(...release, '--all')).toMatchObject({ status: 0, err: ends });
    const [held] = await operator.json<{ id: string }[]>('dlq', 'list', '--tenant', tenant, '--letters', '--all');
    expect(await operator.run(...release, held!.id)).toMatchObject({ status: 1, err: ends });
    expect(await operator.run('shadow', 'drop', id, '--yes')).toMatchObject({
      status: 1,
      err: expect.stringContaining(
        `cut off, and live may lack rows that only the shadow has: ingestctl shadow promote ${id}`,
      ),
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

test('what is being redriven is left out, and comes back once that has ended, though the round was cut off before', async () => {
  const tenant = 'late-redriven';
  const { window, all } = await lettersOf(tenant);
  const [held] = await operator.json<{ key: string }[]>('dlq', 'list', '--tenant', tenant, '--letters');
  // A redrive that was killed before its append.
  const rawFrom = (await log.bounds('weir.raw.v1', 0, NEVER)).end;
  const about = { chunk: 'cut off', track: 'v1', partition: 0, edge: 'e'.repeat(16), firstSeq: 0, rawFrom } as const;
  const value = encodeRedriveEntry({ kind: 'intent', ...about, letters: [held!.key] });
  await log.append(CONTROL_TOPICS.redrives, 0, [{ key: null, value, meta: null }], NEVER);
  const id = await operator.replay(...window);
  expect(await killedAt('promote.after_fill', 'shadow', 'promote', id, '--yes')).toBe('SIGKILL');
  expect(await states(tenant)).toEqual({ sending: RECORDS });
  expect(Object.keys(await counted('otel_logs', 'Body', tenant))).toHaveLength((RECORDS - 1) * LINES);
  expect((await operator.run('dlq', 'redrive', '--tenant', 'nobody', '--yes')).status).toBe(0);
  expect(await states(tenant)).toEqual({ sending: RECORDS - 1, waiting: 1 });
  const runs = [];
  while (runs.at(-1) !== 0 && runs.length < 3) runs.push((await operator.run('shadow', 'promote', id, '--yes')).status);
  expect(runs.at(-1)).toBe(0);
  expect(await states(tenant)).toEqual({ promoted: RECORDS });
  expect(await counted('otel_logs', 'Body', tenant)).toEqual(all);
  await balanced(tenant);
  await operator.json('shadow', 'drop', id, '--yes');
}, 180_000);

function sums(): Buffer {
  const dataPoints = [1, 2, 3].map((value) => ({
    timeUnixNano: BigInt(Date.now()) * 1_000_000n,
    value: { case: 'asDouble' as const, value },
  }));
  const sum = { dataPoints, aggregationTemporality: 2 as const, isMonotonic: true };
  const metrics = [{ name: 'requests', data: { case: 'sum' as const, value: sum } }];
  return Buffer.from(encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
}

test('items that the live path put in another table are taken out of it; one that is interrupted says how to go on', async () => {
  const tenant = stack.freshTenant();
  const from = await now();
  expect((await client.export('metrics', sums(), { key: stack.key(tenant) })).status).toBe(200);
  const to = await now();
  const rowsOf = async (table: string) => {
    const sql = `SELECT count() AS n FROM ${table} WHERE TenantId = '${tenant}'`;
    return Number((await stack.query<{ n: string }>(sql))[0]?.n);
  };
  await expect.poll(() => rowsOf('otel_metrics_sum'), { timeout: 30_000 }).toBe(3);
  const columns = TABLE_COLUMNS.otel_metrics_gauge.map(({ name }) => `\`${name}\``).join(', ');
  await stack.query(
    `INSERT INTO otel_metrics_gauge (${columns}) SELECT ${columns} FROM otel_metrics_sum WHERE TenantId = '${tenant}'`,
  );
  await stack.query(`ALTER TABLE otel_metrics_sum DELETE WHERE TenantId = '${tenant}' SETTINGS mutations_sync = 2`);
  const args = ['replay', '--shadow', '--from', from, '--to', to, '--tenant', tenant, '--yes'];
  const id = await operator.replay(...args);
  expect(await interrupted('promote.after_mark', 'shadow', 'promote', id, '--yes')).toEqual({
    status: 1,
    err: `the promotion was cut off; go on with: ingestctl shadow promote ${id}\ningestctl: interrupted\n`,
  });
  expect(await operator.json('shadow', 'promote', id, '--yes')).toMatchObject({ replaced: 3, inserted: 3, left: 0 });
  expect(await operator.json('shadow', 'compare', id)).toMatchObject({ equal: true });
  expect([await rowsOf('otel_metrics_gauge'), await rowsOf('otel_metrics_sum')]).toEqual([0, 3]);
  await balanced(tenant);
  await operator.json('shadow', 'drop', id, '--yes');
}, 180_000);

/** Runs it and ends it, as Ctrl-C does, when it comes to a fault point. */
async function interrupted(point: FaultPoint, ...args: string[]): Promise<{ status: number; err: string }> {
  const controller = new AbortController();
  onFaultPoint((at) => {
    if (at === point) controller.abort(new Error('interrupted'));
  });
  const interruptible = () => controller.signal;
  const { status, err } = await runProgram(['--data-dir', stack.dataDir, ...args], { interruptible });
  onFaultPoint(undefined);
  return { status, err };
}

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
  const tenant = stack.freshTenant();
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
  const id = await operator.replay(...['replay', '--shadow', '--from', from, '--to', to, '--tenant', tenant, '--yes']);
  expect(await operator.json('shadow', 'promote', id, '--yes')).toEqual({
    id,
    replaced: 1,
    inserted: 2,
    kept: 0,
    letters: 1,
    left: 0,
    state: 'promoted',
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
  const tenant = stack.freshTenant();
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
  const id = await operator.replay(...args);
  expect(await operator.json('shadow', 'promote', id, '--yes')).toMatchObject({ inserted: 1, letters: 1, left: 0 });
  expect(await operator.run('dlq', 'redrive', '--tenant', tenant, '--yes')).toMatchObject({
    status: 0,
    out: expect.stringContaining('\n0 letters with 0 items were sent\n'),
  });
  expect(await counted('otel_traces', 'SpanName', tenant)).toEqual({ good: 1, [bad]: 1, 'also good': 1 });
  expect(await states(tenant)).toEqual({ promoted: 1 });
  expect(await usage(tenant)).toEqual({ accepted: 3, stored: 3, dead_lettered: 0 });
  await balanced(tenant);
  await operator.json('shadow', 'drop', id, '--yes');
}, 180_000);

test('letters that weir.dlq lets go of while a promotion holds them hold it no longer, and the books balance', async () => {
  const tenant = 'late-gone';
  const { window, all } = await lettersOf(tenant);
  const id = await operator.replay(...window);
  expect(await killedAt('promote.after_claim', 'shadow', 'promote', id, '--yes')).toBe('SIGKILL');
  const admin = createKafkaAdmin({ brokers: stack.local.kafka.brokers, clientId: 'promote-test' }, QUIET);
  await admin.deleteBefore(CONTROL_TOPICS.dlq, 0, (await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER)).end);
  expect(await operator.run('shadow', 'promote', id, '--yes')).toMatchObject({
    status: 0,
    out: expect.stringContaining(`promoted ${id}`),
    err: `${RECORDS} dead letters that it held are gone from weir.dlq meanwhile: they are held no more\n`,
  });
  expect(await counted('otel_logs', 'Body', tenant)).toEqual(all);
  expect(await usage(tenant)).toEqual({ accepted: 15, stored: 15, dead_lettered: 0 });
  await balanced(tenant);
  expect(await operator.json('shadow', 'compare', id)).toMatchObject({ equal: true });
  await operator.json('shadow', 'drop', id, '--yes');
}, 180_000);
