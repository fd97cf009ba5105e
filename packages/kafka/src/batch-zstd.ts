import { zstdDecompressSync } from 'node:zlib';
import { zstdFrame } from '@weir/pipeline';
import { installCodec, ZSTD } from './internals.ts';

/** Plain values of an append together below which compressing costs more than sending them. */
const PLAIN_BYTES_MIN = 1_024;
/**
 * A batch that shrinks further goes as it is. A reader asks for bytes as they are stored, and holds what they become:
 * this is the most that a client, by what it sends, can make of them.
 */
const SHRINKS_MAX = 16;
/** What one batch may become. Ours are at most 12 MiB; those that a tool of the operator writes may be others. */
const BATCH_BYTES_MAX = 64 * 1024 ** 2;
/** How fast what is known of the ratio follows what is read. */
const WEIGHT = 0.25;

let expansion = 1;
let opened = 0;

/** By how much what this process has read last grew when it was opened, on average. */
export function batchExpansion(): number {
  return expansion;
}

/** How many batches this process has opened. */
export function openedBatches(): number {
  return opened;
}

/** Takes note of a page that held no compressed batch. */
export function sawPlainPage(): void {
  expansion += WEIGHT * (1 - expansion);
}

/** Compresses the records of a batch; null where they go as they are. */
export function compressBatch(plain: Buffer): Buffer | null {
  const compressed = zstdFrame(plain);
  return compressed.length * SHRINKS_MAX >= plain.length && compressed.length < plain.length ? compressed : null;
}

/** @throws where it is not zstd, or holds more than a batch may */
export function decompressBatch(compressed: Buffer): Buffer {
  const plain = zstdDecompressSync(compressed, { maxOutputLength: BATCH_BYTES_MAX });
  opened++;
  expansion += WEIGHT * (plain.length / compressed.length - expansion);
  return plain;
}

/**
 * Kafka's number of the compression of an append, whose values are `bytes` long, `plainBytes` of it not compressed yet. Many small values are
 * compressed together in a tenth of the time that they take one by one, and to half the size.
 */
export function batchCompression(plainBytes: number, bytes: number): number {
  return plainBytes >= PLAIN_BYTES_MIN && 2 * plainBytes >= bytes ? ZSTD : 0;
}

installCodec(ZSTD, {
  compress: async ({ buffer }) => compressBatch(buffer),
  decompress: async (buffer) => decompressBatch(buffer),
});
