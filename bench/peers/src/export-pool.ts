import { type LoadSignal, PayloadMaker } from '@weir/bench-load';

/** Of ten spans one has an exception. */
const EXCEPTION_EVERY = 10;
const ERRORS = 0.05;
/** All items of a load are one producer's. */
export const PRODUCER = 0;

/** An export, ready to be sent: items [first, first + items) of the run. */
export interface ReadyExport {
  readonly body: Buffer;
  readonly first: number;
  readonly items: number;
}

/**
 * Encodes a whole load before any clock starts. Each item is encoded once and has an id of its own, its number in the run, so
 * that after the load every one can be told to be stored, lost or doubled.
 */
export function createPool(signal: LoadSignal, run: string, items: number, itemsPerExport: number): ReadyExport[] {
  const maker = new PayloadMaker(signal, run, PRODUCER, ERRORS, undefined, undefined, {
    exceptionEvery: EXCEPTION_EVERY,
  });
  const pool: ReadyExport[] = [];
  for (let made = 0; made < items; made += itemsPerExport) {
    pool.push(maker.make(Math.min(itemsPerExport, items - made)));
  }
  return pool;
}
