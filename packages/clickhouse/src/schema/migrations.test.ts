import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TABLE_COLUMNS, TABLES } from '@weir/records';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SchemaTarget } from './migration.ts';
import { bootstrapStatements, MIGRATIONS, MIGRATIONS_TABLE } from './migrations.ts';

const TARGET: SchemaTarget = { database: 'weir' };

function statements(target: SchemaTarget): string[] {
  return [...bootstrapStatements(target), ...MIGRATIONS.flatMap((migration) => [...migration.statements(target)])];
}

/** Values for a span row; the other columns stay empty. */
function spanRow(tenant: string, traceId: string, time: string, receivedDay: string, retentionDays = 30): string {
  return `('${tenant}', ${retentionDays}, '${receivedDay}', '${time}', '${traceId}')`;
}

describe('the schema on ClickHouse', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await Engine.open();
    for (const sql of statements(TARGET)) engine.execute(sql);
  });

  afterAll(() => engine.close());

  test('can be applied again', () => {
    for (const sql of statements(TARGET)) engine.execute(sql);
    expect(engine.select(`SELECT count() AS n FROM weir.${MIGRATIONS_TABLE}`)).toEqual([{ n: '0' }]);
  });

  test.each(TABLES)('%s has exactly the columns of its Native block, in their order', (table) => {
    const columns = engine.select(
      `SELECT name, type FROM system.columns WHERE database = 'weir' AND table = '${table}' AND default_kind = '' ORDER BY position`,
    );
    expect(columns).toEqual(TABLE_COLUMNS[table]);
  });

  test.each(TABLES)('%s keeps tenants apart by the first column of its key', (table) => {
    const [row] = engine.select<{ sorting_key: string }>(
      `SELECT sorting_key FROM system.tables WHERE database = 'weir' AND name = '${table}'`,
    );
    expect(row?.sorting_key.split(',')[0]).toBe('TenantId');
  });

  test('logs have the columns that are read by older dashboards and by attribute', () => {
    engine.execute(
      "INSERT INTO weir.otel_logs (TenantId, RetentionDays, ReceivedDay, Timestamp, ResourceAttributes) VALUES ('a', 30, today(), '2026-11-21 01:02:03.5', map('k8s.pod.name', 'p-1', 'deployment.environment.name', 'prod'))",
    );
    expect(
      engine.select(
        'SELECT TimestampTime, `__otel_materialized_k8s.pod.name` AS pod, `__otel_materialized_k8s.node.name` AS node, `__otel_materialized_deployment.environment.name` AS env FROM weir.otel_logs',
      ),
    ).toEqual([{ TimestampTime: '2026-11-21 01:02:03', pod: 'p-1', node: '', env: 'prod' }]);
  });

  test('the range of a trace is found under its tenant', () => {
    engine.execute(
      `INSERT INTO weir.otel_traces (TenantId, RetentionDays, ReceivedDay, Timestamp, TraceId) VALUES ${[
        spanRow('a', 't1', '2026-11-21 10:00:00.1', '2026-11-21'),
        spanRow('a', 't1', '2026-11-21 10:00:05.9', '2026-11-21'),
        spanRow('b', 't1', '2026-11-20 09:00:00', '2026-11-21'),
      ].join(', ')}`,
    );
    expect(
      engine.select(
        'SELECT TenantId, TraceId, min(Start) AS Start, max(End) AS End FROM weir.otel_traces_trace_id_ts GROUP BY TenantId, TraceId ORDER BY TenantId',
      ),
    ).toEqual([
      { TenantId: 'a', TraceId: 't1', Start: '2026-11-21 10:00:00', End: '2026-11-21 10:00:05' },
      { TenantId: 'b', TraceId: 't1', Start: '2026-11-20 09:00:00', End: '2026-11-20 09:00:00' },
    ]);
  });

  test.each([
    ["otel_traces_trace_id_ts WHERE TraceId = 't1'", 'idx_trace_id'],
    ["otel_traces WHERE ServiceName = 'none'", 'idx_service'],
    ["otel_logs WHERE ServiceName = 'none'", 'idx_service'],
  ])('%s is looked for by an index where no tenant is named', (question, index) => {
    const [table] = question.split(' ');
    engine.execute(
      `INSERT INTO weir.${table} (TenantId, RetentionDays, ReceivedDay, TraceId) VALUES ('index', 30, today(), 'i')`,
    );
    const plan = engine.select<{ explain: string }>(`EXPLAIN indexes = 1 SELECT TenantId FROM weir.${question}`);
    expect(plan.map(({ explain }) => explain.trim())).toContain(`Name: ${index}`);
  });

  test("a service's errors lie together where no tenant is named", () => {
    engine.execute('CREATE TABLE weir.errors AS weir.otel_traces');
    engine.execute(
      `INSERT INTO weir.errors (TenantId, RetentionDays, ReceivedDay, Timestamp, ServiceName, StatusCode) SELECT 'tenant-' || toString(number % 10), 30, today(), toDateTime64('2026-11-21 10:00:00', 9) + intDiv(number, 400), 'service-' || toString(cityHash64(number) % 5), if(cityHash64(number, 1) % 50 = 0, 'Error', 'Unset') FROM numbers(500000)`,
    );
    engine.execute('OPTIMIZE TABLE weir.errors FINAL');
    const [read] = engine.select<{ rows: string }>(
      "EXPLAIN ESTIMATE SELECT TenantId FROM weir.errors WHERE ServiceName = 'service-1' AND StatusCode = 'Error'",
    );
    // Of ten tenants, each of which has the service: a granule or two, in which there may be rows of the next one.
    expect(Number(read?.rows)).toBeLessThan(20 * 8192);
    engine.execute('DROP TABLE weir.errors SYNC');
  });

  test('rows from before the indexes are found as those from after them', () => {
    const target = { database: 'older' };
    const apply = (names: readonly string[]) => {
      const steps = MIGRATIONS.filter(({ name }) => names.includes(name));
      for (const sql of steps.flatMap(({ statements }) => statements(target))) engine.execute(sql);
    };
    engine.execute('CREATE DATABASE older');
    apply(['traces', 'logs']);
    const insert = (id: string) =>
      engine.execute(
        `INSERT INTO older.otel_traces (TenantId, RetentionDays, ReceivedDay, Timestamp, TraceId, ServiceName) VALUES ('a', 30, today(), now64(9), '${id}', 'shop')`,
      );
    insert('t1');
    apply(['query-indexes']);
    insert('t2');
    const found = () => [
      engine.select("SELECT TraceId FROM older.otel_traces WHERE ServiceName = 'shop' ORDER BY TraceId"),
      engine.select("SELECT TraceId FROM older.otel_traces_trace_id_ts WHERE TraceId = 't1'"),
    ];
    const expected = [[{ TraceId: 't1' }, { TraceId: 't2' }], [{ TraceId: 't1' }]];
    expect(found()).toEqual(expected);
    engine.execute('OPTIMIZE TABLE older.otel_traces FINAL');
    expect(found()).toEqual(expected);
  });

  test('parts of an insert are compact however large they are, what is merged is wide, and older parts merge with them', () => {
    const target = { database: 'heavier' };
    const apply = (step: (name: string) => boolean) => {
      const steps = MIGRATIONS.filter(({ name }) => step(name));
      for (const sql of steps.flatMap(({ statements }) => statements(target))) engine.execute(sql);
    };
    engine.execute('CREATE DATABASE heavier');
    apply((name) => name !== 'lean-parts');
    engine.execute('SYSTEM STOP MERGES heavier.otel_traces');
    const insert = (from: number) =>
      engine.execute(
        `INSERT INTO heavier.otel_traces (TenantId, RetentionDays, ReceivedDay, Timestamp, TraceId, ServiceName, SpanAttributes) SELECT 'a', 30, '2100-01-01', now64(9), toString(number), 'shop', map('order', 'o-' || toString(number), 'pad', repeat('x', 400)) FROM numbers(${from}, 40000)`,
      );
    const kinds = () =>
      engine.select(
        "SELECT part_type AS kind, count() AS n FROM system.parts WHERE active AND database = 'heavier' AND table = 'otel_traces' GROUP BY kind ORDER BY kind",
      );
    insert(0);
    expect(kinds()).toEqual([{ kind: 'Wide', n: '1' }]);
    apply((name) => name === 'lean-parts');
    insert(40_000);
    expect(kinds()).toEqual([
      { kind: 'Compact', n: '1' },
      { kind: 'Wide', n: '1' },
    ]);
    engine.execute('SYSTEM START MERGES heavier.otel_traces');
    engine.execute('OPTIMIZE TABLE heavier.otel_traces FINAL');
    expect(kinds()).toEqual([{ kind: 'Wide', n: '1' }]);
    expect(
      engine.select(
        "SELECT uniqExact(TraceId) AS ids, uniqExact(SpanAttributes['order']) AS orders FROM heavier.otel_traces WHERE SpanAttributes['order'] = 'o-' || TraceId",
      ),
    ).toEqual([{ ids: '80000', orders: '80000' }]);
  });

  test('rows from before positions say that theirs is not known', () => {
    const target = { database: 'unplaced' };
    engine.execute('CREATE DATABASE unplaced');
    for (const { name, statements } of MIGRATIONS) {
      if (name === 'raw-position') {
        engine.execute(
          "INSERT INTO unplaced.otel_logs (TenantId, RetentionDays, ReceivedDay, Timestamp) VALUES ('a', 30, today(), now64(9))",
        );
      }
      for (const sql of statements(target)) engine.execute(sql);
    }
    expect(engine.select('SELECT RawPosition FROM unplaced.otel_logs')).toEqual([{ RawPosition: '0' }]);
  });

  test('blocks of a normalizer that does not know positions yet are taken, and those of one that does by a sink that does not', () => {
    const names = 'TenantId, RetentionDays, ReceivedDay, RawPosition, Body';
    const structure = `TenantId LowCardinality(String), RetentionDays UInt16, ReceivedDay Date, RawPosition UInt64, Body String`;
    const dir = mkdtempSync(join(tmpdir(), 'weir-blocks-'));
    const blocks = ["'a' AS Body", "'b' AS Body, toUInt64(5) AS RawPosition"].map((more, at) => {
      const path = join(dir, `${at}.native`);
      engine.execute(
        `INSERT INTO FUNCTION file('${path}', Native) SELECT toLowCardinality('older') AS TenantId, toUInt16(30) AS RetentionDays, today() AS ReceivedDay, ${more}`,
      );
      return readFileSync(path);
    });
    rmSync(dir, { recursive: true });
    const file = engine.saveBlock(Buffer.concat(blocks)).replace(', Native', `, Native, '${structure}'`);
    engine.execute(`INSERT INTO weir.otel_logs (${names}) SELECT ${names} FROM ${file}`);
    expect(
      engine.select("SELECT Body, RawPosition FROM weir.otel_logs WHERE TenantId = 'older' ORDER BY Body"),
    ).toEqual([
      { Body: 'a', RawPosition: '0' },
      { Body: 'b', RawPosition: '5' },
    ]);
    const older = (text: string) => text.replace(/ RawPosition( UInt64)?,/, '');
    const unnamed = engine.saveBlock(blocks[1]!).replace(', Native', `, Native, '${older(structure)}'`);
    engine.execute(`INSERT INTO weir.otel_logs (${older(names)}) SELECT ${older(names)} FROM ${unnamed}`);
    expect(
      engine.select(
        "SELECT RawPosition FROM weir.otel_logs WHERE TenantId = 'older' AND Body = 'b' ORDER BY RawPosition",
      ),
    ).toEqual([{ RawPosition: '0' }, { RawPosition: '5' }]);
  });

  test('a repeated insert token adds nothing, to the table or to its materialized view', () => {
    const insert = `INSERT INTO weir.otel_traces (TenantId, RetentionDays, ReceivedDay, Timestamp, TraceId) SETTINGS insert_deduplication_token = 'p0-1-9', async_insert = 0 VALUES ${[
      spanRow('dedup', 'd1', '2026-11-21 10:00:00', '2026-11-21'),
      spanRow('dedup', 'd2', '2026-11-20 10:00:00', '2026-11-20', 7),
    ].join(', ')}`;
    for (let i = 0; i < 3; i++) engine.execute(insert);
    expect(engine.select("SELECT count() AS n FROM weir.otel_traces WHERE TenantId = 'dedup'")).toEqual([{ n: '2' }]);
    expect(engine.select("SELECT count() AS n FROM weir.otel_traces_trace_id_ts WHERE TenantId = 'dedup'")).toEqual([
      { n: '2' },
    ]);
  });

  test('telemetry is kept for its retention from the day it was received, however old it says it is', () => {
    engine.execute(
      `INSERT INTO weir.otel_traces (TenantId, RetentionDays, ReceivedDay, Timestamp, TraceId) SELECT 'ttl', 2, d, t, toString(d) || toString(t) FROM (SELECT arrayJoin([today(), today() - 3]) AS d, arrayJoin([toDateTime64('1970-01-01 00:00:01', 9), now64(9), toDateTime64('2100-01-01 00:00:00', 9)]) AS t)`,
    );
    engine.execute('OPTIMIZE TABLE weir.otel_traces FINAL');
    expect(
      engine.select(
        "SELECT toYear(Timestamp) AS y, ReceivedDay = today() AS fresh FROM weir.otel_traces WHERE TenantId = 'ttl' ORDER BY y",
      ),
    ).toEqual([
      { y: 1970, fresh: 1 },
      { y: new Date().getUTCFullYear(), fresh: 1 },
      { y: 2100, fresh: 1 },
    ]);
  });

  test('an insert touches a partition for each day received and retention, whatever the times are', () => {
    engine.execute(
      "INSERT INTO weir.otel_logs (TenantId, RetentionDays, ReceivedDay, Timestamp) SELECT 'spread', 30, today(), toDateTime64('1970-01-02 00:00:00', 9) + toIntervalDay(number) FROM numbers(40000)",
    );
    expect(engine.select("SELECT uniqExact(_partition_id) AS n FROM weir.otel_logs WHERE TenantId = 'spread'")).toEqual(
      [{ n: '1' }],
    );
  });

  test('the short name of exponential histograms reads the long one', () => {
    engine.execute(
      "INSERT INTO weir.otel_metrics_exponential_histogram (TenantId, RetentionDays, ReceivedDay, MetricName, Scale) VALUES ('a', 30, today(), 'm', -3)",
    );
    expect(engine.select('SELECT MetricName, Scale FROM weir.otel_metrics_exp_histogram')).toEqual([
      { MetricName: 'm', Scale: -3 },
    ]);
  });

  test('usage of one minute adds up', () => {
    for (const items of [3, 4, -2]) {
      engine.execute(
        `INSERT INTO weir.weir_usage VALUES ('a', 'traces', '2026-11-21 10:00:00', 'stored', '', ${items}, ${items * 10})`,
      );
    }
    engine.execute('OPTIMIZE TABLE weir.weir_usage FINAL');
    expect(engine.select('SELECT Items, Bytes FROM weir.weir_usage')).toEqual([{ Items: '5', Bytes: '50' }]);
  });
});

describe('the schema on a cluster', () => {
  const CLUSTER: SchemaTarget = { database: 'weir', cluster: 'main' };
  const replicated = statements(CLUSTER);

  test('creates and changes everything on the cluster, replicated', () => {
    const kinds = new Map<string, number>();
    for (const sql of replicated) {
      expect(sql.match(/ ON CLUSTER `main`/g), sql).toHaveLength(1);
      const kind = /^(CREATE (?:DATABASE|TABLE|VIEW|MATERIALIZED VIEW)|ALTER TABLE) /.exec(sql)?.[1] ?? sql;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      if (kind !== 'CREATE TABLE') continue;
      expect(sql).toMatch(/\) ENGINE = Replicated\w*MergeTree\(/);
      // Of the table of versions nothing is deduplicated: a step that is noted twice is there twice.
      if (!sql.includes(MIGRATIONS_TABLE)) expect(sql).toMatch(/replicated_deduplication_window = 100000, /);
    }
    // The telemetry, the look-up of traces, the books, the journal of replays, the versions.
    expect(Object.fromEntries(kinds)).toEqual({
      'CREATE DATABASE': 1,
      'CREATE TABLE': TABLES.length + 3,
      'CREATE MATERIALIZED VIEW': 1,
      'CREATE VIEW': 1,
      'ALTER TABLE': expect.any(Number),
    });
  });

  test('is that of a server alone in all else', () => {
    const alone = replicated.map((sql) =>
      sql.replace(' ON CLUSTER `main`', '').replace('ENGINE = Replicated', 'ENGINE = '),
    );
    expect(alone).toEqual(statements(TARGET));
  });

  test('is SQL that ClickHouse reads; this engine has neither cluster nor Keeper to run it on', async () => {
    const engine = await Engine.open();
    try {
      for (const sql of replicated) expect(engine.select(`EXPLAIN AST ${sql}`).length, sql).toBeGreaterThan(2);
      expect(() => engine.execute(replicated[0]!)).toThrow(/cluster|zookeeper|keeper/i);
    } finally {
      engine.close();
    }
  });
});

test('a step that was released is not changed: databases have it already', () => {
  const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
  expect(MIGRATIONS.map(({ name, statements }) => [name, digest(statements(TARGET).join('\n'))])).toEqual([
    ['traces', '56eaf90497f73c65'],
    ['logs', 'be7a5ad71b0b47af'],
    ['metrics', 'd13a9e44a3b3b301'],
    ['usage', 'a600c4e4b43c5d31'],
    ['signed-usage', 'b960a97e8d2fc041'],
    ['query-indexes', '19115d663fd4cd8d'],
    ['lean-parts', '8579cf02c37c4f8c'],
    ['raw-position', '2f3eb9680e1ddd9a'],
  ]);
});

test('versions grow by one from one', () => {
  expect(MIGRATIONS.map((migration) => migration.version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
});

test('a database name cannot break out of its quotes', () => {
  const [sql] = bootstrapStatements({ database: 'a`; DROP TABLE x; --' });
  expect(sql).toBe('CREATE DATABASE IF NOT EXISTS `a\\`; DROP TABLE x; --`');
});
