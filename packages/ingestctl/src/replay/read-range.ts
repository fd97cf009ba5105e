import type { Log } from '@weir/delivery';
import { type RawEntry, readRawEntry } from '@weir/normalize';
import { DependencyError } from '@weir/pipeline';

const READ = { maxBytes: 4 * 1024 ** 2, maxWaitMs: 1_000 };
/** Reads in turn that may bring nothing, though there is something. */
const EMPTY_MAX = 20;

/**
 * The entries of a raw partition from one offset to another, both inclusive, page by page. It joins no group.
 * @throws DependencyError, `rejected` where the range is not retained any more
 */
export async function* readRange(
  log: Log,
  topic: string,
  partition: number,
  range: { readonly first: number; readonly last: number },
  signal: AbortSignal,
): AsyncGenerator<readonly RawEntry[]> {
  let empty = 0;
  for (let offset = range.first; offset <= range.last; ) {
    const page = await log.read(topic, partition, offset, READ, signal);
    const records = page.records.filter((record) => record.offset <= range.last);
    empty = page.nextOffset === offset ? empty + 1 : 0;
    if (empty > EMPTY_MAX)
      throw new DependencyError('kafka', 'timeout', `kafka: ${topic}/${partition} gives nothing`, { retryable: true });
    offset = page.nextOffset;
    if (records.length > 0) yield records.map(readRawEntry);
  }
}
