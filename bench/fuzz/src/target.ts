import type { SignalKind } from '@weir/pipeline';
import type { Chance } from './chance.ts';

/** One input. `option` is the target's own: a bound, an encoding. */
export interface Case {
  readonly signal: SignalKind;
  readonly bytes: Buffer;
  readonly option: number;
}

/** How often something happened, by its name. */
export type Tally = Record<string, number>;

/** What is fuzzed. */
export interface Target {
  readonly name: string;
  /** What is compared, in a line of the report. */
  readonly oracle: string;
  /** Inputs to begin with: real exports. */
  seeds(chance: Chance): Case[];
  /** A changed copy of one of `from`. */
  mutate(chance: Chance, from: readonly Case[]): Case;
  /** Runs one case; its outcome by name. @throws Error where the code and the oracle differ */
  run(one: Case): string | Promise<string>;
}

/** Says that the code and the oracle differ. */
export class Difference extends Error {
  override readonly name = 'Difference';
}
