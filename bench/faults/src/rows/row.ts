import { pause } from '@weir/testkit';
import type { FaultStack, StackNeeds } from '../fault-stack.ts';

/** One row of the table of faults: where it strikes, and what is done to the running stack. */
export interface FaultRow extends StackNeeds {
  readonly name: string;
  readonly fault: string;
  /** Of the short set, which runs in `npm test`. */
  readonly short?: boolean;
  /** One of the answers must have been like this: otherwise the fault did not strike as it should. */
  readonly expects?: RegExp;
  /** Strikes while a load runs. */
  strike(stack: FaultStack, random: () => number): Promise<void>;
}

/** Lets something be on for a while, and off again whatever happens. */
export async function during(set: (on: boolean) => void | Promise<void>, ms: number): Promise<void> {
  try {
    await set(true);
    await pause(ms);
  } finally {
    await set(false);
  }
}
