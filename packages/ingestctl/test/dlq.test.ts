import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKafkaLog } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS, encodeRedriveEntry } from '@weir/records';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Ran, runProgram } from './run-program.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const NEVER = new AbortController().signal;
const QUIET = { warn: () => undefined, debug: () => undefined };
const log = createKafkaLog({ brokers: stack.local.kafka.brokers, clientId: 'dlq-test' }, QUIET, systemClock);
const MAIN = join(import.meta.dirname, '../src/main.ts');
const ATTRIBUTES = 5;
const NARROW = { attributes: { perItem: ATTRIBUTES - 1 } };

afterAll(() => Promise.all([client.close(), log.close()]));

function ingestctl(...args: string[]): Promise<Ran> {
  const readFile = (path: string) => (path in files ? files[path]! : readFileSync(path, 'utf8'));
  return runProgram(['--data-dir', stack.dataDir, ...args], { readFile });
}

const files: Record<string, string> = {};

async function json<T>(...args: string[]): Promise<T> {
  const { status, out, err } = await ingestctl('--json', ...args);
  expect({ args, status, err }).toMatchObject({ args, status: 0 });
  return JSON.parse(out) as T;
}

interface Planned {
  readonly event: 'plan';
  readonly letters: number;
  readonly cutOff: number;
  readonly counts: readonly { readonly state: string; readonly letters: number }[];
}

interface Done {
  readonly event: 'done';
  readonly letters: number;
  readonly items: number;
  readonly unsettled: number;
  readonly left: object;
}

/** What a command that succeeds prints as lines of JSON. */
async function jsonLines<T extends readonly object[]>(...args: string[]): Promise<T> {
  const { status, out, err } = await ingestctl('--json', ...args);
  expect({ args, status, err }).toEqual({ args, status: 0, err: '' });
  const lines = out.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as object) as unknown as T;
}

/** Gives a tenant of the stack other limits. */
async function limit(tenant: string, limits: object): Promise<void> {
  const all = parse(readFileSync(join(stack.dataDir, 'tenants.yaml'), 'utf8')) as {
    tenants: Record<string, { keys: unknown }>;
  };
  files['limits.yaml'] = stringify({ version: 1, tenants: { [tenant]: { keys: all.tenants[tenant]!.keys, limits } } });
  expect((await ingestctl('tenants', 'apply', '-f', 'limits.yaml')).status).toBe(0);
}

function span(name: string): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const attributes = Array.from({ length: ATTRIBUTES }, (_, at) => ({
    key: `key-${at}`,
    value: { value: { case: 'stringValue', value: 'v'.repeat(200) } } as const,
  }));
  const ids = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
  const made = { ...ids, name, startTimeUnixNano: now, endTimeUnixNano: now, attributes };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

/** Sends spans that are over the limit, one an export, and waits until they are letters. Returns how many were sent in all. */
async function makeLetters(tenant: string, count: number): Promise<number> {
  const key = stack.key(tenant);
  await limit(tenant, NARROW);
  let sent = count;
  for (let rejected = false; !rejected; sent++) {
    rejected = (await client.export('traces', span('probe'), { key })).body.length > 0;
    if (sent > count + 200) throw new Error('the limit does not come to hold');
  }
  await expect.poll(() => waiting(tenant), { timeout: 30_000 }).toBeGreaterThan(0);
  await ingestctl('dlq', 'purge', '--tenant', tenant, '--yes');
  for (let at = 0; at < count; at += 20) {
    const names = Array.from({ length: Math.min(20, count - at) }, (_, i) => `span-${at + i}`);
    const answers = await Promise.all(names.map((name) => client.export('traces', span(name), { key })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  }
  await expect.poll(() => waiting(tenant), { timeout: 30_000 }).toBe(count);
  return sent;
}

interface Count {
  readonly reason: string;
  readonly state: string;
  readonly letters: number;
  readonly items: number;
}

const counts = (tenant: string, ...args: string[]) => json<Count[]>('dlq', 'list', '--tenant', tenant, ...args);

async function waiting(tenant: string): Promise<number> {
  return (await counts(tenant))
    .filter(({ state }) => state === 'waiting')
    .reduce((sum, { letters }) => sum + letters, 0);
}

async function usage(tenant: string): Promise<Record<string, number>> {
  const rows = await stack.query<{ Outcome: string; n: string }>(
    `SELECT Outcome, sum(Items) AS n FROM weir_usage WHERE TenantId = '${tenant}' GROUP BY Outcome`,
  );
  return Object.fromEntries(rows.map(({ Outcome, n }) => [Outcome, Number(n)]));
}

async function balanced(tenant: string): Promise<void> {
  const { status, out } = await ingestctl('audit', '--tenant', tenant);
  expect({ status, out }).toMatchObject({ status: 0 });
}

test('letters are counted, shown decoded, and redriven once the limit that they were over is raised', async () => {
  const tenant = stack.freshTenant();
  const sent = await makeLetters(tenant, 3);
  const [count, ...others] = await counts(tenant);
  expect(others).toEqual([]);
  expect(count).toMatchObject({ reason: 'too_many_attributes', state: 'waiting' });
  const letters = await json<{ id: string; key: string }[]>('dlq', 'list', '--tenant', tenant, '--letters');
  for (const id of [letters[0]!.id, letters[0]!.key]) {
    expect(await json('dlq', 'show', id)).toMatchObject({
      id: letters[0]!.id,
      key: letters[0]!.key,
      reason: 'too_many_attributes',
      source: { topic: 'weir.raw.v1' },
      export: {
        resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: '07'.repeat(16), attributes: { length: 5 } }] }] }],
      },
    });
  }
  expect((await ingestctl('dlq', 'show', '0:999999999')).status).toBe(1);
  await balanced(tenant);

  // As long as the limit holds they come back as letters of their own.
  expect(await ingestctl('dlq', 'redrive', '--tenant', tenant, '--id', letters[0]!.id)).toMatchObject({
    status: 2,
    err: expect.stringContaining('there is nobody to ask'),
  });
  expect(await waiting(tenant)).toBe(letters.length);
  expect((await ingestctl('dlq', 'redrive', '--tenant', tenant, '--id', letters[0]!.id, '--yes')).status).toBe(0);
  await expect.poll(() => waiting(tenant), { timeout: 30_000 }).toBe(letters.length);
  expect((await counts(tenant, '--all')).find(({ state }) => state === 'redriven')).toMatchObject({ letters: 1 });
  await balanced(tenant);

  await limit(tenant, {});
  const [dry] = await jsonLines<[Planned]>('dlq', 'redrive', '--tenant', tenant, '--dry-run');
  const counted = { state: 'to be sent to weir.raw.v1', letters: letters.length };
  expect(dry).toMatchObject({ event: 'plan', letters: letters.length, left: 0, cutOff: 0, counts: [counted] });
  const [, done] = await jsonLines<[Planned, Done]>('dlq', 'redrive', '--tenant', tenant, '--yes');
  expect(done).toEqual({
    event: 'done',
    letters: letters.length,
    items: letters.length,
    refused: 0,
    unknown: 0,
    unsettled: 0,
    left: {},
  });
  const sql = `SELECT count() AS n FROM otel_traces WHERE TenantId = '${tenant}' AND SpanName != 'probe'`;
  await stack.until<{ n: string }>(sql, ({ n }) => Number(n) === letters.length);
  await balanced(tenant);
  expect(await waiting(tenant)).toBe(0);
  const [, again] = await jsonLines<[Planned, Done]>('dlq', 'redrive', '--tenant', tenant, '--yes');
  expect(again).toMatchObject({ letters: 0, items: 0 });
  // Accepted once, however often they went in.
  expect(await usage(tenant)).toMatchObject({ accepted: sent });
});

test('killed at each of its steps and started again, a redrive stores each letter once, and the books balance all along', async () => {
  const tenant = stack.freshTenant();
  const sent = await makeLetters(tenant, 450);
  await limit(tenant, {});
  const journalEnd = async () => (await log.bounds(CONTROL_TOPICS.redrives, 0, NEVER)).end;
  let kills = 0;
  for (let steps = 1; ; steps = 1 + (steps % 4)) {
    const goal = (await journalEnd()) + steps;
    const run = start('dlq', 'redrive', '--tenant', tenant, '--rate', '300', '--yes');
    while (run.child.exitCode === null && (await journalEnd()) < goal) await pause(2);
    if (run.child.exitCode === null) {
      run.child.kill('SIGKILL');
      kills++;
    }
    const code = await run.ended;
    await balanced(tenant);
    if (code === 0) break;
    expect(kills).toBeLessThan(20);
  }
  expect(kills).toBeGreaterThan(2);
  const sql = `SELECT count() AS n, countIf(c != 1) AS doubled FROM
    (SELECT SpanName, count() AS c FROM otel_traces WHERE TenantId = '${tenant}' AND SpanName != 'probe' GROUP BY SpanName)`;
  await stack.until<{ n: string }>(sql, ({ n }) => Number(n) === 450);
  expect(await stack.query(sql)).toEqual([{ n: '450', doubled: '0' }]);
  await balanced(tenant);
  const { accepted, stored, dead_lettered: dead } = await usage(tenant);
  expect({ accepted, sum: stored! + dead! }).toEqual({ accepted: sent, sum: sent });
}, 240_000);

function start(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<number | null> } {
  const child = spawn(process.execPath, [MAIN, '--data-dir', stack.dataDir, ...args], { stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, ended };
}

test('purge marks letters, and says which bytes Kafka cannot let go of', async () => {
  const [older, newer] = [stack.freshTenant(), stack.freshTenant()];
  await makeLetters(older, 2);
  await makeLetters(newer, 2);
  const dry = await ingestctl('dlq', 'purge', '--tenant', newer, '--dry-run');
  expect(dry).toMatchObject({ status: 0, out: expect.stringContaining('to be purged') });
  expect(await waiting(newer)).toBeGreaterThanOrEqual(2);
  const { status, out } = await ingestctl('dlq', 'purge', '--tenant', newer, '--yes');
  expect(status).toBe(0);
  expect(out).toMatch(/\d+ letters that are done with stand behind one that is not/);
  expect([await waiting(newer), await waiting(older)]).toEqual([0, 2]);
  const [plan, done] = await jsonLines<[Planned, Done]>('dlq', 'redrive', '--tenant', newer, '--yes');
  expect([plan.counts, done.letters]).toEqual([[], 0]);
  const { start: first } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  const [letter] = await json<{ id: string }[]>('dlq', 'list', '--letters', '--limit', '1');
  expect(Number(letter!.id.split(':')[1])).toBeGreaterThanOrEqual(first);
  await Promise.all([balanced(older), balanced(newer)]);
});

test('letters of which it cannot be told whether they were sent are released as the operator says', async () => {
  const tenant = stack.freshTenant();
  await makeLetters(tenant, 3);
  await limit(tenant, {});
  const letters = await json<{ id: string; key: string; state: string }[]>(...listed(tenant));
  const [first, second, third] = letters.map(({ key }) => key);
  // As redrives leave it that were cut off longer ago than insert tokens are remembered.
  for (const [at, keys] of [[first!], [second!, third!]].entries()) {
    const value = encodeRedriveEntry({ kind: 'insert', chunk: `${tenant}/${at}`, atMs: 0, letters: keys });
    await log.append(CONTROL_TOPICS.redrives, 0, [{ key: null, value, meta: null }], NEVER);
  }
  const redriven = await ingestctl('--json', 'dlq', 'redrive', '--tenant', tenant, '--yes');
  expect([redriven.status, JSON.parse(redriven.out.split('\n')[1]!)]).toMatchObject([1, { letters: 0, unsettled: 3 }]);
  const states = async () =>
    Object.fromEntries((await json<typeof letters>(...listed(tenant), '--all')).map(({ key, state }) => [key, state]));
  expect(await states()).toMatchObject({ [first!]: 'sending', [second!]: 'sending', [third!]: 'sending' });

  const released = (...args: string[]) => jsonLines<[{ letters: object[] }, object]>('dlq', 'release', ...args);
  const [dry] = await released('--all', '--as', 'waiting', '--dry-run');
  expect(dry.letters).toHaveLength(3);
  const [, sent] = await released(first!, '--as', 'sent', '--yes');
  expect(sent).toMatchObject({ as: 'sent', released: [first], settled: [] });
  // Those that went together are released together.
  const [, waits] = await released(letters[1]!.id, '--as', 'waiting', '--yes');
  expect(waits).toMatchObject({ as: 'waiting', released: [second, third], settled: [] });
  expect(await states()).toMatchObject({ [first!]: 'redriven', [second!]: 'waiting', [third!]: 'waiting' });
  expect(await ingestctl('dlq', 'release', first!, '--as', 'waiting', '--yes')).toMatchObject({
    status: 1,
    err: expect.stringContaining('no redrive was cut off'),
  });
  const [, done] = await jsonLines<[Planned, Done]>('dlq', 'redrive', '--tenant', tenant, '--yes');
  expect(done).toMatchObject({ letters: 2, unsettled: 0 });
  await balanced(tenant);
});

const listed = (tenant: string) => ['dlq', 'list', '--tenant', tenant, '--letters'];

test('rows that ClickHouse refused go into their table once the cause is gone, each once, whenever it is killed', async () => {
  const tenant = stack.freshTenant();
  const key = stack.key(tenant);
  const bad = 'what the test does not take';
  await stack.query(`ALTER TABLE otel_traces ADD CONSTRAINT dlq_test CHECK SpanName != '${bad}'`);
  const exports = 12;
  try {
    for (let at = 0; at < exports; at++) {
      for (const name of [bad, `good-${at}`])
        expect((await client.export('traces', span(name), { key })).status).toBe(200);
    }
    await expect.poll(() => items(tenant), { timeout: 60_000 }).toBe(exports);
    const letters = await json<{ id: string; reason: string }[]>('dlq', 'list', '--tenant', tenant, '--letters');
    expect(new Set(letters.map(({ reason }) => reason))).toEqual(new Set(['rows_rejected']));
    expect(await json('dlq', 'show', letters[0]!.id)).toMatchObject({
      table: 'otel_traces',
      encoding: 'zstd',
      rows: [{ TenantId: tenant, SpanName: bad, SpanAttributes: { 'key-0': 'v'.repeat(200) } }],
      rowsNotShown: 0,
    });
    await balanced(tenant);
    const refused = await ingestctl('dlq', 'redrive', '--tenant', tenant, '--id', letters[0]!.id, '--yes');
    expect(refused).toMatchObject({ status: 1, out: expect.stringContaining('still refuses the rows of 1 letters') });
    expect(await items(tenant)).toBe(exports);
  } finally {
    await stack.query('ALTER TABLE otel_traces DROP CONSTRAINT dlq_test');
  }
  const journalEnd = async () => (await log.bounds(CONTROL_TOPICS.redrives, 0, NEVER)).end;
  for (let steps = 1; ; steps++) {
    const goal = (await journalEnd()) + steps;
    const run = start('dlq', 'redrive', '--tenant', tenant, '--rate', '20', '--yes');
    while (run.child.exitCode === null && (await journalEnd()) < goal) await pause(2);
    if (steps <= 3) run.child.kill('SIGKILL');
    if ((await run.ended) === 0) break;
    expect(steps).toBeLessThan(6);
  }
  const sql = `SELECT countIf(SpanName = '${bad}') AS bad, countIf(SpanName != '${bad}') AS good FROM otel_traces WHERE TenantId = '${tenant}'`;
  await stack.until<{ bad: string }>(sql, (row) => Number(row.bad) === exports);
  expect(await stack.query(sql)).toEqual([{ bad: String(exports), good: String(exports) }]);
  await balanced(tenant);
  expect(await usage(tenant)).toMatchObject({ accepted: exports * 2, stored: exports * 2, dead_lettered: 0 });
  expect(await waiting(tenant)).toBe(0);
}, 180_000);

async function items(tenant: string): Promise<number> {
  return (await counts(tenant)).reduce((sum, count) => sum + count.items, 0);
}
