import type { LocalFile } from './local-file.ts';

/** What a newcomer needs once the stack is up: where it is, a key, and an example to paste. */
export function summary(local: LocalFile, dataDir: string): string {
  if (Object.keys(local.services).length === 0) return storesSummary(local, dataDir);
  const key = Object.values(local.tenants)[0]?.key ?? 'KEY';
  const table = `${local.clickhouse.database}.otel_traces`;
  const body = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hello"}}]},"scopeSpans":[{"spans":[{"traceId":"'$(openssl rand -hex 16)'","spanId":"'$(openssl rand -hex 8)'","name":"first span","kind":2,"startTimeUnixNano":"'$(date +%s)'000000000","endTimeUnixNano":"'$(date +%s)'250000000"}]}]}]}`;
  return `
Weir is up.

  OTLP/gRPC    ${local.otlp.grpc}
  OTLP/HTTP    ${local.otlp.http}
  CA file      ${local.ca}
  demo key     ${key}
  ClickHouse   ${local.clickhouse.url} (database ${local.clickhouse.database})
  Kafka        ${local.kafka.brokers.join(',')}
  logs         ${dataDir}/logs
  all of it    ${dataDir}/local.json

Send a span:

  curl --cacert ${local.ca} -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \\
    ${local.otlp.http}/v1/traces -d '${body}'

See it, a second or two later:

  curl '${local.clickhouse.url}/' -d "SELECT Timestamp, ServiceName, SpanName, Duration FROM ${table} ORDER BY Timestamp DESC LIMIT 5 FORMAT PrettyCompact"
`;
}

/** Where Kafka and ClickHouse run alone. */
function storesSummary({ clickhouse, kafka }: LocalFile, dataDir: string): string {
  return `
Kafka and ClickHouse are up.

  ClickHouse   ${clickhouse.url} (database ${clickhouse.database})
  Kafka        ${kafka.brokers.join(',')}
  logs         ${dataDir}/logs
  all of it    ${dataDir}/local.json
`;
}
