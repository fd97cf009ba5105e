import { request } from 'undici';
import { ID_ATTRIBUTE, itemId, type LoadSignal } from './payload.ts';
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

const TABLES: Readonly<Record<LoadSignal, { readonly table: string; readonly attributes: string }>> = {
  traces: { table: 'otel_traces', attributes: 'SpanAttributes' },
  logs: { table: 'otel_logs', attributes: 'LogAttributes' },
  metrics: { table: 'otel_metrics_gauge', attributes: 'Attributes' },
};

const POLL_MS = 250;
const EXAMPLES_MAX = 5;

/** Compares the journal with what is stored, once the stored items stay the same or all accepted ones are there. */
export async function verify(
  clickhouse: { readonly url: string; readonly database: string },
  run: string,
  journal: Journal,
  timeoutMs: number,
): Promise<Verdict> {
  const accepted = journal.items('accepted');
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline && (await countDistinct(clickhouse, run)) < accepted) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const stored = await readIds(clickhouse, run);
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

/** Items of a run that can be queried. */
export async function countDistinct(clickhouse: { url: string; database: string }, run: string): Promise<number> {
  let sum = 0;
  for (const { table, attributes } of Object.values(TABLES)) {
    const id = `${attributes}['${ID_ATTRIBUTE}']`;
    const sql = `SELECT uniqExact(${id}) FROM ${table} WHERE startsWith(${id}, '${run}/') FORMAT TabSeparated`;
    sum += Number(await post(clickhouse, sql));
  }
  return sum;
}

interface StoredItem {
  count: number;
  /** Of all its rows; `several` where they are under more than one. */
  tenant: string;
}

async function readIds(clickhouse: { url: string; database: string }, run: string): Promise<Map<string, StoredItem>> {
  const found = new Map<string, StoredItem>();
  for (const { table, attributes } of Object.values(TABLES)) {
    const id = `${attributes}['${ID_ATTRIBUTE}']`;
    const owner = "if(uniqExact(TenantId) = 1, any(TenantId), 'several')";
    const sql = `SELECT ${id} AS id, count(), ${owner} FROM ${table} WHERE startsWith(id, '${run}/') GROUP BY id FORMAT TabSeparated`;
    for (const line of (await post(clickhouse, sql)).split('\n')) {
      if (line === '') continue;
      const [key = '', count, ownedBy = ''] = line.split('\t');
      const before = found.get(key);
      const tenant = before === undefined || before.tenant === ownedBy ? ownedBy : 'several';
      found.set(key, { count: (before?.count ?? 0) + Number(count), tenant });
    }
  }
  return found;
}

/** Whether a span that was sent in the last minutes can be queried; cheap beside a load, it reads few granules. */
export async function isStored(clickhouse: { url: string; database: string }, id: string): Promise<boolean> {
  const recent = 'Timestamp >= now64(9) - INTERVAL 5 MINUTE';
  const sql = `SELECT count() FROM otel_traces WHERE ${recent} AND has(mapValues(SpanAttributes), '${id}') FORMAT TabSeparated`;
  return Number(await post(clickhouse, sql)) > 0;
}

async function post(clickhouse: { url: string; database: string }, sql: string): Promise<string> {
  const { statusCode, body } = await request(`${clickhouse.url}/?database=${clickhouse.database}`, {
    method: 'POST',
    body: sql,
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`ClickHouse: ${text.slice(0, 300)}`);
  return text;
}
