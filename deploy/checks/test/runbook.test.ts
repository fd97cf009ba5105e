import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createProgram } from '@weir/ingestctl';
import { stackPaths } from '@weir/local';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { readRunbook } from '../src/runbook.ts';
import { REPOSITORY } from '../src/tool-cache.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const { alerts, incidents } = readRunbook(await readFile(join(REPOSITORY, 'docs/RUNBOOK.md'), 'utf8'));
const commands = [...new Set(alerts.flatMap(({ blocks }) => blocks.sh))].sort();
const statements = [...alerts, ...incidents].flatMap(({ blocks }) => blocks.sql);
const tenantsFile = stackPaths(stack.dataDir).tenants;
const TEST_MS = 120_000;
const MS_PER_DAY = 86_400_000;
const YESTERDAY = new Date(Date.now() - MS_PER_DAY).toISOString().slice(0, 10);

afterAll(() => client.close());

/** What the capitals of a command stand for. */
type Words = Readonly<Record<string, string>>;

/** Runs a command of the runbook on the stack as an operator would, without a terminal. */
async function run(line: string, own: Words): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const program = createProgram({
    env: { HOME: stack.dataDir },
    readFile: (path) => readFileSync(path, 'utf8'),
    // Envoy follows a file that is put in the place of another.
    writeFile: (path, content) => {
      writeFileSync(`${path}.next`, content);
      renameSync(`${path}.next`, path);
    },
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
  });
  const [, ...words] = line.split(' ');
  const args = words.map((word) => own[word] ?? word);
  return { status: await program.run(['--data-dir', stack.dataDir, ...args]), out, err };
}

async function json<T>(line: string, own: Words): Promise<T> {
  const { status, out, err } = await run(line.replace('ingestctl ', 'ingestctl --json '), own);
  expect([line, status, err]).toEqual([line, 0, '']);
  return JSON.parse(out) as T;
}

test.each(commands)('%s does what it says on a stack that is well', async (line) => {
  const { status, out, err } = await run(line, { TENANT: 'demo', DAY: YESTERDAY, 'tenants.yaml': tenantsFile });
  expect([line, status, err]).toEqual([line, 0, '']);
  expect(out.trim()).not.toBe('');
});

test.each(statements)('%s is answered by ClickHouse', async (sql) => {
  expect(sql).toMatch(/^SELECT /);
  expect(await stack.query(sql)).toEqual(expect.any(Array));
});

/**
 * Runs all commands of an incident in their order; each ends with 0 where `statusOf` says nothing else.
 * @param wordsOf asked before each command, so that what one makes can be named by the next
 */
async function runIncident(
  name: string,
  wordsOf: (line: string) => Promise<Words>,
  statusOf: (line: string, times: number) => number = () => 0,
): Promise<void> {
  const incident = incidents.find((each) => each.name === name);
  expect(incident?.blocks.sh.length).toBeGreaterThan(3);
  const times = new Map<string, number>();
  for (const line of incident!.blocks.sh) {
    times.set(line, (times.get(line) ?? 0) + 1);
    const { status, out, err } = await run(line, await wordsOf(line));
    expect({ line, status, out, err }).toMatchObject({ line, status: statusOf(line, times.get(line)!) });
    expect((out + err).trim()).not.toBe('');
  }
}

test('each incident is run here', () => {
  const run = [
    'Stored values are wrong',
    'Dead letters go in again',
    'Kafka has lost the end of a log',
    'A tenant is shifted to another track',
  ];
  expect(incidents.map(({ name }) => name)).toEqual(run);
});

function gauges(count: number): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const dataPoints = Array.from({ length: count }, (_, at) => ({
    timeUnixNano: now,
    value: { case: 'asDouble' as const, value: at },
  }));
  const metrics = [{ name: 'latency', unit: 'ms', data: { case: 'gauge' as const, value: { dataPoints } } }];
  return Buffer.from(encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
}

test('Stored values are wrong: the window is replayed, compared, promoted, and the books balance', {
  timeout: TEST_MS,
}, async () => {
  const tenant = stack.freshTenant();
  const key = stack.key(tenant);
  const FROM = new Date().toISOString();
  await pause(20);
  for (let at = 0; at < 4; at++) expect((await client.export('metrics', gauges(5), { key })).status).toBe(200);
  await pause(20);
  const TO = new Date().toISOString();
  // Something behind it: a window ends before the end of what is there.
  expect((await client.export('metrics', gauges(1), { key })).status).toBe(200);
  const of = `FROM otel_metrics_gauge WHERE TenantId = '${tenant}'`;
  await stack.until<{ n: string }>(`SELECT count() AS n ${of}`, ({ n }) => Number(n) === 21);
  await stack.query(
    `ALTER TABLE otel_metrics_gauge UPDATE Value = Value * 1000 WHERE TenantId = '${tenant}' AND Value > 0 SETTINGS mutations_sync = 2`,
  );
  const shadows = async () => (await json<{ id: string }[]>('ingestctl shadow list', {})).map(({ id }) => id);
  const before = await shadows();
  let id = '';
  await runIncident(
    'Stored values are wrong',
    async (line) => {
      if (line.includes(' ID')) id ||= (await shadows()).find((each) => !before.includes(each))!;
      return { TENANT: tenant, FROM, TO, DAY: FROM.slice(0, 10), ID: id };
    },
    (line, times) => (line.includes('shadow compare') && times === 1 ? 1 : 0),
  );
  expect(await stack.query(`SELECT max(Value) AS most ${of}`)).toEqual([{ most: 0.004 }]);
});

function span(attributes: number, traceIdBytes = 16): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const made = {
    traceId: new Uint8Array(traceIdBytes).fill(7),
    spanId: new Uint8Array(8).fill(7),
    name: 'runbook',
    startTimeUnixNano: now,
    endTimeUnixNano: now,
    attributes: Array.from({ length: attributes }, (_, at) => ({
      key: `key-${at}`,
      value: { value: { case: 'stringValue', value: 'v' } } as const,
    })),
  };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

/** Gives a tenant other limits, as its entry in a file of its own. */
async function limit(tenant: string, limits: object): Promise<void> {
  const all = parse(readFileSync(tenantsFile, 'utf8')) as { tenants: Record<string, { keys: unknown }> };
  const file = join(stack.dataDir, 'runbook-limits.yaml');
  writeFileSync(file, stringify({ version: 1, tenants: { [tenant]: { keys: all.tenants[tenant]!.keys, limits } } }));
  expect((await run('ingestctl tenants apply -f FILE', { FILE: file })).status).toBe(0);
}

test('Dead letters go in again: each once, and the rest is purged', { timeout: TEST_MS }, async () => {
  const tenant = stack.freshTenant();
  const key = stack.key(tenant);
  await limit(tenant, { attributes: { perItem: 2 } });
  // Until the edge has heard of the limit.
  for (let sent = 0; (await client.export('traces', span(3), { key })).body.length === 0; sent++) {
    expect(sent).toBeLessThan(200);
  }
  await client.export('traces', span(3), { key });
  await client.export('traces', span(1, 7), { key });
  await limit(tenant, {});
  const letters = () =>
    json<{ id: string; reason: string }[]>('ingestctl dlq list --tenant TENANT --letters', { TENANT: tenant });
  await expect.poll(async () => (await letters()).length, { timeout: 30_000 }).toBe(3);
  const LETTER = (await letters()).find(({ reason }) => reason === 'too_many_attributes')!.id;
  await runIncident('Dead letters go in again', async () => ({ TENANT: tenant, LETTER }));
  expect(await letters()).toEqual([]);
});

test('A tenant is shifted to another track, and back', { timeout: TEST_MS }, async () => {
  const tenant = stack.freshTenant();
  await runIncident('A tenant is shifted to another track', async () => {
    expect((await client.export('traces', span(1), { key: stack.key(tenant) })).status).toBe(200);
    return { TENANT: tenant };
  });
});

test('Kafka has lost the end of a log: where it has not, all of it can be run, and changes nothing', {
  timeout: TEST_MS,
}, async () => {
  const tenant = stack.freshTenant();
  await runIncident('Kafka has lost the end of a log', async () => ({ TENANT: tenant, DAY: YESTERDAY }));
});
