import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Operator } from './operator.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const operator = new Operator(stack);
const TENANT = stack.freshTenant();
const OTHER = stack.freshTenant();
const EXPORTS = 12;
const PER_EXPORT = 5;
let fromTime = '';
let toTime = '';

function gauges(seed: number, unit = 'ms'): Buffer {
  const points = Array.from({ length: PER_EXPORT }, (_, at) => ({
    timeUnixNano: BigInt(Date.now()) * 1_000_000n,
    value: { case: 'asDouble' as const, value: seed * 1_000 + at },
  }));
  const metrics = [{ name: 'latency', unit, data: { case: 'gauge' as const, value: { dataPoints: points } } }];
  return Buffer.from(encodeExport('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
}

function logs(seed: number): Buffer {
  // All alike: a log record has no id.
  const logRecords = Array.from({ length: PER_EXPORT }, () => ({
    timeUnixNano: 1_795_237_200_000_000_000n,
    body: { value: { case: 'stringValue' as const, value: `line ${seed % 3}` } },
  }));
  return Buffer.from(encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
}

async function send(signal: 'metrics' | 'logs', body: Buffer, tenant = TENANT): Promise<void> {
  const { status } = await client.export(signal, body, { key: stack.key(tenant) });
  expect(status).toBe(200);
}

async function rowsOf(table: string, tenant = TENANT): Promise<number> {
  const [row] = await stack.query<{ n: string }>(`SELECT count() AS n FROM ${table} WHERE TenantId = '${tenant}'`);
  return Number(row?.n);
}

function window(...more: string[]): string[] {
  return ['replay', '--shadow', '--from', fromTime, '--to', toTime, '--tenant', TENANT, ...more];
}

beforeAll(async () => {
  await send('logs', logs(0));
  await pause(20);
  fromTime = new Date().toISOString();
  await pause(20);
  for (let seed = 0; seed < EXPORTS; seed++) {
    await send('metrics', gauges(seed));
    await send('logs', logs(seed));
    await send('logs', logs(seed), OTHER);
  }
  await pause(20);
  toTime = new Date().toISOString();
  await pause(20);
  await send('logs', logs(1));
  await stack.until<{ n: string }>(
    `SELECT count() AS n FROM otel_logs WHERE TenantId = '${TENANT}'`,
    ({ n }) => Number(n) === (EXPORTS + 2) * PER_EXPORT,
  );
  await stack.until<{ n: string }>(
    `SELECT count() AS n FROM otel_metrics_gauge WHERE TenantId = '${TENANT}'`,
    ({ n }) => Number(n) === EXPORTS * PER_EXPORT,
  );
});

afterAll(() => client.close());

interface Plan {
  readonly partitions: { partition: number; first: number; last: number; itemsByTenant: Record<string, number> }[];
  readonly totals: { records: number; items: number };
  readonly shadowTables: string[];
}

test('a dry run says what would be read and written, and does nothing', async () => {
  const plan = await operator.json<Plan>(...window('--dry-run'));
  expect(plan.totals).toMatchObject({ records: 2 * EXPORTS, items: 2 * EXPORTS * PER_EXPORT });
  expect(plan.partitions.flatMap(({ itemsByTenant }) => Object.keys(itemsByTenant))).toEqual(
    plan.partitions.map(() => TENANT),
  );
  expect(plan.shadowTables).toContain('shadow_<id>_otel_logs');
  const listed = await operator.json<object[]>('shadow', 'list');
  expect(plan.shadowTables.join()).not.toContain('weir_usage');
  const stays = operator.movesNothing(async () => {
    const { status, out } = await operator.run(...window('--dry-run', '--signal', 'logs'));
    expect(status).toBe(0);
    expect(out).toContain('both inclusive');
    expect(out).toContain(`${TENANT} `);
  });
  expect(await stays).toBe(true);
  expect(await operator.json<object[]>('shadow', 'list')).toEqual(listed);
  expect(await stack.query("SHOW TABLES LIKE 'shadow_%'")).toEqual([]);
});

test.each([
  ['an offset past the end', ['--from', '0', '--to', '99999999', '--partition', '0'], 1, 'past the end'],
  ['a time past the end', ['--from', '2026-01-01T00:00:00Z', '--to', '2126-01-01T00:00:00Z'], 1, 'past the end'],
  ['from after to', ['--from', '5', '--to', '4', '--partition', '0'], 2, '--from is after --to'],
  ['a bare offset', ['--from', '0', '--to', '1'], 1, 'name one with --partition'],
  ['a track that is not there', ['--from', '0', '--to', '1', '--track', 'v9'], 1, 'there is no track v9'],
  ['a partition that is not there', ['--from', '0', '--to', '1', '--partition', '77'], 1, 'there is no partition 77'],
  [
    'a tenant that is not there',
    ['--from', '1h', '--to', '0s', '--tenant', 'nobody-at-all'],
    1,
    'there is no tenant nobody-at-all',
  ],
  ['a window without a record', ['--from', '2020-01-01T00:00:00Z', '--to', '2020-01-02T00:00:00Z'], 1, 'nothing'],
])('%s is refused, and the reason said', async (_, args, status, reason) => {
  const refused = await operator.run('replay', '--shadow', ...args, '--yes');
  expect(refused).toMatchObject({ status, out: '', err: expect.stringContaining(reason) });
});

test('nothing is replayed where nobody can be asked', async () => {
  expect(await operator.run(...window())).toMatchObject({
    status: 2,
    out: '',
    err: 'ingestctl: there is nobody to ask, without a terminal: say --yes\n',
  });
});

test('a window is replayed, compared, promoted and dropped: a unit that live has wrong is put right, once', async () => {
  const [plan, done, ...others] = await operator.jsonLines(...window('--yes'));
  expect([plan?.event, done?.event, others]).toEqual(['plan', 'done', []]);
  const id = String(done!.id);
  expect(plan).toMatchObject({ id, shadowTables: expect.arrayContaining([`shadow_${id}_otel_logs`]) });
  const wanted = EXPORTS * PER_EXPORT;
  expect(done!.rows).toEqual({ otel_metrics_gauge: wanted, otel_logs: wanted });
  expect(await rowsOf(`shadow_${id}_otel_logs`)).toBe(wanted);
  expect(await rowsOf(`shadow_${id}_otel_logs`, OTHER)).toBe(0);
  // The alike log records outside of the window are no difference.
  expect(await operator.json('shadow', 'compare', id)).toEqual({ id, equal: true, differences: [], examples: [] });

  // What a normalizer with a bug would have written, and rows that were lost.
  await stack.query(
    `ALTER TABLE otel_metrics_gauge UPDATE MetricUnit = 'broken', Value = Value * 1000 WHERE TenantId = '${TENANT}' AND RawPosition IN (SELECT RawPosition FROM otel_metrics_gauge WHERE TenantId = '${TENANT}' AND Value < 3) SETTINGS mutations_sync = 2`,
  );
  await stack.query(
    `ALTER TABLE otel_logs DELETE WHERE TenantId = '${TENANT}' AND RawPosition IN (SELECT RawPosition FROM shadow_${id}_otel_logs LIMIT 1) SETTINGS mutations_sync = 2`,
  );
  const logsBefore = await rowsOf('otel_logs');
  const lost = (EXPORTS + 2) * PER_EXPORT - logsBefore;
  expect(lost).toBeGreaterThan(0);
  const compared = await operator.run('--json', 'shadow', 'compare', id);
  expect(compared.status).toBe(1);
  const { differences, examples } = JSON.parse(compared.out);
  const base = { tenant: TENANT, different: 0, onlyLive: 0, onlyShadow: 0 };
  expect(differences).toEqual(
    expect.arrayContaining([
      { ...base, table: 'otel_metrics_gauge', different: 3 * PER_EXPORT },
      { ...base, table: 'otel_logs', onlyShadow: lost },
    ]),
  );
  expect(examples).toContainEqual(
    expect.objectContaining({
      table: 'otel_metrics_gauge',
      kind: 'different',
      columns: expect.objectContaining({ MetricUnit: { live: 'broken', shadow: 's' } }),
    }),
  );

  const promoted = await Promise.all([
    operator.run('--json', 'shadow', 'promote', id, '--yes'),
    operator.run('--json', 'shadow', 'promote', id, '--yes'),
  ]);
  expect(promoted.map(({ status, err }) => [status, err])).toEqual([
    [0, ''],
    [0, ''],
  ]);
  await operator.promotesNothing(id);
  expect(await operator.json('shadow', 'compare', id)).toMatchObject({ equal: true });
  expect(await rowsOf('otel_logs')).toBe((EXPORTS + 2) * PER_EXPORT);
  expect(await rowsOf('otel_metrics_gauge')).toBe(wanted);
  expect((await operator.run('audit', '--tenant', TENANT)).status).toBe(0);

  expect(await operator.json<object[]>('shadow', 'list')).toContainEqual(
    expect.objectContaining({ id, state: 'promoted' }),
  );
  await operator.json('shadow', 'drop', id, '--yes');
  expect(await stack.query(`SHOW TABLES LIKE 'shadow_${id}%'`)).toEqual([]);
  expect(await operator.run('shadow', 'compare', id)).toMatchObject({
    status: 1,
    err: expect.stringContaining('dropped'),
  });
});
