import type { LoadOptions, LoadTotals } from '@weir/bench-load';
import { pause } from '@weir/testkit';
import type { FaultStack, StackNeeds } from '../fault-stack.ts';
import type { Link, ProxyFault } from '../tcp-proxy.ts';
import { expectThat } from '../until.ts';

/** What a row measured beside the counts that all rows have, by name. */
export type Figures = Readonly<Record<string, number | string>>;

/**
 * Looks after a run at what its strike was for. Gets the items that were not accepted, by reason.
 * @throws where a promise was broken
 */
export type Check = (reasons: Readonly<Record<string, number>>) => Promise<Figures>;

/** The load beside a strike. */
export interface RunningLoad {
  /** As they stand. */
  readonly totals: LoadTotals;
  /** Has something checked once the load is over and what was acknowledged is stored. */
  afterwards(check: Check): void;
}

/** One row of the table of faults: where it strikes, and what is done to the running stack. */
export interface FaultRow extends StackNeeds {
  readonly name: string;
  readonly fault: string;
  /** Of the short set, which runs in `npm test`. */
  readonly short?: boolean;
  /** One of the answers must have been like this: otherwise the fault did not strike as it should. */
  readonly expects?: RegExp;
  /** Why it cannot be injected on this machine; undefined where it can be. */
  impossible?(): string | undefined;
  /** Once, before the first load. */
  prepare?(stack: FaultStack): Promise<void>;
  /** In what its load is another than that of other rows. `rate` is in spans a second. */
  load?(stack: FaultStack, rate: number): Partial<LoadOptions>;
  /** Strikes while a load runs. */
  strike(stack: FaultStack, random: () => number, load: RunningLoad): Promise<void>;
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

/** Has a link faulty for a while. @throws where nothing came over it that could be struck */
export async function strikeLink(link: Link, fault: ProxyFault, ms: number): Promise<void> {
  const before = link.struck;
  await during((on) => {
    link.fault = on ? fault : {};
  }, ms);
  expectThat(link.struck > before, `the fault of the link struck nothing: ${JSON.stringify(fault)}`);
}
