import type { Database } from './database.ts';
import { logs, type RowsShape, spans, stepNs } from './rows.ts';
import type { Schema } from './schemas.ts';

/** What is looked for in one round. It is there, in every schema. */
export interface Needle {
  readonly traceId: string;
  readonly service: string;
  readonly user: string;
  readonly route: string;
  readonly word: string;
  /** Tenants of the span and of the log that this was read off. */
  readonly tenant: string;
  readonly wordTenant: string;
  /** A sixth of the time that the rows take, as SQL on Timestamp. */
  readonly window: string;
}

/** One question; each is asked of all tenants and of one. */
export interface Question {
  readonly name: string;
  /** It asks for the very row that the needle was read off; others may find nothing among few rows. */
  readonly finds?: boolean;
  /** Whose rows the question for one tenant is about. */
  readonly tenant: (needle: Needle) => string;
  readonly sql: (schema: Schema, needle: Needle, tenant: string | undefined) => string;
}

const NEWEST = 'ORDER BY Timestamp DESC LIMIT 100';
const SPAN = 'Timestamp, TraceId, SpanId, ServiceName, SpanName, Duration, StatusCode, StatusMessage';
const WINDOWS = 6;

const and = (condition: string | undefined) => (condition === undefined ? '' : ` AND ${condition}`);

function rowsWhere(
  columns: string,
  table: 'otel_traces' | 'otel_logs',
  where: (schema: Schema, needle: Needle) => string,
) {
  return (schema: Schema, needle: Needle, tenant: string | undefined) => {
    const tenantIs = tenant === undefined ? undefined : schema.tenantIs(tenant);
    return `SELECT ${columns} FROM ${schema.database}.${table} WHERE ${where(schema, needle)}${and(tenantIs)} ${NEWEST}`;
  };
}

/** The two steps that Grafana's datasource and HyperDX take: the trace's time, then its spans in that time. */
function traceById(schema: Schema, { traceId }: Needle, tenant: string | undefined): string {
  const lookup = (value: string) =>
    `(SELECT ${value} FROM ${schema.database}.otel_traces_trace_id_ts WHERE TraceId = '${traceId}'${and(
      tenant === undefined ? undefined : schema.lookupTenantIs(tenant),
    )})`;
  return `WITH ${lookup('min(Start)')} AS start, ${lookup('max(End) + 1')} AS end
SELECT ${SPAN}, ParentSpanId, SpanAttributes, ScopeName, \`Events.Name\`
FROM ${schema.database}.otel_traces WHERE TraceId = '${traceId}' AND Timestamp >= start AND Timestamp <= end${and(
    tenant === undefined ? undefined : schema.tenantIs(tenant),
  )} ${NEWEST}`;
}

function p99(schema: Schema, { window }: Needle, tenant: string | undefined): string {
  const tenantIs = tenant === undefined ? undefined : schema.tenantIs(tenant);
  return `SELECT ServiceName, count() AS spans, quantile(0.99)(Duration) AS p99 FROM ${schema.database}.otel_traces
WHERE ${window}${and(tenantIs)} GROUP BY ServiceName ORDER BY ServiceName`;
}

const LOG = 'Timestamp, ServiceName, SeverityText, Body, LogAttributes';

const spanTenant = ({ tenant }: Needle) => tenant;

/** The usual questions. */
export const QUESTIONS: readonly Question[] = [
  { name: 'a trace by its id', finds: true, tenant: spanTenant, sql: traceById },
  {
    name: "a service's newest errors of an hour",
    tenant: spanTenant,
    sql: rowsWhere(
      SPAN,
      'otel_traces',
      (_, { service, window }) => `ServiceName = '${service}' AND StatusCode = 'Error' AND ${window}`,
    ),
  },
  { name: 'p99 by service of an hour', tenant: spanTenant, sql: p99 },
  {
    name: 'spans by a rare attribute, all hours',
    finds: true,
    tenant: spanTenant,
    sql: rowsWhere(SPAN, 'otel_traces', (_, { user }) => `SpanAttributes['user.id'] = '${user}'`),
  },
  {
    name: 'newest spans by a usual attribute, an hour',
    tenant: spanTenant,
    sql: rowsWhere(
      SPAN,
      'otel_traces',
      (_, { route, window }) => `SpanAttributes['http.route'] = '${route}' AND ${window}`,
    ),
  },
  {
    name: 'logs with a rare word, all hours',
    finds: true,
    tenant: ({ wordTenant }) => wordTenant,
    sql: rowsWhere(LOG, 'otel_logs', ({ body }, { word }) => `hasToken(${body}, '${word}')`),
  },
  {
    name: 'newest logs with a usual word, an hour',
    tenant: spanTenant,
    sql: rowsWhere(LOG, 'otel_logs', ({ body }, { window }) => `hasToken(${body}, 'declined') AND ${window}`),
  },
];

/** What round `round` of `rounds` looks for: read off rows made anew, spread over the time. */
export function needle(database: Database, shape: RowsShape, round: number, rounds: number): Needle {
  const at = Math.floor((shape.rows * (round + 0.5)) / rounds);
  const [span] = database.rows<Record<'Tenant' | 'TraceId' | 'ServiceName' | 'user' | 'route' | 'ns', string>>(
    `SELECT Tenant, TraceId, ServiceName, SpanAttributes['user.id'] AS user, SpanAttributes['http.route'] AS route, toUnixTimestamp64Nano(Timestamp) AS ns FROM (${spans(shape, at, 1)})`,
  );
  const [log] = database.rows<Record<'Tenant' | 'Body', string>>(
    `SELECT Tenant, Body FROM (${logs(shape, Math.max(0, at - 500), 500)}) WHERE Body LIKE 'Order %' LIMIT 1`,
  );
  if (span === undefined || log === undefined) throw new Error('too few rows to ask for any');
  const windowNs = (stepNs(shape) * BigInt(Math.ceil(shape.rows / 8))) / BigInt(WINDOWS);
  const startNs = shape.startNs + ((BigInt(span.ns) - shape.startNs) / windowNs) * windowNs;
  const time = (ns: bigint) => `fromUnixTimestamp64Nano(toInt64(${ns}))`;
  return {
    traceId: span.TraceId,
    service: span.ServiceName,
    user: span.user,
    route: span.route,
    word: log.Body.split(' ')[1]!.toLowerCase(),
    tenant: span.Tenant,
    wordTenant: log.Tenant,
    window: `Timestamp >= ${time(startNs)} AND Timestamp < ${time(startNs + windowNs)}`,
  };
}
