import type { ClickHouse } from '@weir/clickhouse';
import type { Clock, Component } from '@weir/pipeline';
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
  readonly stored: string;
  readonly accepted: string;
  readonly answered: string;
}

interface Held {
  readonly day: string;
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
  const { clock, everyMs, isMine, onFault } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        seen(isMine() ? await compareBooks(parts, signal) : undefined);
      } catch (error) {
        if (!signal.aborted) onFault(error);
      }
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
  };
  return {
    name: 'books watch',
    start: async () => {
      running = run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
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
  const least = (one: readonly Booked[], other: readonly Booked[], of: 'accepted' | 'answered') =>
    sum([before, today].map((day) => Math.min(itemsOf(one, day, of), itemsOf(other, day, of))));
  return {
    accepted: least(booked, bookedLater, 'accepted'),
    missing: sum(days.map((day) => Math.max(0, itemsOf(booked, day, 'stored') - rowsOf(heldLater, day)))),
    extra: sum(days.map((day) => Math.max(0, rowsOf(held, day) - itemsOf(bookedLater, day, 'stored')))),
    answered: least(booked, bookedLater, 'answered'),
  };
}

function readBooks({ clickhouse, database }: BooksParts, from: string, signal: AbortSignal): Promise<Booked[]> {
  const items = (outcome: string, and = '') => `sumIf(Items, Outcome = '${outcome}'${and})`;
  return clickhouse.query<Booked>(
    `SELECT toString(d) AS day, toString(sum(s)) AS stored, toString(sum(abs(a - s - dead))) AS accepted,
       toString(sum(greatest(acked - a, 0))) AS answered
     FROM (SELECT toDate(Minute, 'UTC') AS d, ${items('accepted')} AS a, ${items('stored')} AS s,
         ${items('dead_lettered')} AS dead, ${items('acked', ` AND Minute < now() - ${LATE_S}`)} AS acked
       FROM {database: Identifier}.weir_usage WHERE Minute >= toDateTime({from: String}, 'UTC')
       GROUP BY TenantId, Signal, d)
     GROUP BY d SETTINGS max_execution_time = ${QUERY_S_MAX}, max_threads = 2`,
    { database, from: `${from} 00:00:00` },
    signal,
  );
}

/** By day and retention, which is what the tables are partitioned by: ClickHouse knows without reading a row. */
function countRows({ clickhouse, database }: BooksParts, from: string, signal: AbortSignal): Promise<Held[]> {
  const counts = TABLES.filter((table) => signalOf(table) !== undefined).map(
    (table) =>
      `SELECT toString(ReceivedDay) AS day, RetentionDays AS days, toString(count()) AS held
       FROM {database: Identifier}.${table} WHERE ReceivedDay >= toDate({from: String}) GROUP BY ReceivedDay, RetentionDays`,
  );
  const settings = `SETTINGS max_execution_time = ${QUERY_S_MAX}, max_threads = 2`;
  return clickhouse.query<Held>(
    `SELECT day, days, held FROM (${counts.join(' UNION ALL ')}) ${settings}`,
    { database, from },
    signal,
  );
}

function itemsOf(booked: readonly Booked[], day: string, of: 'accepted' | 'answered' | 'stored'): number {
  return Number(booked.find((each) => each.day === day)?.[of] ?? 0);
}

function rowsOf(held: readonly Held[], day: string): number {
  return sum(held.filter((each) => each.day === day).map((each) => Number(each.held)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
