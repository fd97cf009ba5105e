import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { Operator } from './operator.ts';
import type { Ran } from './run-program.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const operator = new Operator(stack);
const scratch = mkdtempSync(join(tmpdir(), 'weir-ingestctl-'));

afterAll(async () => {
  await client.close();
  rmSync(scratch, { recursive: true, force: true });
});

function ingestctl(...args: string[]): Promise<Ran> {
  return operator.run(...args);
}

async function json<T>(...args: string[]): Promise<T> {
  const { status, out, err } = await ingestctl('--json', ...args);
  expect({ args, status, err }).toEqual({ args, status: 0, err: '' });
  return JSON.parse(out) as T;
}

function tenantsFile(name: string, content: object): string {
  const path = join(scratch, name);
  writeFileSync(path, stringify(content));
  return path;
}

/** Sends an empty export until the answer has the status: edges follow the topic live. */
async function untilStatus(key: string, status: number): Promise<number> {
  let last = 0;
  const body = Buffer.from(encodeExport('traces', {}));
  for (const deadline = Date.now() + 10_000; Date.now() < deadline && last !== status; ) {
    ({ status: last } = await client.export('traces', body, { key }));
    if (last !== status) await pause(100);
  }
  return last;
}

const TENANT = 'ingestctl-test';

test('a tenant lives from keys create over apply, dry run and change until it is pruned', async () => {
  const { key, entry } = await json<{ key: string; entry: object }>('keys', 'create');
  expect(await untilStatus(key, 401)).toBe(401);

  const file = tenantsFile('new.yaml', { version: 1, tenants: { [TENANT]: { keys: [entry] } } });
  const made = [{ tenant: TENANT, change: 'new', details: '' }];
  const others = (changes: { tenant: string }[]) => changes.filter(({ tenant }) => tenant === TENANT);
  expect(others(await json('tenants', 'apply', '-f', file, '--dry-run'))).toEqual(made);
  expect((await ingestctl('tenants', 'show', TENANT)).status).toBe(1);
  expect(others(await json('tenants', 'apply', '-f', file))).toEqual(made);
  expect(await untilStatus(key, 200)).toBe(200);
  expect(others(await json('tenants', 'apply', '-f', file))).toEqual([]);

  const limits = { items: { perSecond: 123 } };
  const changed = tenantsFile('changed.yaml', { version: 1, tenants: { [TENANT]: { keys: [entry], limits } } });
  expect(others(await json('tenants', 'apply', '-f', changed))).toEqual([
    { tenant: TENANT, change: 'changed', details: 'limits.items.perSecond: not set -> 123' },
  ]);
  expect(await json('tenants', 'show', TENANT)).toEqual({ name: TENANT, keys: [entry], limits });
  const effective = await json<{ limits: { items: { perSecond: number; burst: number }; retentionDays: number } }>(
    'tenants',
    'show',
    TENANT,
    '--effective',
  );
  expect(effective.limits.items.perSecond).toBe(123);
  expect(effective.limits.items.burst).toBeGreaterThan(0);
  expect(effective.limits.retentionDays).toBeGreaterThan(0);
  expect(await json('tenants', 'list')).toContainEqual(
    expect.objectContaining({ tenant: TENANT, keys: 1, 'items/s': 123 }),
  );

  const withDefaults = { version: 1, defaults: { retentionDays: 9 }, tenants: {} };
  expect(others(await json('tenants', 'apply', '-f', tenantsFile('defaults.yaml', withDefaults)))).toEqual([]);
  expect(others(await json('tenants', 'apply', '-f', changed))).toEqual([]);
  expect(await json('tenants', 'show', TENANT, '--effective')).toMatchObject({ limits: { retentionDays: 9 } });

  const first = parse(readFileSync(join(stack.dataDir, 'tenants.yaml'), 'utf8')) as object;
  const pruned = await json<object[]>('tenants', 'apply', '-f', tenantsFile('first.yaml', first), '--prune');
  expect(pruned).toContainEqual({ tenant: TENANT, change: 'removed', details: '' });
  expect((await ingestctl('tenants', 'show', TENANT)).status).toBe(1);
  expect(await untilStatus(key, 401)).toBe(401);
});

test('keys are rotated in the file and live: both are good until the old one is revoked', async () => {
  const tenant = 'ingestctl-keys';
  const { key: first, entry } = await json<{ key: string; entry: { prefix: string } }>('keys', 'create');
  const comment = '# who to call when this tenant is loud\n';
  const file = join(scratch, 'keys.yaml');
  writeFileSync(file, `${comment}${stringify({ version: 1, tenants: { [tenant]: { keys: [entry] } } })}`);
  await json('tenants', 'apply', '-f', file);
  expect(await untilStatus(first, 200)).toBe(200);

  const rotated = await json<{ key: string; entry: { prefix: string } }>('keys', 'rotate', tenant, '-f', file);
  expect(await untilStatus(rotated.key, 200)).toBe(200);
  expect(await untilStatus(first, 200)).toBe(200);
  const [one, two] = [entry.prefix, rotated.entry.prefix];
  const keys = [
    { tenant, prefix: one, state: 'valid' },
    { tenant, prefix: two, state: 'valid' },
  ];
  expect(await json('keys', 'list', '--tenant', tenant)).toEqual(keys);

  const startedMs = performance.now();
  expect(await json('keys', 'revoke', one, '-f', file)).toEqual([
    { tenant, prefix: one, state: 'revoked', 'valid keys left': 1 },
  ]);
  expect(await untilStatus(first, 401)).toBe(401);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(await untilStatus(rotated.key, 200)).toBe(200);
  expect(await json('keys', 'list', '--tenant', tenant)).toEqual([{ ...keys[0], state: 'revoked' }, keys[1]]);

  const text = readFileSync(file, 'utf8');
  expect(text.startsWith(comment)).toBe(true);
  expect(text).not.toContain(rotated.key);
  expect(await json('tenants', 'apply', '-f', file, '--dry-run')).toEqual([]);
  for (const wrong of [
    ['keys', 'rotate', 'nobody', '-f', file],
    ['keys', 'revoke', '00000000', '-f', file],
    ['keys', 'revoke', one, '-f', join(scratch, 'not-there.yaml')],
  ]) {
    expect((await ingestctl(...wrong)).status).toBe(2);
  }
  expect(readFileSync(file, 'utf8')).toBe(text);
  expect((await ingestctl('keys', 'list', '--tenant', 'nobody')).status).toBe(1);
});

test('a key that another tenant has is refused in another file too, and nothing is applied', async () => {
  const { entry } = await json<{ entry: { prefix: string } }>('keys', 'create');
  const own = tenantsFile('own-key.yaml', { version: 1, tenants: { 'key-owner': { keys: [entry] } } });
  await json('tenants', 'apply', '-f', own);
  const other = { version: 1, tenants: { 'key-thief': { keys: [entry] }, 'key-neighbour': { keys: [] } } };
  const refused = await ingestctl('tenants', 'apply', '-f', tenantsFile('other-key.yaml', other));
  expect(refused.status).toBe(1);
  expect(refused.err).toContain(`tenants.key-thief.keys: key-owner has the key ${entry.prefix}`);
  expect((await ingestctl('tenants', 'show', 'key-neighbour')).status).toBe(1);
  // Moved in one file it is in no moment the key of two.
  const moved = { version: 1, tenants: { 'key-owner': { keys: [] }, 'key-thief': { keys: [entry] } } };
  expect((await ingestctl('tenants', 'apply', '-f', tenantsFile('moved-key.yaml', moved))).status).toBe(0);
});

test('topics and schema are set up once and found so the second time', async () => {
  const applied = await json<{ topic: string; state: string }[]>('topics', 'apply', '--tracks', 'v1,v2');
  expect(applied.map(({ topic }) => topic)).toEqual([
    'weir.raw.v1',
    'weir.rows.v1',
    'weir.raw.v2',
    'weir.rows.v2',
    'weir.tenants',
    'weir.progress',
    'weir.flow',
    'weir.demand',
    'weir.dlq',
    'weir.redrives',
  ]);
  expect(new Set(applied.map(({ state }) => state))).toEqual(new Set(['unchanged']));
  expect(await json('schema', 'apply')).toEqual({ applied: [] });
  expect((await ingestctl('schema', 'status')).status).toBe(0);
  const missing = await ingestctl('topics', 'status', '--tracks', 'v9');
  expect(missing.status).toBe(1);
  expect(missing.out).toMatch(/weir\.raw\.v9 +0 +missing/);
});

test('lag shows each partition of both groups', async () => {
  const rows = await json<{ group: string; partition: number; lag: number }[]>('lag', '--tracks', 'v1,v2');
  const groups = ['weir.normalizer.v1', 'weir.sink.v1', 'weir.normalizer.v2', 'weir.sink.v2'];
  expect(rows.map(({ group, partition }) => `${group}/${partition}`)).toEqual(
    groups.flatMap((group) => [0, 1, 2, 3].map((partition) => `${group}/${partition}`)),
  );
  for (const { lag } of rows) expect(lag).toBeGreaterThanOrEqual(0);
});

test('status shows every stage of both tracks, and counts what is stored', async () => {
  interface Report {
    stages: { track: string; stage: string; state: string; lag: number | null; fill: number | null }[];
    faults: string[];
  }
  const { stages, faults } = await json<Report>('status', '--tracks', 'v1,v2', '--interval', '0.2');
  expect(faults).toEqual([]);
  expect(stages.map(({ track, stage, state }) => [track, stage, state])).toEqual([
    ...['v1', 'v2'].flatMap((track) => [
      [track, 'edge', '1 ready'],
      [track, `weir.raw.${track}`, 'topic'],
      [track, 'normalizer', '1 ready'],
      [track, `weir.rows.${track}`, 'topic'],
      [track, 'sink', '1 ready'],
    ]),
    ['', 'ClickHouse', 'up'],
  ]);
});

test('audit balances what was accepted, stored and dead-lettered, and finds a row that is missing', async () => {
  const tenant = stack.freshTenant();
  const start = BigInt(Date.now()) * 1_000_000n;
  const made = (spanId: number) => ({
    traceId: new Uint8Array(16).fill(7),
    spanId: new Uint8Array(8).fill(spanId),
    startTimeUnixNano: start,
  });
  // One of the three has an id of zeros.
  const body = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made(1), made(2), made(0)] }] }] });
  const answer = await client.export('traces', Buffer.from(body), { key: stack.key(tenant) });
  expect(answer.status).toBe(200);
  await stack.until<{ n: string }>(
    `SELECT count() AS n FROM otel_traces WHERE TenantId = '${tenant}'`,
    ({ n }) => n === '2',
  );
  await stack.until<{ n: string }>(
    `SELECT sum(Items) AS n FROM weir_usage WHERE TenantId = '${tenant}' AND Outcome = 'acked'`,
    ({ n }) => n === '3',
  );
  // Yesterday too, should the day end meanwhile.
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const lines = await json<{ items: string; traces: number }[]>('audit', '--tenant', tenant, '--from', yesterday);
  expect(lines.map(({ items, traces }) => [items, traces])).toEqual([
    ['received', 3],
    ['accepted', 3],
    ['stored', 2],
    ['dead-lettered: invalid_span_id', 1],
    ['in flight', 0],
    ['rows in the tables', 2],
    ['answered with success', 3],
    ['accepted, but answered 503', 0],
    ['difference: accepted - stored - dead-lettered - in flight', 0],
    ['difference: stored - rows in the tables', 0],
    ['difference: answered with success, not accepted', 0],
  ]);
  await stack.query(`DELETE FROM otel_traces WHERE TenantId = '${tenant}' AND SpanId = '${'01'.repeat(8)}'`);
  const missing = await ingestctl('audit', '--tenant', tenant, '--from', yesterday);
  expect([missing.status, missing.out]).toEqual([
    1,
    expect.stringMatching(/difference: stored - rows in the tables +1 /),
  ]);
  const wrong = await ingestctl('audit', '--tenant', tenant, '--from', 'today');
  expect([wrong.status, wrong.err]).toEqual([2, expect.stringContaining('must be days')]);
});

test('audit counts what is in flight, and finds what was acknowledged and is nowhere', async () => {
  const tenant = stack.freshTenant();
  const span = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(1), startTimeUnixNano: 1n };
  const body = encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span, span, span, span] }] }] });
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const readBooks = async () => {
    const { status, out } = await ingestctl('--json', 'audit', '--tenant', tenant, '--from', yesterday);
    const lines = JSON.parse(out) as { items: string; traces: number }[];
    const of = (what: string) => lines.find(({ items }) => items === what)?.traces;
    return [
      status,
      of('received'),
      of('in flight'),
      of('stored'),
      of('difference: answered with success, not accepted'),
    ];
  };
  stack.signal('sink', 'SIGSTOP');
  try {
    expect((await client.export('traces', Buffer.from(body), { key: stack.key(tenant) })).status).toBe(200);
    expect(await readBooks()).toEqual([0, 4, 4, 0, 0]);
  } finally {
    stack.signal('sink', 'SIGCONT');
  }
  const acked = `SELECT sum(Items) AS n FROM weir_usage WHERE TenantId = '${tenant}' AND Outcome = 'acked'`;
  await stack.until<{ n: string }>(acked, ({ n }) => n === '4');
  expect(await readBooks()).toEqual([0, 4, 0, 4, 0]);
  // As if two more had been answered with success.
  await stack.query(`INSERT INTO weir_usage VALUES ('${tenant}', 'traces', now(), 'acked', '', 2, 0)`);
  expect(await readBooks()).toEqual([1, 4, 0, 4, 2]);
});

test('audit beside traffic says no only for what the traffic cannot explain', async () => {
  const tenant = stack.freshTenant();
  const logRecords = Array.from({ length: 5 }, () => ({ timeUnixNano: BigInt(Date.now()) * 1_000_000n }));
  const body = Buffer.from(encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const audit = async () => (await ingestctl('audit', '--tenant', tenant, '--from', yesterday)).status;
  const of = `FROM otel_logs WHERE TenantId = '${tenant}'`;
  let ended = false;
  const sending = (async () => {
    for (; !ended; await pause(25)) {
      expect((await client.export('logs', body, { key: stack.key(tenant) })).status).toBe(200);
    }
  })();
  try {
    expect([await audit(), await audit()]).toEqual([0, 0]);
    await stack.until<{ n: string }>(`SELECT count() AS n ${of}`, ({ n }) => Number(n) > 2_000);
    await stack.query(`DELETE ${of}`);
    expect(await audit()).toBe(1);
  } finally {
    ended = true;
    await sending;
  }
}, 120_000);
