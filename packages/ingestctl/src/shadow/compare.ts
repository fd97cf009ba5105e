import { type ClickHouse, catchUp } from '@weir/clickhouse';
import { ProgressLog, sinkStart } from '@weir/delivery';
import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { readRawPosition, signalOf, type TableName, trackTopics } from '@weir/records';
import { type Context, UsageError } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { printable, printRows } from '../output.ts';
import { patientClickHouse } from '../patient-clickhouse.ts';
import { Refused } from '../refused.ts';
import { ReplayJournal, type ReplayState } from '../replay/journal.ts';
import { type ReplayPlan, shadowTable } from '../replay/plan.ts';
import { type Chunk, chunksOf, Difference } from './difference.ts';
import { type Example, pairRows } from './pair-rows.ts';

/** Rows of one table and tenant that differ. */
export interface Counted {
  readonly table: TableName;
  readonly tenant: string;
  different: number;
  onlyLive: number;
  onlyShadow: number;
  /** Live rows that a promotion replaces, and rows that it inserts. */
  replaceable: number;
  fillable: number;
}

/** A difference, and where it is. */
export interface Compared {
  readonly counted: readonly Counted[];
  /** Where there is any, by signal. */
  readonly chunks: ReadonlyMap<SignalKind, readonly Chunk[]>;
}

const COUNTS = ['different', 'onlyLive', 'onlyShadow', 'replaceable', 'fillable'] as const;
const ROWS_OF_RECORD_MAX = 20;
const EXAMPLES_MAX = 100;
/** Of all tables and tenants together: each raw record is a question to ClickHouse. */
const EXAMPLE_RECORDS_MAX = 500;

interface Found {
  readonly examples: readonly Example[];
  /** Whether there were more raw records than are looked at. */
  readonly isCut: boolean;
}

/** Prints by table and tenant what is only in live, only in the shadow, or different. Status 1 where anything is. */
export async function compare(context: Context, id: string, options: { readonly examples: string }): Promise<number> {
  const most = examplesOf(options.examples);
  const signal = longSignal(context);
  const clickhouse = patientClickHouse(context);
  const state = await ready(context, clickhouse, id, signal);
  const compared = await countDifference(context, clickhouse, state, signal);
  const found: Found =
    most === 0
      ? { examples: [], isCut: false }
      : await findExamples(context, clickhouse, state, compared, most, signal);
  const isEqual = compared.counted.length === 0;
  if (context.options.json === true) {
    const differences = compared.counted.map(({ replaceable: _r, fillable: _f, ...counted }) => counted);
    const { examples, isCut } = found;
    const cut = isCut ? { examplesCut: true } : {};
    context.outside.out(`${JSON.stringify({ id, equal: isEqual, differences, examples, ...cut }, null, 2)}\n`);
  } else print(context, state, compared, found);
  return isEqual ? 0 : 1;
}

function examplesOf(text: string): number {
  const most = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (most <= EXAMPLES_MAX) return most;
  throw new UsageError(`--examples must be a whole number from 0 to ${EXAMPLES_MAX}`);
}

/**
 * The replay, if it can be compared.
 * @throws Refused while it is not complete, or the live path is not through with the window, or rows do not say their place
 */
export async function ready(
  context: Context,
  clickhouse: ClickHouse,
  id: string,
  signal: AbortSignal,
): Promise<ReplayState> {
  const state = await new ReplayJournal(clickhouse, context.database).read(id, signal);
  const { plan, isDone } = state;
  if (!isDone) throw new Refused(`the replay is not complete: ingestctl replay resume ${id}`);
  const log = context.kafkaLog();
  const partitions = plan.partitions.map(({ partition }) => partition);
  const positions = await new ProgressLog(log, trackTopics(plan.track).rows).read(partitions, signal);
  for (const { partition, last } of plan.partitions) {
    const stored = sinkStart(positions.get(partition) ?? null, 0).state.rawLast;
    if (stored >= last) continue;
    throw new Refused(
      `partition ${partition}: the live path has told no more than that it stored offset ${stored}, and the window ends at ${last}: what is on its way would look missing`,
    );
  }
  for (const table of plan.tables) {
    const sql = new Difference(targetOf(context), plan, signalOf(table)!).unplaced(table);
    const [row] = await clickhouse.query<{ n: string }>(sql, {}, signal);
    if (Number(row?.n) === 0) continue;
    throw new Refused(
      `${row?.n} rows of ${table}, of the window's days, are from before the column RawPosition: it cannot be told which are of the window`,
    );
  }
  return state;
}

export function targetOf(context: Context) {
  return { database: context.database, cluster: context.cluster };
}

/** The signals whose tables a replay has. */
export function signalsOf({ tables }: ReplayPlan): readonly SignalKind[] {
  return SIGNALS.filter((signal) => tables.some((table) => signalOf(table) === signal));
}

/**
 * Counts what differs, signal by signal, once all replicas have what any of them has.
 * @param run whose `left` places are left out; left out itself: none is
 */
export async function countDifference(
  context: Context,
  clickhouse: ClickHouse,
  { plan, batches }: ReplayState,
  signal: AbortSignal,
  run?: string,
): Promise<Compared> {
  const counted = new Map<string, Counted>();
  const chunks = new Map<SignalKind, Chunk[]>();
  const target = targetOf(context);
  await catchUp(
    clickhouse,
    target,
    [...plan.tables, ...plan.tables.map((table) => shadowTable(plan.id, table))],
    signal,
  );
  for (const kind of signalsOf(plan)) {
    const difference = new Difference(target, plan, kind, run);
    for (const chunk of chunksOf(batches)) {
      const rows = await clickhouse.query<CountRow>(difference.counts(chunk), {}, signal);
      if (rows.length > 0) chunks.set(kind, [...(chunks.get(kind) ?? []), chunk]);
      for (const row of rows) add(counted, row);
    }
  }
  return { counted: [...counted.values()], chunks };
}

type CountRow = Readonly<Record<(typeof COUNTS)[number] | 'tenant', string>> & { readonly table: TableName };

function add(counted: Map<string, Counted>, row: CountRow): void {
  const { table, tenant } = row;
  const key = `${table} ${tenant}`;
  const zero = { different: 0, onlyLive: 0, onlyShadow: 0, replaceable: 0, fillable: 0 };
  const sums = counted.get(key) ?? { table, tenant, ...zero };
  counted.set(key, sums);
  for (const name of COUNTS) sums[name] += Number(row[name]);
}

async function findExamples(
  context: Context,
  clickhouse: ClickHouse,
  { plan }: ReplayState,
  { counted, chunks }: Compared,
  most: number,
  signal: AbortSignal,
): Promise<Found> {
  const examples: Example[] = [];
  let looked = 0;
  for (const table of new Set(counted.map(({ table }) => table))) {
    const kind = signalOf(table)!;
    const difference = new Difference(targetOf(context), plan, kind);
    const left = new Map<string, number>();
    for (const chunk of chunks.get(kind) ?? []) {
      const records = await clickhouse.query<{ tenant: string; position: string }>(
        difference.records(table, chunk, most),
        {},
        signal,
      );
      for (const { tenant, position } of records) {
        const wanted = left.get(tenant) ?? most;
        if (wanted === 0) continue;
        if (looked++ === EXAMPLE_RECORDS_MAX) return { examples, isCut: true };
        const { partition, offset } = readRawPosition(BigInt(position))!;
        const sql = difference.rows(table, { partition, first: offset, last: offset }, position, ROWS_OF_RECORD_MAX);
        const rows = await clickhouse.query<Record<string, unknown> & { live: number }>(sql, {}, signal);
        const found = pairRows(rows).slice(0, wanted);
        left.set(tenant, wanted - found.length);
        examples.push(...found.map((pair) => ({ table, tenant, partition, offset, ...pair })));
      }
    }
  }
  return { examples, isCut: false };
}

function print(context: Context, { plan }: ReplayState, compared: Compared, { examples, isCut }: Found): void {
  const { outside } = context;
  if (compared.counted.length === 0) {
    outside.out(`no difference in ${plan.tables.join(', ')}\n`);
    return;
  }
  printDifference(context, compared);
  for (const { table, tenant, partition, offset, kind, columns } of examples) {
    const where = `${table} ${tenant} (partition ${partition}, offset ${offset})`;
    outside.out(printable(`${where}: ${kind}`));
    outside.out('\n');
    for (const [name, { live, shadow }] of Object.entries(columns)) {
      outside.out(`    ${printable(`${name}: ${shown(live)} in live, ${shown(shadow)} in the shadow`)}\n`);
    }
  }
  if (isCut) outside.out(`examples are of the first ${EXAMPLE_RECORDS_MAX} raw records that differ\n`);
}

export function printDifference({ outside }: Context, { counted }: Compared): void {
  const rows = counted.map(({ table, tenant, different, onlyLive, onlyShadow }) => [
    table,
    tenant,
    different,
    onlyLive,
    onlyShadow,
  ]);
  printRows(outside, false, ['table', 'tenant', 'different', 'only in live', 'only in the shadow'], rows);
}

const SHOWN_MAX = 120;

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
