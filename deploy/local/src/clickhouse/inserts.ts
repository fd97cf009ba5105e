import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Engine, EngineError, type EngineResult, identifier, literal, type QueryScope } from './engine.ts';
import type { DataInsert } from './request.ts';

/** Content-Encoding of a body to the compression that the engine's file function names. */
const COMPRESSIONS: Readonly<Record<string, string>> = {
  '': 'none',
  identity: 'none',
  gzip: 'gzip',
  zstd: 'zstd',
  deflate: 'deflate',
  br: 'br',
  lz4: 'lz4',
  xz: 'xz',
  bz2: 'bz2',
};

const BODY_BYTES_MAX = 1024 ** 3;
const COLUMNS_AGE_MS = 60_000;
const NOT_IMPLEMENTED = 48;
const TOO_LARGE = 241;

interface Columns {
  readonly structure: ReadonlyMap<string, string>;
  readonly atMs: number;
}

/**
 * Inserts whose data comes in the body. chDB's own raw insert takes text formats only; the body goes to a file as it is,
 * still compressed, and the engine reads it as a table, which binary formats, insert settings and tokens come through.
 */
export class Inserts {
  readonly #engine: Engine;
  readonly #dir: string;
  readonly #columns = new Map<string, Columns>();

  constructor(engine: Engine, dir: string) {
    this.#engine = engine;
    this.#dir = dir;
  }

  /** To be called when a table may have changed. */
  forgetColumns(): void {
    this.#columns.clear();
  }

  /** @throws EngineError */
  async insert(insert: DataInsert, body: IncomingMessage, scope: QueryScope): Promise<EngineResult> {
    const encoding = String(body.headers['content-encoding'] ?? '').toLowerCase();
    const compression = COMPRESSIONS[encoding];
    if (compression === undefined) {
      throw new EngineError(
        NOT_IMPLEMENTED,
        `Code: 48. DB::Exception: Unknown HTTP content encoding. (NOT_IMPLEMENTED)`,
      );
    }
    const path = join(this.#dir, `insert-${randomBytes(8).toString('hex')}`);
    try {
      await pipeline(body, capped(), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      const columns = await this.#describe(insert.table, scope);
      const names = insert.columns ?? [...columns.keys()];
      const structure = names.map((name) => `${identifier(name)} ${columns.get(name) ?? 'String'}`).join(', ');
      const source = [path, insert.format, structure, compression].map(literal).join(', ');
      const list = names.map(identifier).join(', ');
      const head = insert.columns === undefined ? insert.head.replace(/\s*$/, '') : insert.head;
      return await this.#engine.query(`${head} SELECT ${list} FROM file(${source})`, 'Null', scope);
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Columns of a table that an insert may name, with their types. */
  async #describe(table: string, scope: QueryScope): Promise<ReadonlyMap<string, string>> {
    const key = `${scope.database}/${table}`;
    const known = this.#columns.get(key);
    if (known !== undefined && Date.now() - known.atMs < COLUMNS_AGE_MS) return known.structure;
    const bare = { ...scope, settings: {}, parameters: {} };
    const { bytes } = await this.#engine.query(`DESCRIBE TABLE ${table}`, 'JSONEachRow', bare);
    const structure = new Map<string, string>();
    for (const line of Buffer.from(bytes).toString('utf8').split('\n')) {
      if (line === '') continue;
      const column = JSON.parse(line) as { name: string; type: string; default_type: string };
      if (column.default_type !== 'ALIAS' && column.default_type !== 'MATERIALIZED') {
        structure.set(column.name, column.type);
      }
    }
    this.#columns.set(key, { structure, atMs: Date.now() });
    return structure;
  }
}

function capped(): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size <= BODY_BYTES_MAX) done(null, chunk);
      else
        done(
          new EngineError(
            TOO_LARGE,
            'Code: 241. DB::Exception: The request body is too large. (MEMORY_LIMIT_EXCEEDED)',
          ),
        );
    },
  });
}
