import { EdgeMarks, type Log } from '@weir/delivery';
import { remember } from '@weir/normalize';
import { decodeRowsMeta, type RowsMeta, trackTopics } from '@weir/records';
import { readRange } from './read-range.ts';

const PROBE = { maxBytes: 256 * 1024, maxWaitMs: 500 };
/** Pages that a probe reads until it finds a record with rows: fences and what cannot be read have none. */
const PROBE_PAGES_MAX = 10;
/** Where weir.rows says nothing, marks begin at most so many raw records before the window. */
const RECORDS_BEFORE_MAX = 100_000;

/**
 * What the live path remembers of each edge where it comes to a raw offset: what it would drop as repeated there is
 * dropped in a replay. Marks are a function of the raw log up to an offset, so those of any rows record that ends before it
 * are right, whoever wrote it; the raw records from there on carry them on.
 */
export async function marksBefore(
  log: Log,
  track: string,
  partition: number,
  offset: number,
  signal: AbortSignal,
): Promise<EdgeMarks> {
  const raw = trackTopics(track).raw;
  const found = await rowsBefore(log, track, partition, offset, signal);
  const marks = new EdgeMarks(found?.marks ?? []);
  const { start } = await log.bounds(raw, partition, signal);
  const from = found === undefined ? offset - RECORDS_BEFORE_MAX : found.rawLast + 1;
  for await (const entries of readRange(
    log,
    raw,
    partition,
    { first: Math.max(start, from), last: offset - 1 },
    signal,
  )) {
    remember(marks, entries);
  }
  return marks;
}

/** A rows record that ends before the raw offset, near it: found by halves, since rows follow the order of the raw log. */
async function rowsBefore(
  log: Log,
  track: string,
  partition: number,
  offset: number,
  signal: AbortSignal,
): Promise<RowsMeta | undefined> {
  const topic = trackTopics(track).rows;
  let { start: from, end: to } = await log.bounds(topic, partition, signal);
  let best: RowsMeta | undefined;
  while (from < to) {
    const middle = from + Math.floor((to - from) / 2);
    const probed = await probe(log, topic, partition, middle, to, signal);
    if (probed === undefined || probed.meta.rawLast >= offset) to = middle;
    else {
      if (best === undefined || probed.meta.rawLast > best.rawLast) best = probed.meta;
      from = probed.offset + 1;
    }
  }
  return best;
}

/** The first record with rows from an offset on. */
async function probe(
  log: Log,
  topic: string,
  partition: number,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<{ readonly offset: number; readonly meta: RowsMeta } | undefined> {
  let at = from;
  for (let page = 0; page < PROBE_PAGES_MAX && at < to; page++) {
    const { records, nextOffset } = await log.read(topic, partition, at, PROBE, signal);
    for (const { offset, meta, value } of records) {
      const decoded = decodeRowsMeta(meta, value?.length ?? 0);
      if (offset < to && decoded.ok && decoded.value.kind === 'rows') return { offset, meta: decoded.value };
    }
    at = nextOffset;
  }
  return undefined;
}
