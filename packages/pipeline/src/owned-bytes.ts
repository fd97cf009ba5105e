/** The same bytes with nothing beside them: a slice keeps alive all of what it is a slice of, and Node's own make many small buffers out of one. */
export function ownBytes(bytes: Buffer): Buffer {
  if (isAlone(bytes)) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** What is smaller is not worth it. */
const FREE_BYTES_MIN = 4 * 1024;
/** Memory of which bytes are a part: above Node's pool of 64 KiB, which many buffers share. */
const FREE_BYTES_MIN_OF_PART = 80 * 1024;

/**
 * Gives the memory of bytes back at once. The collector would find it later, and is called the sooner the more memory buffers hold. For what
 * nobody else needs: whoever still refers to it finds no bytes. What is small, or cannot be detached, is left to the collector.
 */
export function freeBytes(bytes: Buffer): void {
  const { buffer } = bytes;
  const least = isAlone(bytes) ? FREE_BYTES_MIN : FREE_BYTES_MIN_OF_PART;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < least) return;
  try {
    buffer.transfer(0);
  } catch {
    // Memory that Node or an addon has for itself stays; an export must not fail by it.
  }
}

/** Whether bytes are all that is in their memory. */
export function isAlone(bytes: Buffer): boolean {
  return bytes.length === bytes.buffer.byteLength;
}
