import { request } from 'undici';
import { ID_ATTRIBUTE, itemId, type LoadSignal, POINT_ID } from './payload.ts';
import type { Fate } from './run-load.ts';

/** Which items of a run have been accepted, refused, or neither, by producer. */
export class Journal {
  readonly #fates: Fate[] = [];

  add(fate: Fate): void {
    this.#fates.push(fate);
  }

  get fates(): readonly Fate[] {
    return this.#fates;
  }

  items(kind: Fate['sent']['kind']): number {
    return this.#fates.reduce((sum, fate) => sum + (fate.sent.kind === kind ? fate.items : 0), 0);
  }
}

/** What ClickHouse says of a run. */
export interface Verdict {
  readonly stored: number;
  readonly distinct: number;
  /** Accepted items that are not stored. */
  readonly lost: number;
  /** Items stored more than once. */
  readonly doubled: number;
  /** Rows whose id was never sent. */
  readonly alien: number;
  /** Items that are under another tenant than the one whose key they were sent with. */
  readonly misplaced: number;
  readonly examples: readonly string[];
}

/** Where the generator's items are stored. */
export interface Store {
  readonly url: string;
  readonly database: string;
}

/** When the items of a run were made: a check then reads no other rows than those of that time. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

interface SignalTable {
  readonly table: string;
  readonly attributes: string;
  readonly time: string;
  /** SQL of an item's id. */
  readonly id?: string;
}

const TABLES: Readonly<Record<LoadSignal, SignalTable>> = {
  traces: { table: 'otel_traces', attributes: 'SpanAttributes', time: 'Timestamp' },
  logs: { table: 'otel_logs', attributes: 'LogAttributes', time: 'Timestamp' },
  metrics: { table: 'otel_metrics_gauge', attributes: 'Attributes', time: 'TimeUnix', id: POINT_ID },
};

const POLL_MS = 250;
const EXAMPLES_MAX = 5;

/** Waits until all accepted items can be queried or `timeoutMs` have passed, and compares the journal with what is stored. */
export async function verify(store: Store, run: string, journal: Journal, timeoutMs: number): Promise<Verdict> {
  await untilStored(store, run, journal, timeoutMs);
  return compare(store, run, journal);
}

/** What is known of a run beforehand, so that asking for its items is cheap. */
export interface Known {
  readonly range?: TimeRange;
  /** Rows in the tables before the run began, of {@link countRows}. */
  readonly rowsBefore?: number;
}

/**
 * Waits until every accepted item can be queried, and returns when the question was asked that found them all (ms of
 * `performance.now()`); undefined when they were not there within `timeoutMs`.
 */
export async function untilStored(
  store: Store,
  run: string,
  journal: Journal,
  timeoutMs: number,
  { range, rowsBefore = 0 }: Known = {},
): Promise<number | undefined> {
  const accepted = journal.items('accepted');
  const all = accepted === journal.fates.reduce((sum, { items }) => sum + items, 0);
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const askedMs = performance.now();
    // Counting rows costs nothing; ids are only read once there are enough rows.
    const enough = (await countRows(store)) - rowsBefore >= accepted;
    if (enough && (await countDistinct(store, run, range)) >= accepted) {
      // Items that were not accepted may be stored too: then the ids tell.
      if (all || (await compare(store, run, journal, range)).lost === 0) return askedMs;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return undefined;
}

/** Compares the journal with what is stored now. */
export async function compare(store: Store, run: string, journal: Journal, range?: TimeRange): Promise<Verdict> {
  const stored = await readIds(store, run, range);
  let lost = 0;
  const examples: string[] = [];
  const sent = new Set<string>();
  let misplaced = 0;
  for (const { producer, tenant, first, items, sent: outcome } of journal.fates) {
    for (let number = first; number < first + items; number++) {
      const id = itemId(run, producer, number);
      sent.add(id);
      const found = stored.get(id);
      if (found !== undefined && (found.tenant === 'several' || (tenant !== '' && found.tenant !== tenant))) {
        misplaced++;
        if (examples.length < EXAMPLES_MAX) examples.push(`under ${found.tenant} instead of ${tenant}: ${id}`);
      }
      if (outcome.kind !== 'accepted' || found !== undefined) continue;
      lost++;
      if (examples.length < EXAMPLES_MAX) examples.push(`lost ${id}`);
    }
  }
  let doubled = 0;
  let alien = 0;
  let rows = 0;
  for (const [id, { count }] of stored) {
    rows += count;
    if (!sent.has(id)) alien++;
    if (count <= 1) continue;
    doubled++;
    if (examples.length < EXAMPLES_MAX) examples.push(`stored ${count} times ${id}`);
  }
  return { stored: rows, distinct: stored.size, lost, doubled, alien, misplaced, examples };
}

/** Rows in the tables that a load writes to, of whatever run. */
export async function countRows(store: Store): Promise<number> {
  let sum = 0;
  for (const { table } of Object.values(TABLES)) {
    sum += Number(await post(store, `SELECT count() FROM ${table} FORMAT TabSeparated`));
  }
  return sum;
}

/** Rows of each run, whatever their time. Reads every row of the tables. */
export async function countByRun(store: Store): Promise<Map<string, number>> {
  const runs = new Map<string, number>();
  for (const { table, attributes } of Object.values(TABLES)) {
    const run = `splitByChar('/', ${attributes}['${ID_ATTRIBUTE}'])[1]`;
    const sql = `SELECT ${run} AS run, count() FROM ${table} WHERE run != '' GROUP BY run FORMAT TabSeparated`;
    for (const [name = '', count] of await readTable(store, sql)) {
      runs.set(name, (runs.get(name) ?? 0) + Number(count));
    }
  }
  return runs;
}

/** Items of a run that can be queried. */
export async function countDistinct(store: Store, run: string, range?: TimeRange): Promise<number> {
  let sum = 0;
  for (const signal of Object.values(TABLES)) {
    const { id, where } = ofRun(signal, run, range);
    const sql = `SELECT uniqExact(${id}) FROM ${signal.table} WHERE ${where} FORMAT TabSeparated`;
    sum += Number(await post(store, sql));
  }
  return sum;
}

/** The id's expression, and the condition that a row is of the run. */
function ofRun({ attributes, time, id }: SignalTable, run: string, range?: TimeRange): { id: string; where: string } {
  const kept = `${attributes}['${ID_ATTRIBUTE}']`;
  const at = (ms: number) => `fromUnixTimestamp64Nano(${Math.floor(ms)}000000)`;
  const during = range === undefined ? [] : [`${time} BETWEEN ${at(range.fromMs)} AND ${at(range.toMs)}`];
  return { id: id ?? kept, where: [...during, `startsWith(${kept}, '${run}/')`].join(' AND ') };
}

interface StoredItem {
  count: number;
  /** Of all its rows; `several` where they are under more than one. */
  tenant: string;
}

async function readIds(store: Store, run: string, range?: TimeRange): Promise<Map<string, StoredItem>> {
  const found = new Map<string, StoredItem>();
  for (const signal of Object.values(TABLES)) {
    const { id, where } = ofRun(signal, run, range);
    const owner = "if(uniqExact(TenantId) = 1, any(TenantId), 'several')";
    const sql = `SELECT ${id} AS id, count(), ${owner} FROM ${signal.table} WHERE ${where} GROUP BY id FORMAT TabSeparated`;
    for (const [key = '', count, ownedBy = ''] of await readTable(store, sql)) {
      const before = found.get(key);
      const tenant = before === undefined || before.tenant === ownedBy ? ownedBy : 'several';
      found.set(key, { count: (before?.count ?? 0) + Number(count), tenant });
    }
  }
  return found;
}

/** Whether a span that was sent in the last minutes can be queried; cheap beside a load, it reads few granules. */
export async function isStored(store: Store, id: string): Promise<boolean> {
  const recent = 'Timestamp >= now64(9) - INTERVAL 5 MINUTE';
  const sql = `SELECT count() FROM otel_traces WHERE ${recent} AND has(mapValues(SpanAttributes), '${id}') FORMAT TabSeparated`;
  return Number(await post(store, sql)) > 0;
}

async function readTable(store: Store, sql: string): Promise<string[][]> {
  const text = await post(store, sql);
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t'));
}

async function post({ url, database }: Store, sql: string): Promise<string> {
  const { statusCode, body } = await request(`${url}/?database=${database}`, {
    method: 'POST',
    body: sql,
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`ClickHouse: ${text.slice(0, 300)}`);
  return text;
}
