import { appendUntilAcked, type Log, type NewRecord } from '@weir/delivery';
import type { DeadLetter } from '@weir/normalize';
import type { Clock } from '@weir/pipeline';
import { CONTROL_TOPICS, dlqKey, encodeDlqMeta } from '@weir/records';

const PARTITION = 0;
/** One append holds at most this much, or one letter alone. */
const BATCH_BYTES_MAX = 4 * 1024 ** 2;

/**
 * Puts letters into weir.dlq and resolves once Kafka has them; it waits as long as Kafka does not answer. Letters of the
 * same source carry the same key, so copies that a crash leaves behind can be told.
 */
export async function publishDeadLetters(
  log: Log,
  clock: Clock,
  source: { readonly topic: string; readonly partition: number },
  letters: readonly DeadLetter[],
  signal: AbortSignal,
): Promise<void> {
  let records: NewRecord[] = [];
  let bytes = 0;
  for (const letter of letters) {
    if (records.length > 0 && bytes + letter.value.length > BATCH_BYTES_MAX) {
      await appendUntilAcked(log, clock, CONTROL_TOPICS.dlq, PARTITION, records, signal);
      records = [];
      bytes = 0;
    }
    records.push(toRecord(clock, source, letter));
    bytes += letter.value.length;
  }
  if (records.length > 0) await appendUntilAcked(log, clock, CONTROL_TOPICS.dlq, PARTITION, records, signal);
}

function toRecord(clock: Clock, source: { topic: string; partition: number }, letter: DeadLetter): NewRecord {
  const { value, offset, index, ...rest } = letter;
  const meta = {
    ...rest,
    sourceTopic: source.topic,
    sourcePartition: source.partition,
    sourceOffset: offset,
    sourceIndex: index,
    firstSeenNs: clock.wallNs(),
  };
  return { key: Buffer.from(dlqKey(meta)), value, meta: encodeDlqMeta(meta) };
}
