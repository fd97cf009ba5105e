import type { ClickHouse } from '@weir/clickhouse';
import { SIGNALS, systemClock } from '@weir/pipeline';
import { isTrack, trackTopics } from '@weir/records';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { countRows, readBooks, type Scope } from './booked.ts';
import { type BySignal, bySignal, isZero } from './by-signal.ts';
import { countInFlight } from './in-flight.ts';

export interface AuditOptions {
  readonly tenant: string;
  readonly from?: string;
  readonly to?: string;
  readonly tracks: string;
}

type Line = readonly [what: string, items: BySignal];

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MS_PER_DAY = 86_400_000;
const NS_PER_MS = 1_000_000n;
/** A batch goes into one table after another: while data comes in, some readings see it between two of them. */
const READINGS = 20;
const READING_PAUSE_MS = 250;

/**
 * Prints the books of a tenant for whole days (UTC): what was received, what became of it, and what the tables really hold.
 * @returns 1 where a difference stays, however often the books are read
 */
export async function audit(context: Context, options: AuditOptions, signal: AbortSignal): Promise<number> {
  const today = new Date().toISOString().slice(0, 10);
  const from = day(options.from ?? options.to ?? today);
  const to = day(options.to ?? today);
  if (from > to) throw new UsageError('--from is after --to');
  const scope = { tenant: options.tenant, from, to, database: context.database };
  const clickhouse = context.clickhouse();
  const inFlight = await inFlightOf(context, options, scope);
  let lines: readonly Line[] = [];
  for (let reading = 0; reading < READINGS; reading++) {
    if (reading > 0) await systemClock.sleep(READING_PAUSE_MS, signal);
    lines = await read(clickhouse, scope, await inFlight(signal), signal);
    if (isBalanced(lines)) break;
  }
  const headings = ['items', ...SIGNALS];
  const cells = lines.map(([what, items]) => [what, ...SIGNALS.map((kind) => items[kind])]);
  printRows(context.outside, context.options.json === true, headings, cells);
  return isBalanced(lines) ? 0 : 1;
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
async function read(
  clickhouse: ClickHouse,
  scope: Scope,
  inFlight: BySignal,
  signal: AbortSignal,
): Promise<readonly Line[]> {
  const books = await readBooks(clickhouse, scope, signal);
  const rows = await countRows(clickhouse, scope, signal);
  const sumOf = (outcome: string) => {
    const reasons = [...(books.get(outcome)?.values() ?? [])];
    return bySignal((kind) => reasons.reduce((sum, items) => sum + items[kind], 0));
  };
  const lines = (outcome: string, label: string): Line[] =>
    [...(books.get(outcome) ?? [])].map(([reason, items]) => [`${label}: ${reason}`, items]);
  const [booked, refused, stored, dead, acked] = [
    sumOf('accepted'),
    sumOf('refused'),
    sumOf('stored'),
    sumOf('dead_lettered'),
    sumOf('acked'),
  ];
  const accepted = bySignal((kind) => booked[kind] + inFlight[kind]);
  return [
    ['received', bySignal((kind) => accepted[kind] + refused[kind])],
    ...lines('refused', 'refused'),
    ['accepted', accepted],
    ['stored', stored],
    ...lines('dead_lettered', 'dead-lettered'),
    ['in flight', inFlight],
    ['rows in the tables', rows],
    ['answered with success', acked],
    ['accepted, but answered 503', sumOf('unanswered')],
    [
      'difference: accepted - stored - dead-lettered - in flight',
      bySignal((kind) => booked[kind] - stored[kind] - dead[kind]),
    ],
    ['difference: stored - rows in the tables', bySignal((kind) => stored[kind] - rows[kind])],
    ['difference: answered with success, not accepted', bySignal((kind) => Math.max(0, acked[kind] - accepted[kind]))],
  ];
}

function isBalanced(lines: readonly Line[]): boolean {
  return lines.every(([what, items]) => !what.startsWith('difference') || isZero(items));
}

function day(text: string): string {
  if (!DAY.test(text) || Number.isNaN(Date.parse(text)))
    throw new UsageError('--from and --to must be days: 2026-01-31');
  return text;
}
