import { createRequire } from 'node:module';

interface ChdbResult {
  readonly elapsed: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
  bytes(): Uint8Array;
}

interface ChdbSession {
  queryAsync(sql: string, options: { format: string }): Promise<ChdbResult>;
  close(): void;
}

const { Session } = createRequire(import.meta.url)('chdb') as {
  Session: new (path: string, options: { connectionArgs: string[] }) => ChdbSession;
};

/** What ClickHouse answered. */
export interface EngineResult {
  readonly bytes: Uint8Array;
  readonly elapsedS: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
}

/** An error of ClickHouse's own, with its number. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export const TOO_MANY_QUERIES = 202;
const UNKNOWN_EXCEPTION = 1002;

/** Settings and parameters that hold for one query. */
export interface QueryScope {
  readonly database: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * The ClickHouse engine in this process. chDB runs one query at a time on a session, so several sessions on the same data
 * serve at once; what finds none free waits in a bounded queue.
 */
export class Engine {
  readonly #free: ChdbSession[] = [];
  readonly #all: ChdbSession[] = [];
  readonly #waiting: ((session: ChdbSession) => void)[] = [];
  readonly #waitingMax: number;

  /** @param options.configFile ClickHouse's own, for what no query can set */
  constructor(
    path: string,
    options: { readonly sessions: number; readonly waitingMax: number; readonly configFile: string },
  ) {
    const connectionArgs = [`--config-file=${options.configFile}`];
    for (let i = 0; i < options.sessions; i++) this.#all.push(new Session(path, { connectionArgs }));
    this.#free.push(...this.#all);
    this.#waitingMax = options.waitingMax;
  }

  /** @throws EngineError */
  async query(sql: string, format: string, scope: QueryScope): Promise<EngineResult> {
    const session = await this.#take();
    const settings = Object.entries(scope.settings);
    let changed = false;
    try {
      await send(session, `USE ${identifier(scope.database)}`, 'Null');
      const values = [
        ...settings.map(([name, value]) => `${identifier(name)} = ${literal(value)}`),
        ...Object.entries(scope.parameters).map(
          ([name, value]) => `${identifier(`param_${name}`)} = ${literal(value)}`,
        ),
      ];
      if (values.length > 0) {
        changed = settings.length > 0;
        await send(session, `SET ${values.join(', ')}`, 'Null');
      }
      return await send(session, sql, format);
    } finally {
      if (changed) {
        const names = settings.map(([name]) => `${identifier(name)} = DEFAULT`);
        await send(session, `SET ${names.join(', ')}`, 'Null').catch(() => undefined);
      }
      this.#give(session);
    }
  }

  /** Call when nothing runs any more. */
  close(): void {
    for (const session of this.#all) session.close();
  }

  #take(): Promise<ChdbSession> {
    const session = this.#free.pop();
    if (session !== undefined) return Promise.resolve(session);
    if (this.#waiting.length >= this.#waitingMax) {
      const text = `Code: ${TOO_MANY_QUERIES}. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)`;
      return Promise.reject(new EngineError(TOO_MANY_QUERIES, text));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(session: ChdbSession): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(session);
    else next(session);
  }
}

async function send(session: ChdbSession, sql: string, format: string): Promise<EngineResult> {
  try {
    const result = await session.queryAsync(sql, { format });
    return {
      bytes: result.bytes(),
      elapsedS: result.elapsed,
      rowsRead: result.rowsRead,
      bytesRead: result.bytesRead,
    };
  } catch (error) {
    const { clickhouseCode, message } = error as { clickhouseCode?: number; message?: string };
    throw new EngineError(clickhouseCode ?? UNKNOWN_EXCEPTION, message ?? 'the engine failed');
  }
}

/** A name between backquotes. */
export function identifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/** A string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
