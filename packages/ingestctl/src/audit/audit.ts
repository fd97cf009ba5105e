import { isDeepStrictEqual } from 'node:util';
import type { ClickHouse } from '@weir/clickhouse';
import { SIGNALS, systemClock } from '@weir/pipeline';
import { isTrack, trackTopics } from '@weir/records';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { countRows, readBooks, type Scope } from './booked.ts';
import { type BySignal, bySignal } from './by-signal.ts';
import { countInFlight } from './in-flight.ts';
import { type Differences, differencesOf, isZero, type Reading, unexplained } from './unexplained.ts';

export interface AuditOptions {
  readonly tenant: string;
  readonly from?: string;
  readonly to?: string;
  readonly tracks: string;
}

type Line = readonly [what: string, items: BySignal];

/** A reading with all that is shown of it. */
interface Look extends Reading {
  readonly unanswered: BySignal;
  readonly refused: BySignal;
  readonly refusedReasons: readonly Line[];
  readonly deadReasons: readonly Line[];
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MS_PER_DAY = 86_400_000;
const NS_PER_MS = 1_000_000n;
/** A batch goes into one table after another: while data comes in, some readings see it between two of them. */
const READINGS = 20;
const READING_PAUSE_MS = 250;
const MOVED =
  'items came in all the while: a difference is what they cannot explain, and they may hide one that is smaller than they are; for all of it, look again when they rest, or at days that are over (--to)';

/**
 * Prints the books of a tenant for whole days (UTC): what was received, what became of it, and what the tables really hold.
 * @returns 1 where a difference stays, however often the books are read, and what comes in meanwhile does not explain it
 */
export async function audit(context: Context, options: AuditOptions, signal: AbortSignal): Promise<number> {
  const today = new Date().toISOString().slice(0, 10);
  const from = day(options.from ?? options.to ?? today);
  const to = day(options.to ?? today);
  if (from > to) throw new UsageError('--from is after --to');
  const scope = { tenant: options.tenant, from, to, database: context.database };
  const clickhouse = context.clickhouse();
  const inFlight = await inFlightOf(context, options, scope);
  const looks: Look[] = [];
  while (looks.length < READINGS && !(looks.length > 0 && isZero(differencesOf(looks.at(-1)!)))) {
    if (looks.length > 0) await systemClock.sleep(READING_PAUSE_MS, signal);
    looks.push(await read(clickhouse, scope, await inFlight(signal), signal));
  }
  const last = looks.at(-1)!;
  const exact = differencesOf(last);
  const moved = !isZero(exact) && !isDeepStrictEqual(looks[0], last);
  const differences = moved ? unexplained(looks[0]!, last) : exact;
  const headings = ['items', ...SIGNALS];
  const cells = linesOf(last, differences).map(([what, items]) => [what, ...SIGNALS.map((kind) => items[kind])]);
  printRows(context.outside, context.options.json === true, headings, cells);
  if (moved) context.outside.err(`${MOVED}\n`);
  return isZero(differences) ? 0 : 1;
}

/** How to count what is on its way, over all the tracks. */
async function inFlightOf(
  context: Context,
  options: AuditOptions,
  { tenant, from, to }: Scope,
): Promise<(signal: AbortSignal) => Promise<BySignal>> {
  const tracks = options.tracks.split(',').filter(isTrack);
  if (tracks.length !== options.tracks.split(',').length) {
    throw new UsageError('--tracks must be v1, v2, … with commas between');
  }
  const log = context.kafkaLog();
  const states = await context.kafkaAdmin().describe(tracks.map((track) => trackTopics(track).raw));
  const fromNs = BigInt(Date.parse(from)) * NS_PER_MS;
  const toNs = BigInt(Date.parse(to) + MS_PER_DAY) * NS_PER_MS;
  return async (signal) => {
    const counts = tracks.map((track, at) =>
      countInFlight(log, track, states[at]?.partitions ?? 0, { tenant, fromNs, toNs }, signal),
    );
    const counted = await Promise.all(counts);
    return bySignal((kind) => counted.reduce((sum, items) => sum + items[kind], 0));
  };
}

/** One reading: what is on its way first, so that what arrives meanwhile is seen twice, and never not at all. */
async function read(clickhouse: ClickHouse, scope: Scope, inFlight: BySignal, signal: AbortSignal): Promise<Look> {
  const books = await readBooks(clickhouse, scope, signal);
  const rows = await countRows(clickhouse, scope, signal);
  const sumOf = (outcome: string) => {
    const reasons = [...(books.get(outcome)?.values() ?? [])];
    return bySignal((kind) => reasons.reduce((sum, items) => sum + items[kind], 0));
  };
  const reasonsOf = (outcome: string) => [...(books.get(outcome) ?? [])];
  return {
    inFlight,
    rows,
    accepted: sumOf('accepted'),
    stored: sumOf('stored'),
    dead: sumOf('dead_lettered'),
    acked: sumOf('acked'),
    unanswered: sumOf('unanswered'),
    refused: sumOf('refused'),
    refusedReasons: reasonsOf('refused'),
    deadReasons: reasonsOf('dead_lettered'),
  };
}

function linesOf(look: Look, differences: Differences): readonly Line[] {
  const accepted = bySignal((kind) => look.accepted[kind] + look.inFlight[kind]);
  const reasons = (label: string, of: Look['deadReasons']): Line[] =>
    of.map(([reason, items]) => [`${label}: ${reason}`, items]);
  return [
    ['received', bySignal((kind) => accepted[kind] + look.refused[kind])],
    ...reasons('refused', look.refusedReasons),
    ['accepted', accepted],
    ['stored', look.stored],
    ...reasons('dead-lettered', look.deadReasons),
    ['in flight', look.inFlight],
    ['rows in the tables', look.rows],
    ['answered with success', look.acked],
    ['accepted, but answered 503', look.unanswered],
    ['difference: accepted - stored - dead-lettered - in flight', differences.accepted],
    ['difference: stored - rows in the tables', differences.rows],
    ['difference: answered with success, not accepted', differences.answered],
  ];
}

function day(text: string): string {
  if (!DAY.test(text) || Number.isNaN(Date.parse(text)))
    throw new UsageError('--from and --to must be days: 2026-01-31');
  return text;
}
