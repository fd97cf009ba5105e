import { bootstrapStatements, MIGRATIONS } from '@weir/clickhouse';
import { contribLogs, contribTextLogs, contribTraces } from './contrib-ddl.ts';
import { VARIANTS, type Variant } from './variants.ts';

/** One set of tables that is filled and asked. */
export interface Schema {
  readonly name: string;
  /** Database of its own. */
  readonly database: string;
  /** Makes the empty tables. */
  readonly statements: readonly string[];
  /** The source's columns for the tables' owner columns, and what stands for resource attributes. */
  readonly owner: readonly (readonly [column: string, source: string])[];
  readonly resource: string;
  /** Condition that holds for one tenant's rows. */
  readonly tenantIs: (tenant: string) => string;
  /** The same on the look-up of traces, where it has a tenant. */
  readonly lookupTenantIs: (tenant: string) => string;
  /** What the index on log bodies is on. */
  readonly body: string;
  /** Keys of the source that rows are sorted by before the insert, which does not count. */
  readonly sortedBy?: Readonly<Record<string, string>>;
}

/** Tables that are merged and whose size counts; the look-up is filled by its view. */
export const TABLES = ['otel_traces', 'otel_traces_trace_id_ts', 'otel_logs'] as const;

const WEIR_KEYS = {
  otel_traces: 'Tenant, StatusCode, toStartOfFiveMinutes(Timestamp), ServiceName, SpanName, toDateTime(Timestamp)',
  otel_logs: 'Tenant, toStartOfFiveMinutes(Timestamp), ServiceName, toDateTime(Timestamp)',
};

const WEIR_TENANT = (tenant: string) => `TenantId = '${tenant}'`;

function weir(name: string, variant?: Variant): Schema {
  const database = name.replaceAll(/\W/g, '_');
  const target = { database };
  return {
    name,
    database,
    statements: [
      ...bootstrapStatements(target),
      ...MIGRATIONS.flatMap(({ statements }) => statements(target)).map(variant?.rewrite ?? ((statement) => statement)),
      ...(variant?.statements(database) ?? []),
    ],
    owner: [
      ['TenantId', 'Tenant'],
      ['RetentionDays', 'Retention'],
      ['ReceivedDay', 'Day'],
    ],
    resource: 'ResourceAttributes',
    tenantIs: WEIR_TENANT,
    lookupTenantIs: WEIR_TENANT,
    body: 'lower(Body)',
    ...(variant?.sorted === true ? { sortedBy: WEIR_KEYS } : {}),
  };
}

function contrib(name: string, logs: (database: string) => string, body: string): Schema {
  const database = name.replaceAll(/\W/g, '_');
  return {
    name,
    database,
    statements: [`CREATE DATABASE ${database}`, ...contribTraces(database), logs(database)],
    owner: [],
    resource: 'TenantResource',
    tenantIs: (tenant) => `ResourceAttributes['tenant.id'] = '${tenant}'`,
    lookupTenantIs: () => '1',
    body,
  };
}

/** All that can be measured, by name. */
export const SCHEMAS: readonly Schema[] = [
  weir('weir'),
  contrib('contrib-0.149', contribLogs, 'Body'),
  contrib('contrib-0.161', contribTextLogs, 'lower(Body)'),
  ...VARIANTS.map((variant) => weir(`weir+${variant.name}`, variant)),
];
