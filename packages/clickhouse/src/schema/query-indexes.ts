import { type Migration, onCluster, tableName } from './migration.ts';

/**
 * For questions that name no tenant: keys begin with the tenant, so a trace's id or a service alone would be looked for in
 * all tenants' granules. What is in parts from before stays without, and is found as before, until it is merged or expires.
 */
export const QUERY_INDEXES: Migration = {
  version: 6,
  name: 'query-indexes',
  statements: (target) =>
    [
      ['otel_traces_trace_id_ts', 'idx_trace_id TraceId'],
      ['otel_traces', 'idx_service ServiceName'],
      ['otel_logs', 'idx_service ServiceName'],
    ].map(
      ([table, index]) =>
        `ALTER TABLE ${tableName(target, table!)}${onCluster(target)} ADD INDEX IF NOT EXISTS ${index} TYPE bloom_filter(0.01) GRANULARITY 1`,
    ),
};
