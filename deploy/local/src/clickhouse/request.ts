import type { IncomingMessage } from 'node:http';
import type { QueryScope } from './engine.ts';

/** One request to ClickHouse's HTTP interface. */
export interface ClickHouseRequest {
  /** Query text of the URL; the body then is data. Empty where the body holds the query. */
  readonly query: string;
  readonly scope: QueryScope;
  readonly format: string | undefined;
  readonly queryId: string | undefined;
  /** The client asked for a compressed answer. */
  readonly compress: boolean;
  /** Version of the protocol that the client reads Native blocks by; 0 where it named none. */
  readonly revision: number;
  /** The body comes in ClickHouse's own compressed blocks, or the answer is to. */
  readonly ownCompression: boolean;
}

/** Parameters of the interface itself, and settings that only a server knows; neither goes to the engine. */
const NOT_SETTINGS = new Set([
  'query',
  'database',
  'default_format',
  'user',
  'password',
  'query_id',
  'session_id',
  'session_timeout',
  'session_check',
  'role',
  'quota_key',
  'compress',
  'decompress',
  'enable_http_compression',
  'wait_end_of_query',
  'buffer_size',
  'stacktrace',
  'client_protocol_version',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'http_response_headers',
  'add_http_cors_header',
  'close_session',
]);

/** Reads the URL and headers of a request. */
export function readRequest(message: IncomingMessage): ClickHouseRequest {
  const url = new URL(message.url ?? '/', 'http://clickhouse');
  const settings: Record<string, string> = {};
  const parameters: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) parameters[name.slice('param_'.length)] = value;
    else if (!NOT_SETTINGS.has(name)) settings[name] = value;
  }
  const wanted = String(message.headers['accept-encoding'] ?? '');
  return {
    query: url.searchParams.get('query') ?? '',
    scope: {
      database: url.searchParams.get('database') ?? header(message, 'x-clickhouse-database') ?? 'default',
      settings,
      parameters,
    },
    format: url.searchParams.get('default_format') ?? header(message, 'x-clickhouse-format'),
    queryId: url.searchParams.get('query_id') ?? undefined,
    compress: url.searchParams.get('enable_http_compression') === '1' && /\bgzip\b/.test(wanted),
    revision: Number.parseInt(url.searchParams.get('client_protocol_version') ?? '0', 10) || 0,
    ownCompression: ['compress', 'decompress'].some((name) => url.searchParams.get(name) === '1'),
  };
}

function header(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Name of the format that the query's own FORMAT clause gives to its answer, if it has one. */
export function answerFormat(query: string): string | undefined {
  return /\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^;]*)?;?\s*$/i.exec(query)?.[1];
}

/** An INSERT whose data comes apart from the query. */
export interface DataInsert {
  /** The query up to its FORMAT or VALUES. */
  readonly head: string;
  readonly table: string;
  /** Names between the parentheses; undefined where the query names none. */
  readonly columns: readonly string[] | undefined;
  readonly format: string;
}

const INSERT =
  /^\s*(?:--[^\n]*\n\s*|\/\*[\s\S]*?\*\/\s*)*INSERT\s+INTO\s+(?:TABLE\s+)?((?:`[^`]+`|"[^"]+"|[\w.])+)\s*(\([^)]*\))?\s*(SETTINGS\s[\s\S]*?)?\s*(?:FORMAT\s+(\w+)|(VALUES))\s*;?\s*$/i;

/** Recognises an INSERT whose data is to follow; undefined for every other query. */
export function dataInsert(query: string): DataInsert | undefined {
  const match = INSERT.exec(query);
  if (match === null) return undefined;
  const [, table = '', columns, settings = '', format] = match;
  const names = columns
    ?.slice(1, -1)
    .split(',')
    .map((name) =>
      name
        .trim()
        .replace(/^[`"]|[`"]$/g, '')
        .replace(/[`"]\.[`"]/g, '.'),
    )
    .filter((name) => name !== '');
  return {
    head: `INSERT INTO ${table} ${columns ?? ''} ${settings}`,
    table,
    columns: names !== undefined && names.length > 0 ? names : undefined,
    format: format ?? 'Values',
  };
}
