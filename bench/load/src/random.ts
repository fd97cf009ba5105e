import { createCipheriv, createHash, randomBytes } from 'node:crypto';

/** Gives `size` random bytes. */
export type RandomBytes = (size: number) => Buffer;

/** Random bytes that are the same for the same seed and stream: the key stream of a cipher. Without a seed, the machine's. */
export function createRandom(seed: string | undefined, stream: string): RandomBytes {
  if (seed === undefined) return randomBytes;
  const key = createHash('sha256').update(`${seed}/${stream}`).digest();
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16));
  return (size) => cipher.update(Buffer.alloc(size));
}
