import type { IncomingMessage } from 'node:http';
import type { Deadlines } from './deadlines.ts';

/** How much of a refused body is read, and for how long. */
export interface DiscardBounds {
  readonly bytesMax: number;
  readonly deadlines: Deadlines;
}

/**
 * Reads and forgets the rest of a body whose refusal has been written; resolves at its end or at a bound. Many clients read
 * only once they have written everything: to them a connection that is closed at once is a fault of the network, after
 * which they send the same again.
 */
export function discardRest(message: IncomingMessage, { bytesMax, deadlines }: DiscardBounds): Promise<void> {
  if (message.readableEnded || message.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = bytesMax;
    const finish = () => {
      cancel();
      message.pause();
      resolve();
    };
    const cancel = deadlines.set(finish);
    message.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) finish();
    });
    message.once('end', finish).once('close', finish);
    message.resume();
  });
}
