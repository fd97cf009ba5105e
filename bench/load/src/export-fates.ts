import type { Fate } from './run-load.ts';

/** What became of each producer's exports, a letter each in their order: `a` accepted, `r` refused, `u` unknown. */
export type ExportFates = readonly string[];

/** Collects the fates of a load's exports. */
export class FateCollector {
  readonly #letters: string[][] = [];

  readonly onFate = ({ producer, first, items, sent }: Fate): void => {
    this.#letters[producer] ??= [];
    this.#letters[producer][first / items] = sent.kind[0]!;
  };

  get fates(): ExportFates {
    return Array.from(this.#letters, (letters) => (letters ?? []).join(''));
  }
}
