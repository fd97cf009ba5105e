import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { Session } from 'chdb';

/** What one run of a query took. */
export interface Cost {
  readonly wallMs: number;
  /** Of all threads of this process, the engine's among them. */
  readonly cpuMs: number;
  /** What the engine says that it read, behind primary key and indexes. */
  readonly rows: number;
  readonly bytes: number;
  /** Compressed bytes of columns, marks and indexes. */
  readonly compressedBytes: number;
}

/** A query's cost and its answer. */
export interface Measured extends Cost {
  readonly answer: readonly Readonly<Record<string, unknown>>[];
}

const COLD = [
  'MARK CACHE',
  'UNCOMPRESSED CACHE',
  'INDEX MARK CACHE',
  'INDEX UNCOMPRESSED CACHE',
  'PRIMARY INDEX CACHE',
  'TEXT INDEX CACHES',
].map((cache) => `SYSTEM DROP ${cache}`);

const MERGE_TRIES = 20;
/** Most merges are begun sooner after the one before. */
const QUIET_S = 5;
const MERGES_S_MAX = 1_800;
/** Rows of one block; what is inserted at once has no more. */
export const BLOCK_ROWS_MAX = 1_048_448;
const ONE_BLOCK = `max_insert_threads = 1, min_insert_block_size_rows = ${BLOCK_ROWS_MAX}, min_insert_block_size_bytes = 1073741824`;

/** The embedded engine on a data directory, one at a time in a process. */
export class Database {
  readonly #session: Session;
  readonly #settings: string;
  /** Another process may have filled the same tables before. */
  readonly #name = randomUUID();
  #inserts = 0;

  /** Makes the directory where it is not there. `threads` bounds each statement. */
  constructor(dir: string, threads: number) {
    mkdirSync(dir, { recursive: true });
    this.#session = new Session(dir);
    // An answer that is kept for a condition would make the second run of a query another query.
    this.#settings = `max_threads = ${threads}, use_query_condition_cache = 0, output_format_json_quote_64bit_integers = 1`;
  }

  /** @throws Error with ClickHouse's message */
  execute(sql: string): void {
    this.#session.query(sql);
  }

  /**
   * Runs `INSERT … SELECT …` as one block with a token of its own, as the sinks do: without one a table that remembers inserts takes
   * a hash of all rows. Returns milliseconds of CPU.
   */
  insert(sql: string): number {
    const token = `insert_deduplication_token = '${this.#name}-${this.#inserts++}'`;
    return this.#cpuMs(() => this.execute(`${sql} SETTINGS ${this.#settings}, ${ONE_BLOCK}, ${token}`));
  }

  /** Lets a table merge, and merges it to one part a partition; returns milliseconds of CPU. */
  merge(database: string, table: string): number {
    const name = `${database}.${table}`;
    return this.#cpuMs(() => {
      this.execute(`SYSTEM START MERGES ${name}`);
      for (let tries = 0; tries < MERGE_TRIES; tries++) {
        // It does nothing where it has waited too long for merges that the engine began by itself.
        this.execute(`OPTIMIZE TABLE ${name} FINAL SETTINGS optimize_skip_merged_partitions = 1`);
        const [left] = this.rows<{ n: string }>(
          `SELECT count() - uniqExact(partition_id) AS n FROM system.parts WHERE active AND database = '${database}' AND table = '${table}'`,
        );
        if (Number(left?.n) === 0) return;
      }
      throw new Error(`${name} does not come down to one part a partition`);
    });
  }

  /** Waits until no merge has been under way for a while, and lets nothing be merged from then on. @throws Error where that takes too long */
  endMerges(): void {
    for (let quiet = 0, waited = 0; quiet < QUIET_S; waited++) {
      if (waited > MERGES_S_MAX) throw new Error(`merges go on after ${MERGES_S_MAX} s`);
      this.execute('SELECT sleep(1)');
      const [running] = this.rows<{ n: string }>('SELECT count() AS n FROM system.merges');
      quiet = Number(running?.n) === 0 ? quiet + 1 : 0;
    }
    this.execute('SYSTEM STOP MERGES');
  }

  rows<T>(sql: string): T[] {
    return this.#json(`${sql} SETTINGS ${this.#settings}`).data as T[];
  }

  /** Cold: the engine's caches are dropped, and data files are read past the system's page cache. */
  measure(sql: string, cold: boolean): Measured {
    if (cold) for (const statement of COLD) this.execute(statement);
    const settings = cold ? `${this.#settings}, min_bytes_to_use_direct_io = 1` : this.#settings;
    const before = this.#compressedBytes();
    const startMs = performance.now();
    let found: Json | undefined;
    const cpuMs = this.#cpuMs(() => {
      found = this.#json(`${sql} SETTINGS ${settings}`);
    });
    const wallMs = performance.now() - startMs;
    const { data, statistics } = found!;
    return {
      wallMs,
      cpuMs,
      rows: statistics.rows_read,
      bytes: statistics.bytes_read,
      compressedBytes: this.#compressedBytes() - before,
      answer: data,
    };
  }

  close(): void {
    this.#session.close();
  }

  #cpuMs(work: () => void): number {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }

  #compressedBytes(): number {
    const { data } = this.#json("SELECT sum(value) AS n FROM system.events WHERE event = 'ReadCompressedBytes'");
    return Number(data[0]?.n);
  }

  #json(sql: string): Json {
    return JSON.parse(this.#session.query(sql, 'JSON')) as Json;
  }
}

interface Json {
  readonly data: Record<string, unknown>[];
  readonly statistics: { readonly rows_read: number; readonly bytes_read: number };
}
