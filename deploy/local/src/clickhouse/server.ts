import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip, createInflate, createZstdDecompress, gzipSync } from 'node:zlib';
import { type Engine, EngineError, type EngineResult } from './engine.ts';
import type { Inserts } from './inserts.ts';
import { forRevision } from './native-revision.ts';
import { answerFormat, type ClickHouseRequest, dataInsert, readRequest } from './request.ts';

const QUERY_BYTES_MAX = 16 * 1024 ** 2;
const KEEP_ALIVE_MS = 30_000;
const DEFAULT_FORMAT = 'TabSeparated';
const NOT_IMPLEMENTED = 48;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  JSON: 'application/json; charset=UTF-8',
  JSONCompact: 'application/json; charset=UTF-8',
  JSONEachRow: 'application/x-ndjson; charset=UTF-8',
  JSONCompactEachRow: 'application/x-ndjson; charset=UTF-8',
  CSV: 'text/csv; charset=UTF-8; header=absent',
  CSVWithNames: 'text/csv; charset=UTF-8; header=present',
  TabSeparated: 'text/tab-separated-values; charset=UTF-8',
  Native: 'application/octet-stream',
  RowBinary: 'application/octet-stream',
};

/** Statuses that ClickHouse's own server gives to its error numbers; 500 for the others. */
const STATUSES: ReadonlyMap<number, number> = new Map([
  ...[6, 20, 26, 27, 38, 41, 42, 43, 46, 47, 53, 57, 62, 69, 70, 72, 115, 116, 130, 131, 190, 441, 456, 457].map(
    (code) => [code, 400] as const,
  ),
  ...[16, 60, 81, 82].map((code) => [code, 404] as const),
  ...[516, 192, 193, 194, 497].map((code) => [code, 403] as const),
  ...[48].map((code) => [code, 501] as const),
  ...[159, 209].map((code) => [code, 408] as const),
]);

/** Changes that a query may make to tables: what is known of their columns is forgotten after it. */
const DEFINES = /^\s*(?:CREATE|ALTER|DROP|RENAME|EXCHANGE|ATTACH|DETACH|TRUNCATE|UNDROP)\b/i;

/** The engine behind ClickHouse's own HTTP interface. */
export function createClickHouseServer(engine: Engine, inserts: Inserts): Server {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (message, response) => {
    void handle(engine, inserts, message, response);
  });
  server.maxConnections = 512;
  return server;
}

async function handle(
  engine: Engine,
  inserts: Inserts,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (message.url ?? '/').split('?', 1)[0];
  if (path === '/ping' || path === '/replicas_status') return void response.end('Ok.\n');
  if (path !== '/' && path !== '/query') return void response.writeHead(404).end('There is no handle.\n');
  if (path === '/' && message.method === 'GET' && !(message.url ?? '').includes('query='))
    return void response.end('Ok.\n');
  const request = readRequest(message);
  response.setHeader('X-ClickHouse-Server-Display-Name', 'weir');
  response.setHeader('X-ClickHouse-Query-Id', request.queryId ?? randomUUID());
  response.setHeader('X-ClickHouse-Timezone', 'UTC');
  try {
    await answer(engine, inserts, request, message, response);
  } catch (error) {
    fail(response, error);
    message.resume();
  }
}

async function answer(
  engine: Engine,
  inserts: Inserts,
  request: ClickHouseRequest,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.ownCompression) {
    const text = "Code: 48. DB::Exception: ClickHouse's own compression over HTTP. (NOT_IMPLEMENTED)";
    throw new EngineError(NOT_IMPLEMENTED, text);
  }
  const insert = request.query === '' ? undefined : dataInsert(request.query);
  if (insert !== undefined) {
    const result = await inserts.insert(insert, message, request.scope);
    return succeed(response, request, result, 'Null');
  }
  const query = request.query + (await readText(message));
  const format = answerFormat(query) ?? request.format ?? DEFAULT_FORMAT;
  const result = await engine.query(query, format, request.scope);
  if (DEFINES.test(query)) inserts.forgetColumns();
  const bytes = format === 'Native' ? forRevision(result.bytes, request.revision) : result.bytes;
  succeed(response, request, { ...result, bytes }, format);
}

function succeed(response: ServerResponse, request: ClickHouseRequest, result: EngineResult, format: string): void {
  const summary = {
    read_rows: String(result.rowsRead),
    read_bytes: String(result.bytesRead),
    written_rows: '0',
    written_bytes: '0',
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: String(result.bytes.length),
    elapsed_ns: String(Math.round(result.elapsedS * 1e9)),
  };
  const body = request.compress && result.bytes.length > 0 ? gzipSync(result.bytes) : result.bytes;
  if (body !== result.bytes) response.setHeader('Content-Encoding', 'gzip');
  response.setHeader('X-ClickHouse-Format', format);
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary));
  response.setHeader('Content-Type', CONTENT_TYPES[format] ?? 'text/plain; charset=UTF-8');
  response.setHeader('Content-Length', body.length);
  response.end(body);
}

function fail(response: ServerResponse, error: unknown): void {
  const code = error instanceof EngineError ? error.code : 1002;
  const text = error instanceof Error ? error.message : 'the query failed';
  if (response.headersSent) return void response.destroy();
  response.setHeader('X-ClickHouse-Exception-Code', code);
  response.writeHead(STATUSES.get(code) ?? 500, { 'Content-Type': 'text/plain; charset=UTF-8' });
  response.end(text.startsWith('Code:') ? `${text}\n` : `Code: ${code}. DB::Exception: ${text}\n`);
}

async function readText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of decoded(message)) {
    size += (chunk as Buffer).length;
    if (size > QUERY_BYTES_MAX) {
      throw new EngineError(62, 'Code: 62. DB::Exception: Max query size exceeded. (SYNTAX_ERROR)');
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function decoded(message: IncomingMessage): Readable {
  const encoding = message.headers['content-encoding'];
  if (encoding === 'gzip') return message.pipe(createGunzip());
  if (encoding === 'zstd') return message.pipe(createZstdDecompress());
  if (encoding === 'deflate') return message.pipe(createInflate());
  return message;
}
