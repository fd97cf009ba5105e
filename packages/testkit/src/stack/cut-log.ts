import { readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { stackPaths } from '@weir/local';

/** Of a batch: eight bytes of offset, four of the length of the rest. */
const HEAD_BYTES = 12;

/**
 * What a power failure does to a broker that has not written everything to its disk: a log ends before its last batches. The
 * broker of the stack in `dataDir` must not be running.
 *
 * @returns how many batches are gone: not the first, and of its newest segment alone
 */
export function cutLog(dataDir: string, topic: string, partition: number, batches: number): number {
  const dir = join(stackPaths(dataDir).kafkaData('kafka'), `${topic}-${partition}`);
  const segments = readdirSync(dir).filter((name) => name.endsWith('.log'));
  const file = join(dir, segments.toSorted().at(-1)!);
  const bytes = readFileSync(file);
  const starts: number[] = [];
  for (let at = 0; at + HEAD_BYTES < bytes.length; at += HEAD_BYTES + bytes.readInt32BE(at + 8)) starts.push(at);
  const cut = Math.min(batches, starts.length - 1);
  if (cut > 0) truncateSync(file, starts.at(-cut)!);
  return Math.max(0, cut);
}
