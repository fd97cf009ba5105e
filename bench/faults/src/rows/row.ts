import { pause } from '@weir/testkit';
import type { FaultStack } from '../fault-stack.ts';

/** One row of the table of faults: where it strikes, and what is done to the running stack. */
export interface FaultRow {
  readonly name: string;
  readonly fault: string;
  /** Of the short set, which runs in `npm test`. */
  readonly short?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Strikes while a load runs. */
  strike(stack: FaultStack, random: () => number): Promise<void>;
}

/** Lets something be on for a while. */
export async function during(set: (on: boolean) => void, ms: number): Promise<void> {
  set(true);
  await pause(ms);
  set(false);
}
