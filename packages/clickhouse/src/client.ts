import { Readable } from 'node:stream';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import type { ClientTls } from '@weir/pipeline';
import { TABLE_COLUMNS, type TableName } from '@weir/records';
import { fromClickHouseError } from './errors.ts';
import { quoteName, tableName } from './schema/migration.ts';
import { TlsAgent } from './tls-agent.ts';

/** What a client needs to reach ClickHouse. */
export interface ClickHouseConfig {
  readonly url: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  /** Of an https URL; left out: Node's own authorities and no certificate. */
  readonly tls?: ClientTls;
  /**
   * For how long nothing may come while ClickHouse is at a statement; left out: 2 minutes. Where it is given a server says every 20 s
   * how far it is, so that nobody between takes the connection for idle; what waits for a mutation is silent all the same.
   */
  readonly silenceMs?: number;
}

/** One insert into one table. */
export interface BlocksInsert {
  readonly table: TableName;
  /** Another table with the columns of that one, to take the rows in its place. */
  readonly into?: string;
  /** zstd frames of Native blocks, in order; only read. Below one block together: < 1,048,449 rows, < 256 MiB. */
  readonly frames: readonly Buffer[];
  /** ClickHouse drops an insert whose token it knows. */
  readonly token: string;
  /**
   * Takes the rows though a materialized view throws on them: that view gets none of these. Without it the insert fails, and
   * ClickHouse has the rows in the table all the same.
   */
  readonly viewsMayFail?: boolean;
}

/** ClickHouse as the services use it. Every method throws DependencyError. */
export interface ClickHouse {
  /** Resolves once the rows are in the table, or were before. */
  insertBlocks(insert: BlocksInsert, signal: AbortSignal): Promise<void>;
  /** Rows of a query, its parameters bound by the server. */
  query<T>(sql: string, parameters: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<T[]>;
  /**
   * Runs a statement without an answer. Where the signal aborts it rejects at once; ClickHouse may carry the statement to its end
   * all the same.
   */
  command(sql: string, signal: AbortSignal): Promise<void>;
  ping(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 120_000;
const CONNECTIONS_MAX = 16;
/**
 * Progress comes in headers, some 200 bytes each: room for a day. The status then stands before the end, so a failure is told by a
 * header behind them, and only where the answer is held back until the end.
 */
const TELLING = {
  send_progress_in_http_headers: 1,
  http_headers_progress_interval_ms: '20000',
  wait_end_of_query: 1,
} as const;
const TELLING_BYTES_MAX = 1024 ** 2;
/** Both above what one insert may hold, so that its blocks are squashed into one, which is what the token covers. */
const BLOCK_ROWS = 1_048_448;
const BLOCK_BYTES = 512 * 1024 ** 2;

const INSERT_SETTINGS = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  min_insert_block_size_rows: String(BLOCK_ROWS),
  min_insert_block_size_bytes: String(BLOCK_BYTES),
  max_insert_block_size: String(BLOCK_ROWS),
  max_insert_threads: '1',
  // A partition is a day received and a retention: a backlog of days, with many tenants' retentions, touches many.
  max_partitions_per_insert_block: '10000',
} as const;

/** Connects when first used. */
export function createClickHouse(config: ClickHouseConfig): ClickHouse {
  const client = createClient({
    url: config.url,
    username: config.username,
    password: config.password,
    application: 'weir',
    request_timeout: config.silenceMs ?? REQUEST_TIMEOUT_MS,
    ...(config.silenceMs === undefined
      ? {}
      : { clickhouse_settings: TELLING, max_response_headers_size: TELLING_BYTES_MAX }),
    max_open_connections: CONNECTIONS_MAX,
    keep_alive: { enabled: true },
    ...(config.tls === undefined ? {} : { http_agent: new TlsAgent(config.tls, CONNECTIONS_MAX) }),
    log: { level: 127 as never },
  });
  return {
    insertBlocks: (insert, signal) => mapped(signal, () => insertBlocks(client, config.database, insert, signal)),
    query: <T>(sql: string, parameters: Readonly<Record<string, unknown>>, signal: AbortSignal) =>
      mapped(signal, async () => {
        const answer = await client.query({
          query: sql,
          query_params: parameters,
          format: 'JSONEachRow',
          abort_signal: signal,
        });
        return answer.json<T>();
      }),
    command: (sql, signal) =>
      mapped(signal, async () => {
        await client.command({ query: sql, abort_signal: signal });
      }),
    ping: (signal) =>
      mapped(signal, async () => {
        const answer = await client.query({ query: 'SELECT 1', format: 'JSONEachRow', abort_signal: signal });
        await answer.text();
      }),
    close: () => client.close(),
  };
}

async function mapped<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    // The client listens for an abort, and does not look whether it has been.
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    throw fromClickHouseError(error);
  }
}

/** The frames go out as they are: ClickHouse reads a body of several zstd frames, and a Native body of several blocks. */
async function insertBlocks(
  client: ClickHouseClient,
  database: string,
  insert: BlocksInsert,
  signal: AbortSignal,
): Promise<void> {
  const columns = TABLE_COLUMNS[insert.table].map(({ name }) => quoteName(name)).join(', ');
  const result = await client.exec({
    query: `INSERT INTO ${tableName({ database }, insert.into ?? insert.table)} (${columns}) FORMAT Native`,
    values: Readable.from(insert.frames, { objectMode: false }),
    http_headers: { 'content-encoding': 'zstd' },
    clickhouse_settings: {
      ...INSERT_SETTINGS,
      insert_deduplication_token: insert.token,
      ...(insert.viewsMayFail === true ? { materialized_views_ignore_errors: 1 } : {}),
    },
    abort_signal: signal,
  });
  result.stream.resume();
}
