/** How much is made, and out of what. */
export interface RowsShape {
  /** Spans, and as many logs. */
  readonly rows: number;
  readonly tenants: number;
  readonly services: number;
  readonly hours: number;
  readonly seed: number;
  /** Rows of a granule: 8192, or fewer, so that a small run has as many granules as a large one. */
  readonly granuleRows: number;
  /** All tenants have the same retention, so that an insert touches one partition of Weir's tables; else three. */
  readonly oneRetention: boolean;
  /** Unix nanoseconds of the first row. */
  readonly startNs: bigint;
}

const SPANS_A_TRACE = 8;
const SERVICES_A_TENANT = 20;
const ROUTES = 40;
const HOUR_NS = 3_600_000_000_000n;

const RESOURCES = [
  ...['orders', 'carts', 'users', 'payments', 'products', 'reviews', 'invoices', 'shipments', 'sessions', 'coupons'],
  ...['refunds', 'prices', 'stocks', 'messages', 'reports', 'accounts', 'devices', 'events', 'files', 'searches'],
];
const SERVICES = [
  ...['checkout', 'cart', 'payment', 'catalog', 'search', 'frontend', 'gateway', 'identity', 'billing', 'shipping'],
  ...['inventory', 'pricing', 'email', 'reviews', 'ads', 'currency', 'fraud', 'ledger', 'media', 'profile'],
];
const STACK = [
  'java.net.SocketTimeoutException: Read timed out',
  '\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:278)',
  '\tat java.base/java.io.BufferedInputStream.fill(BufferedInputStream.java:244)',
  '\tat com.example.http.Client.execute(Client.java:182)',
  '\tat com.example.orders.Handler.handle(Handler.java:64)',
].join('\\n');

/** Nanoseconds between two traces. */
export function stepNs(shape: RowsShape): bigint {
  const traces = BigInt(Math.ceil(shape.rows / SPANS_A_TRACE));
  return (BigInt(Math.round(shape.hours * 3600)) * (HOUR_NS / 3600n)) / traces;
}

const list = (words: readonly string[]) => `[${words.map((word) => `'${word}'`).join(', ')}]`;
const map = (entries: readonly (readonly [string, string])[]) =>
  `CAST(map(${entries.map(([key, value]) => `'${key}', ${value}`).join(', ')}), 'Map(LowCardinality(String), String)')`;

/** A number in [0, 1) that row, trace or whatever `of` names always gets. */
const chance = (seed: number, of: string, salt: number) =>
  `cityHash64(${seed}, ${salt}, ${of}) / 18446744073709551616.`;

/**
 * The draws behind a row, as a subquery. Tenants are of very different size, and each has twenty services of its own
 * choice, so that a service's name is found under several tenants.
 */
function draws(shape: RowsShape, from: number, count: number): string {
  const { seed, tenants, services } = shape;
  const drawn = `SELECT number AS n, intDiv(n, ${SPANS_A_TRACE}) AS t, n % ${SPANS_A_TRACE} AS k,
  toUInt32(${tenants} * pow(${chance(seed, 't', 1)}, 2)) AS tenant,
  toUInt32(${SERVICES_A_TENANT} * pow(${chance(seed, 'n', 2)}, 1.5)) AS nth,
  cityHash64(${seed}, tenant, nth) % ${services} AS service,
  cityHash64(${seed}, service, cityHash64(n, 3) % 6) % ${ROUTES} AS route,
  cityHash64(${seed}, n, 4) AS h,
  ${chance(seed, 'n', 5)} AS u
  FROM numbers(${from}, ${count})`;
  return `SELECT *,
  'tenant-' || leftPad(toString(tenant), 3, '0') AS Tenant,
  ${shape.oneRetention ? '30' : '[30, 30, 30, 7, 90][tenant % 5 + 1]'} AS Retention,
  ${list(SERVICES)}[service % ${SERVICES.length} + 1] || '-' || toString(intDiv(service, ${SERVICES.length})) AS ServiceName,
  lower(hex(sipHash128(${seed}, t))) AS TraceId,
  fromUnixTimestamp64Nano(toInt64(${shape.startNs} + t * ${stepNs(shape)} + k * 900000 + h % 700000), 'UTC') AS Timestamp,
  'u-' || toString(cityHash64(t, 6) % 200000) AS user,
  h % 100 < 3 AS failed,
  ['GET', 'GET', 'GET', 'POST', 'PUT'][route % 5 + 1] AS method,
  '/api/v' || toString(route % 3 + 1) || '/' || ${list(RESOURCES)}[route % ${RESOURCES.length} + 1] AS collection,
  ${resource()} AS Resource
FROM (${drawn})`;
}

function resource(): string {
  return map([
    ['service.name', 'ServiceName'],
    ['service.version', "'2.' || toString(service % 7) || '.' || toString(tenant % 4)"],
    ['k8s.namespace.name', "'shop-' || toString(tenant % 9)"],
    ['k8s.pod.name', "ServiceName || '-' || lower(hex(cityHash64(tenant, service, h % 3) % 65536))"],
    ['k8s.node.name', "'node-' || toString(cityHash64(tenant, h % 3) % 40)"],
    ['deployment.environment.name', "if(tenant % 6 = 0, 'staging', 'production')"],
  ]);
}

const TENANT_RESOURCE = "mapUpdate(Resource, CAST(map('tenant.id', Tenant), 'Map(LowCardinality(String), String)'))";

/** SELECT of `count` spans from the number `from` on: owner, then the columns of a span. */
export function spans(shape: RowsShape, from: number, count: number): string {
  const attributes = map([
    ['http.request.method', 'method'],
    ['http.route', "collection || if(route < 20, '', '/{id}')"],
    ['url.path', "collection || if(route < 20, '', '/' || toString(h % 100000))"],
    [
      'http.response.status_code',
      "if(failed, ['500', '503'][h % 2 + 1], ['200', '200', '200', '201', '404'][h % 5 + 1])",
    ],
    ['user.id', 'user'],
    ['server.address', "ServiceName || '.svc.cluster.local'"],
    ['network.peer.address', "'10.' || toString(tenant) || '.' || toString(h % 16) || '.' || toString(h % 251)"],
    ['thread.id', 'toString(h % 64)'],
  ]);
  const exception = map([
    ['exception.type', "'java.net.SocketTimeoutException'"],
    ['exception.message', "'Read timed out'"],
    ['exception.stacktrace', `'${STACK}'`],
  ]);
  return `SELECT Tenant, Retention, toDate(Timestamp, 'UTC') AS Day, ${TENANT_RESOURCE} AS TenantResource,
  Timestamp, TraceId, leftPad(lower(hex(cityHash64(n, 7))), 16, '0') AS SpanId,
  if(k = 0, '', leftPad(lower(hex(cityHash64(n - 1, 7))), 16, '0')) AS ParentSpanId, '' AS TraceState,
  method || ' ' || collection || if(route < 20, '', '/{id}') AS SpanName,
  ['Server', 'Client', 'Internal'][h % 3 + 1] AS SpanKind, ServiceName, Resource AS ResourceAttributes,
  'io.opentelemetry.' || ['http', 'jdbc', 'grpc'][h % 3 + 1] AS ScopeName, '1.32.0' AS ScopeVersion, ${attributes} AS SpanAttributes,
  toUInt64(1000000 * exp(4 * u) * if(failed, 20, 1)) AS Duration, if(failed, 'Error', 'Unset') AS StatusCode,
  if(failed, 'upstream connect error: timed out', '') AS StatusMessage,
  if(failed, [Timestamp], []) AS EventTimes, if(failed, ['exception'], []) AS EventNames, if(failed, [${exception}], []) AS EventAttributes
FROM (${draws(shape, from, count)})`;
}

/** SELECT of `count` logs: owner, then the columns of a log record. One body in a hundred says `declined`, one in five has a word that no other has. */
export function logs(shape: RowsShape, from: number, count: number): string {
  const attributes = map([
    ['log.file.path', "'/var/log/pods/' || ServiceName || '/0.log'"],
    ['log.iostream', "['stdout', 'stderr'][failed + 1]"],
    ['logger', "'com.example.' || splitByChar('-', ServiceName)[1] || '.Handler'"],
    ['thread.name', "'worker-' || toString(h % 64)"],
    ['user.id', 'user'],
    ['http.route', "collection || if(route < 20, '', '/{id}')"],
    ['request.id', 'lower(hex(cityHash64(n, 9)))'],
    ['code.lineno', 'toString(h % 900)'],
  ]);
  return `SELECT Tenant, Retention, toDate(Timestamp, 'UTC') AS Day, ${TENANT_RESOURCE} AS TenantResource,
  Timestamp, if(h % 2 = 0, TraceId, '') AS TraceId, if(h % 2 = 0, leftPad(lower(hex(cityHash64(n, 7))), 16, '0'), '') AS SpanId,
  toUInt8(h % 2 = 0) AS TraceFlags, ['INFO', 'ERROR'][failed + 1] AS SeverityText, [9, 17][failed + 1] AS SeverityNumber,
  ServiceName, ${body(shape.seed)} AS Body, '' AS ResourceSchemaUrl, Resource AS ResourceAttributes, '' AS ScopeSchemaUrl,
  'com.example.' || splitByChar('-', ServiceName)[1] AS ScopeName, '' AS ScopeVersion,
  CAST(map(), 'Map(LowCardinality(String), String)') AS ScopeAttributes, ${attributes} AS LogAttributes, '' AS EventName
FROM (${draws(shape, from, count)})`;
}

/** The word that only this log's body has. */
export const orderWord = (seed: number, n: string) => `lower(hex(cityHash64(${seed}, ${n}, 8)))`;

function body(seed: number): string {
  const path = "collection || '/' || toString(h % 100000)";
  return `multiIf(h % 100 = 99, 'Payment declined by issuer for user ' || user || ': insufficient funds',
  failed, 'upstream connect error calling ' || ServiceName || ': timed out after ' || toString(h % 30000) || ' ms, giving up',
  h % 5 = 0, 'Order ' || ${orderWord(seed, 'n')} || ' accepted for user ' || user || ' in ' || toString(h % 900) || ' ms',
  h % 5 = 1, method || ' ' || ${path} || ' 200 ' || toString(h % 4000) || 'b ' || toString(h % 700) || 'ms',
  h % 5 = 2, 'cache miss for key ' || splitByChar('-', ServiceName)[1] || ':' || toString(h % 50000) || ', loading from primary',
  h % 5 = 3, 'Processing request for tenant shard ' || toString(h % 128) || ' with correlation id ' || toString(h % 1000000),
  'Published 1 message to topic ' || splitByChar('-', ServiceName)[1] || '-events partition ' || toString(h % 16) || ' at offset ' || toString(n))`;
}

/** Yesterday's 06:00: the rows of some hours are of one day, and younger than any retention when the tables are merged. */
export function usualStartNs(nowMs: number): bigint {
  const day = 24 * 3600_000;
  return BigInt(Math.floor(nowMs / day - 1) * day + day / 4) * 1_000_000n;
}
