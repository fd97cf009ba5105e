import { EdgeMarks, type Log, ProgressLog, sinkStart } from '@weir/delivery';
import { decodeNote, decodeRawMeta, type Track, trackTopics } from '@weir/records';
import { type BySignal, zeros } from './by-signal.ts';

/** What is looked for: a tenant's items that were received from one time to another, ns since the epoch. */
export interface Wanted {
  readonly tenant: string;
  readonly fromNs: bigint;
  /** Exclusive. */
  readonly toNs: bigint;
}

const READ = { maxBytes: 8 * 1024 ** 2, maxWaitMs: 200 };

/**
 * Items of a tenant that are in the raw log and that no sink has told to be in ClickHouse. It joins no group and commits
 * nothing.
 */
export async function countInFlight(
  log: Log,
  track: Track,
  partitions: number,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<BySignal> {
  const items = zeros();
  const topics = trackTopics(track);
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const positions = await new ProgressLog(log, topics.rows).read(all, signal);
  const each = all.map(async (partition) => {
    const { start, end } = await log.bounds(topics.raw, partition, signal);
    const stored = sinkStart(positions.get(partition) ?? null, 0).state.rawLast;
    const marks = new EdgeMarks();
    for (let offset = Math.max(start, stored + 1); offset < end; ) {
      const page = await log.read(topics.raw, partition, offset, READ, signal);
      for (const { meta: header, value, timestampMs } of page.records) {
        const note = decodeNote(header, value);
        if (note.ok) marks.takes(note.value.edge, note.value.seq, timestampMs);
        const decoded = decodeRawMeta(header);
        if (!decoded.ok) continue;
        const { tenant, signal: kind, items: count, edge, seq, receivedAtNs } = decoded.value;
        if (!marks.takes(edge, seq, timestampMs)) continue;
        const isWanted = tenant === wanted.tenant && receivedAtNs >= wanted.fromNs && receivedAtNs < wanted.toNs;
        if (isWanted) items[kind] += count;
      }
      if (page.nextOffset === offset) break;
      offset = page.nextOffset;
    }
  });
  await Promise.all(each);
  return items;
}
