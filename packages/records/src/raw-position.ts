import { invariant } from '@weir/pipeline';
import type { Track } from './topics.ts';

/** Bits of the offset and of the partition; the number of the track has the ten above. */
const OFFSET_BITS = 42n;
const PARTITION_BITS = 12n;

/**
 * The raw record that a row comes from, as the column `RawPosition` has it: track, partition and offset in one number that
 * grows with the offset. 0, which no record has, stands where it is not known: in rows of before the column.
 */
export function rawPosition(track: Track, partition: number, offset: number): bigint {
  const fits = partition >> Number(PARTITION_BITS) === 0 && offset >= 0 && offset < 2 ** Number(OFFSET_BITS);
  invariant(fits, 'a raw position out of bounds');
  const source = (BigInt(track.slice(1)) << PARTITION_BITS) | BigInt(partition);
  return (source << OFFSET_BITS) | BigInt(offset);
}

/** What {@link rawPosition} was made of; undefined where the source is not known. */
export function readRawPosition(
  position: bigint,
): { readonly track: Track; readonly partition: number; readonly offset: number } | undefined {
  if (position === 0n) return undefined;
  const source = position >> OFFSET_BITS;
  return {
    track: `v${source >> PARTITION_BITS}`,
    partition: Number(source & ((1n << PARTITION_BITS) - 1n)),
    offset: Number(position & ((1n << OFFSET_BITS) - 1n)),
  };
}
