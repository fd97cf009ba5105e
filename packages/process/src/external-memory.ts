import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 grow the room for buffers with the heap, and not begin a full collection each time that they have grown by a fixed
 * amount. Bodies are buffers and live for milliseconds: without this, marking the same 25 MB of code and tables again
 * several times a second was half of the edge's CPU and a third of the normalizer's.
 */
export function relaxExternalMemory(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
