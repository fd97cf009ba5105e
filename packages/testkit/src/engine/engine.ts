import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Session } from 'chdb';

/** A row as ClickHouse says it in JSON: 64-bit integers are strings, NaN and infinities too. */
export type EngineRow = Record<string, unknown>;

const READ_SETTINGS = 'SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1';

/**
 * The real ClickHouse engine, inside this process, on a data directory of its own that `close` removes. One at a time
 * in a process.
 */
export class Engine {
  readonly #session: Session;
  readonly #dir: string;
  #files = 0;

  private constructor(dir: string, session: Session) {
    this.#dir = dir;
    this.#session = session;
  }

  /** Loads the engine, which is large, only when it is asked for. */
  static async open(): Promise<Engine> {
    const chdb = await import('chdb');
    const dir = mkdtempSync(join(tmpdir(), 'weir-engine-'));
    return new Engine(dir, new chdb.Session(join(dir, 'data')));
  }

  /** Runs one statement. @throws Error with ClickHouse's message */
  execute(sql: string): void {
    this.#session.query(sql);
  }

  /** Rows of a SELECT that names neither FORMAT nor SETTINGS. */
  select<T = EngineRow>(sql: string): T[] {
    return this.#rows(`${sql} ${READ_SETTINGS}`);
  }

  /** Rows of one Native block, as ClickHouse itself reads them; `columns` is a select list. */
  readBlock(block: Uint8Array, columns = '*'): EngineRow[] {
    return this.select(`SELECT ${columns} FROM ${this.saveBlock(block)}`);
  }

  /** Names and types of the columns of one Native block, as ClickHouse infers them. */
  describeBlock(block: Uint8Array): { name: string; type: string }[] {
    const rows = this.#rows<{ name: string; type: string }>(`DESCRIBE TABLE ${this.saveBlock(block)}`);
    return rows.map(({ name, type }) => ({ name, type }));
  }

  /** Inserts one Native block, by column name; `token` is the deduplication token. */
  insertBlock(table: string, block: Uint8Array, token?: string): void {
    const settings = token === undefined ? '' : ` SETTINGS insert_deduplication_token = '${token}'`;
    this.execute(`INSERT INTO ${table} SELECT * FROM ${this.saveBlock(block)}${settings}`);
  }

  close(): void {
    this.#session.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #rows<T>(sql: string): T[] {
    const lines = this.#session.query(sql, 'JSONEachRow').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
  }

  /** Writes Native blocks to a file; returns what stands behind FROM to read them. */
  saveBlock(block: Uint8Array): string {
    const path = join(this.#dir, `block-${this.#files++}.native`);
    writeFileSync(path, block);
    return `file('${path}', Native)`;
  }

  /** Writes lines of JSONEachRow to a file; returns what stands behind FROM to read them as columns of these names and types. */
  saveLines(lines: string, structure: string): string {
    const path = join(this.#dir, `lines-${this.#files++}.jsonl`);
    writeFileSync(path, lines);
    return `file('${path}', JSONEachRow, '${structure.replaceAll("'", "\\'")}')`;
  }
}
