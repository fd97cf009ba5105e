import type { Log } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import { CONTROL_TOPICS, type DlqMeta, decodeDlqMeta, dlqKey, isTrack, type Track } from '@weir/records';

/** A letter of weir.dlq. */
export interface Letter {
  readonly offset: number;
  /** The same for every copy that a crash left behind. */
  readonly key: string;
  readonly meta: DlqMeta;
  readonly value: Buffer;
}

export const DLQ_PARTITION = 0;
const READ = { maxBytes: 8 * 1024 ** 2, maxWaitMs: 500 };
/** Reads in turn that may bring nothing. */
const EMPTY_MAX = 20;
/** Keys that are remembered to tell copies: more letters than weir.dlq has room for, as each takes some 500 bytes. */
const LETTERS_MAX = 2_000_000;
const SOURCE = /^weir\.(?:raw|rows)\.(.+)$/;
const NOTHING = Buffer.alloc(0);

/** How a letter is named on the command line. */
export function letterId({ offset }: Letter): string {
  return `${DLQ_PARTITION}:${offset}`;
}

/** The track that a letter came from; undefined where its source is no topic of one. */
export function sourceTrack({ meta }: Letter): Track | undefined {
  const track = SOURCE.exec(meta.sourceTopic)?.[1];
  return track !== undefined && isTrack(track) ? track : undefined;
}

/**
 * All letters up to an offset (left out: all that are there now), the oldest first. Of copies with one key only the first is
 * given.
 *
 * @param onUnreadable called with the offset of each record that is no letter
 */
export async function* readLetters(
  log: Log,
  signal: AbortSignal,
  until?: number,
  onUnreadable: (offset: number) => void = () => undefined,
): AsyncGenerator<Letter> {
  const { start, end } = await log.bounds(CONTROL_TOPICS.dlq, DLQ_PARTITION, signal);
  const seen = new Set<string>();
  let empty = 0;
  for (let offset = start; offset < Math.min(end, until ?? end); ) {
    const page = await log.read(CONTROL_TOPICS.dlq, DLQ_PARTITION, offset, READ, signal);
    for (const { offset: at, meta: header, value } of page.records) {
      if (at >= (until ?? end)) return;
      const decoded = decodeDlqMeta(header);
      if (!decoded.ok) {
        onUnreadable(at);
        continue;
      }
      const key = dlqKey(decoded.value);
      if (seen.has(key)) continue;
      if (seen.size === LETTERS_MAX) throw new Error(`weir.dlq has more than ${LETTERS_MAX} letters`);
      seen.add(key);
      yield { offset: at, key, meta: decoded.value, value: value ?? NOTHING };
    }
    empty = page.nextOffset === offset ? empty + 1 : 0;
    if (empty > EMPTY_MAX) {
      throw new DependencyError('kafka', 'timeout', 'weir.dlq cannot be read to its end', { retryable: true });
    }
    offset = page.nextOffset;
  }
}

/** One past the newest letter. */
export async function dlqEnd(log: Log, signal: AbortSignal): Promise<number> {
  return (await log.bounds(CONTROL_TOPICS.dlq, DLQ_PARTITION, signal)).end;
}
