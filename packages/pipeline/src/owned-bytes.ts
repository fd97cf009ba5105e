/** The same bytes with nothing beside them: a slice keeps alive all of what it is a slice of, and Node's own make many small buffers out of one. */
export function ownBytes(bytes: Buffer): Buffer {
  if (bytes.length === bytes.buffer.byteLength) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** Well above Node's pool, which many buffers share, and which cannot be given back. */
const FREE_BYTES_MIN = 128 * 1024;

/**
 * Gives the memory of bytes back at once. The collector would find it later, and is called the sooner the more memory buffers hold. For what
 * we made and nothing else needs: whoever still refers to it finds no bytes. What is small is left to the collector.
 */
export function freeBytes(bytes: Buffer): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= FREE_BYTES_MIN) buffer.transfer(0);
}
