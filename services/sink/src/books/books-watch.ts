import type { ClickHouse } from '@weir/clickhouse';
import { createPeriodic } from '@weir/flow';
import { type Clock, type Component, SIGNALS, type SignalKind } from '@weir/pipeline';
import { signalOf, TABLES } from '@weir/records';

/** Items by which the books do not balance, of the day that is and the one before: each is at least so many. */
export interface BooksDifferences {
  /** Accepted, and neither stored nor dead-lettered; or the other way round. */
  readonly accepted: number;
  /** Booked as stored, and not in the tables. */
  readonly missing: number;
  /** In the tables, and not booked as stored. */
  readonly extra: number;
  /** Answered with success over 15 minutes ago, and not accepted. */
  readonly answered: number;
}

/** What is compared, and when. */
export interface BooksParts {
  readonly clickhouse: Pick<ClickHouse, 'query'>;
  readonly clock: Clock;
  readonly database: string;
  readonly everyMs: number;
  /** One sink of a track is enough: the one that this is true of. */
  readonly isMine: () => boolean;
  readonly onFault: (error: unknown) => void;
}

interface Booked {
  readonly day: string;
  readonly signal: SignalKind;
  readonly stored: string;
  readonly accepted: string;
  readonly answered: string;
}

interface Held {
  readonly day: string;
  readonly signal: SignalKind;
  readonly days: number;
  readonly held: string;
}

/** A batch goes into one table after another, in less than this part of the time between two looks. */
const SETTLES_IN = 0.2;
const MS_PER_DAY = 86_400_000;
const NS_PER_MS = 1_000_000n;
/** ClickHouse gives up first. */
const QUERY_S_MAX = 60;
const LATE_S = 15 * 60;

/** Compares the books with themselves and with the tables at even times; undefined where that is another sink's. */
export function createBooksWatch(
  parts: BooksParts,
  seen: (differences: BooksDifferences | undefined) => void,
): Component {
  const look = async (signal: AbortSignal) => seen(parts.isMine() ? await compareBooks(parts, signal) : undefined);
  return createPeriodic({ ...parts, name: 'books watch', look });
}

/**
 * Reads books and tables twice, with a pause in which what is half in gets in: what was booked before it and is not in the tables
 * after it is missing, what was in the tables before it and is not booked after it is too much. What comes in meanwhile can hide a
 * difference, and never makes one; of the day before nothing does.
 */
async function compareBooks(parts: BooksParts, signal: AbortSignal): Promise<BooksDifferences> {
  const todayMs = Number(parts.clock.wallNs() / NS_PER_MS);
  const [today, before] = [dayOf(todayMs), dayOf(todayMs - MS_PER_DAY)];
  const booked = await readBooks(parts, before, signal);
  const held = await countRows(parts, before, signal);
  await parts.clock.sleep(parts.everyMs * SETTLES_IN, signal);
  const bookedLater = await readBooks(parts, before, signal);
  const heldLater = await countRows(parts, before, signal);
  // Rows that are kept for a day are let go of at midnight, and the books do not say whose these are.
  const days = held.some((each) => each.days <= 1) ? [today] : [before, today];
  // Of each signal apart: what one lacks another that has too much does not make up for.
  const positive = (of: (day: string, kind: SignalKind) => number) =>
    sum(days.flatMap((day) => SIGNALS.map((kind) => Math.max(0, of(day, kind)))));
  const least = (one: readonly Booked[], other: readonly Booked[], of: 'accepted' | 'answered') =>
    sum([before, today].map((day) => Math.min(itemsOf(one, day, of), itemsOf(other, day, of))));
  return {
    accepted: least(booked, bookedLater, 'accepted'),
    missing: positive((day, kind) => itemsOf(booked, day, 'stored', kind) - rowsOf(heldLater, day, kind)),
    extra: positive((day, kind) => rowsOf(held, day, kind) - itemsOf(bookedLater, day, 'stored', kind)),
    answered: least(booked, bookedLater, 'answered'),
  };
}

function readBooks({ clickhouse, database }: BooksParts, from: string, signal: AbortSignal): Promise<Booked[]> {
  const items = (outcome: string, and = '') => `sumIf(Items, Outcome = '${outcome}'${and})`;
  return clickhouse.query<Booked>(
    `SELECT toString(d) AS day, Signal AS signal, toString(sum(s)) AS stored, toString(sum(abs(a - s - dead))) AS accepted,
       toString(sum(greatest(acked - a, 0))) AS answered
     FROM (SELECT toDate(Minute, 'UTC') AS d, Signal, ${items('accepted')} AS a, ${items('stored')} AS s,
         ${items('dead_lettered')} AS dead, ${items('acked', ` AND Minute < now() - ${LATE_S}`)} AS acked
       FROM {database: Identifier}.weir_usage WHERE Minute >= toDateTime({from: String}, 'UTC')
       GROUP BY TenantId, Signal, d)
     GROUP BY d, Signal SETTINGS max_execution_time = ${QUERY_S_MAX}, max_threads = 2`,
    { database, from: `${from} 00:00:00` },
    signal,
  );
}

/** By day and retention, which is what the tables are partitioned by: ClickHouse knows without reading a row. */
function countRows({ clickhouse, database }: BooksParts, from: string, signal: AbortSignal): Promise<Held[]> {
  const counts = TABLES.flatMap((table) => {
    const kind = signalOf(table);
    if (kind === undefined) return [];
    const count = `SELECT toString(ReceivedDay) AS day, RetentionDays AS days, toString(count()) AS held
       FROM {database: Identifier}.${table} WHERE ReceivedDay >= toDate({from: String}) GROUP BY ReceivedDay, RetentionDays`;
    return `SELECT '${kind}' AS signal, day, days, held FROM (${count})`;
  });
  const settings = `SETTINGS max_execution_time = ${QUERY_S_MAX}, max_threads = 2`;
  return clickhouse.query<Held>(
    `SELECT day, signal, days, held FROM (${counts.join(' UNION ALL ')}) ${settings}`,
    { database, from },
    signal,
  );
}

/** Of all signals where none is given. */
function itemsOf(
  booked: readonly Booked[],
  day: string,
  of: 'accepted' | 'answered' | 'stored',
  kind?: SignalKind,
): number {
  const own = booked.filter((each) => each.day === day && (kind === undefined || each.signal === kind));
  return sum(own.map((each) => Number(each[of])));
}

function rowsOf(held: readonly Held[], day: string, kind: SignalKind): number {
  return sum(held.filter((each) => each.day === day && each.signal === kind).map((each) => Number(each.held)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
