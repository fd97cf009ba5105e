import { readRawPosition } from '@weir/records';
import { pause, type TestStack } from '@weir/testkit';
import {
  DURATION_TABLES,
  type DurationJournal,
  type DurationTable,
  METRIC_PREFIX,
  pointKey,
  type SentPoint,
} from './durations.ts';
import { BUG_DIVISOR, RIGHT_DIVISOR } from './unit-bug.ts';

/** A data point as it is stored. */
export interface StoredPoint {
  readonly tenant: string;
  readonly table: DurationTable;
  readonly timeNs: bigint;
  readonly unit: string;
  readonly original: string;
  readonly position: bigint;
  readonly values: readonly number[];
}

/** What is stored of a journal, told by what was sent and by nothing that Weir says of itself. */
export interface Judged {
  /** Accepted, and not stored. */
  readonly missing: number;
  readonly doubled: number;
  /** Stored, and never sent. */
  readonly alien: number;
  /** Neither right nor wrong as the bug makes it. */
  readonly odd: readonly string[];
  readonly right: readonly StoredPoint[];
  readonly wrong: readonly StoredPoint[];
}

const ODD_MAX = 5;
const STORED_MS_MAX = 60_000;
const POLL_MS = 500;

async function readDurations(stack: TestStack): Promise<readonly StoredPoint[]> {
  const points: StoredPoint[] = [];
  for (const [table, values] of Object.entries(DURATION_TABLES) as [DurationTable, string][]) {
    const rows = await stack.query<{
      tenant: string;
      time: string;
      unit: string;
      original: string;
      position: string;
      values: number[];
    }>(
      `SELECT TenantId AS tenant, toString(toUnixTimestamp64Nano(TimeUnix)) AS time, MetricUnit AS unit, Attributes['weir.unit.original'] AS original, toString(RawPosition) AS position, ${values} AS values FROM ${table} WHERE startsWith(MetricName, '${METRIC_PREFIX}')`,
    );
    for (const { time, position, ...row } of rows) {
      points.push({ ...row, table, timeNs: BigInt(time), position: BigInt(position) });
    }
  }
  return points;
}

/** Waits until all that was accepted before a time can be queried, or a minute has passed, and judges it. */
export async function judgeStored(stack: TestStack, journal: DurationJournal, beforeNs?: bigint): Promise<Judged> {
  for (const deadline = Date.now() + STORED_MS_MAX; ; await pause(POLL_MS)) {
    const judged = judge(journal, await readDurations(stack), beforeNs);
    if (judged.missing === 0 || Date.now() > deadline) return judged;
  }
}

/** Holds what is stored against what was sent before a time; what was sent later may be on its way. */
export function judge(journal: DurationJournal, stored: readonly StoredPoint[], beforeNs: bigint = 2n ** 63n): Judged {
  const counts = new Map<string, number>();
  const right: StoredPoint[] = [];
  const wrong: StoredPoint[] = [];
  const odd: string[] = [];
  let alien = 0;
  for (const point of stored) {
    if (point.timeNs >= beforeNs) continue;
    const key = pointKey(point);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const sent = journal.points.get(key);
    if (sent === undefined) alien++;
    else if (isBy(sent, point, RIGHT_DIVISOR)) right.push(point);
    else if (isBy(sent, point, BUG_DIVISOR)) wrong.push(point);
    else if (odd.length < ODD_MAX) odd.push(`${key}: ${point.values.join(', ')} ${point.unit}`);
  }
  let missing = 0;
  for (const [key, { timeNs }] of journal.points) if (timeNs < beforeNs && !counts.has(key)) missing++;
  return { missing, doubled: [...counts.values()].filter((count) => count > 1).length, alien, odd, right, wrong };
}

function isBy(sent: SentPoint, { unit, original, values }: StoredPoint, divisor: number): boolean {
  const { valuesMs } = sent;
  if (unit !== 's' || original !== 'ms' || values.length !== valuesMs.length) return false;
  return values.every((value, at) => value === valuesMs[at]! / divisor);
}

/** How many points there are of each table and tenant, in the order of their names. */
export function countByTable(points: readonly StoredPoint[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { table, tenant } of points) counts[`${table} ${tenant}`] = (counts[`${table} ${tenant}`] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Raw records that are wrong out of turn: a release has the bug from one record of a partition on, so in each partition of track
 * v1 no record behind the first wrong one may be right, and none of another track may be wrong.
 */
export function outOfTurn({ right, wrong }: Pick<Judged, 'right' | 'wrong'>): readonly string[] {
  const firstWrong = new Map<number, number>();
  const faults: string[] = [];
  for (const { position } of wrong) {
    const source = readRawPosition(position);
    if (source?.track !== 'v1') faults.push(`wrong in track ${source?.track}`);
    else firstWrong.set(source.partition, Math.min(firstWrong.get(source.partition) ?? source.offset, source.offset));
  }
  for (const { position } of right) {
    const source = readRawPosition(position);
    if (source?.track !== 'v1') continue;
    const first = firstWrong.get(source.partition);
    if (first !== undefined && source.offset >= first) {
      faults.push(`right at offset ${source.offset} of partition ${source.partition}, wrong from ${first} on`);
    }
  }
  return faults;
}
