import { Chance } from './chance.ts';
import type { Coverage } from './coverage.ts';
import type { Case, Tally, Target } from './target.ts';

/** A case that went wrong: the same seed and index make it again where no coverage led to it; its bytes always do. */
export interface Failure {
  readonly target: string;
  readonly seed: number;
  readonly index: number;
  readonly message: string;
  readonly one: Case;
}

export interface Campaign {
  readonly target: string;
  readonly seed: number;
  readonly cases: number;
  readonly seconds: number;
  readonly tally: Tally;
  readonly seeds: number;
  /** Cases that ran a block which none before had run, and were mutated further. */
  readonly kept: number;
  /** Characters of the sources that have run in all campaigns so far; 0 without coverage. */
  readonly covered: number;
  readonly slowestMs: number;
  readonly failures: readonly Failure[];
}

export interface CampaignOptions {
  readonly seed: number;
  readonly cases: number;
  readonly from?: number;
  /** The campaign ends after it, whatever is left. */
  readonly secondsMax?: number;
  /** Leads the choice of what is mutated; without it all cases come from the seeds alone. */
  readonly coverage?: Coverage | undefined;
  onProgress?(done: number): void;
}

/** Coverage is asked once in as many cases. */
const BATCH = 512;
const KEPT_MAX = 4_000;
const FAILURES_MAX = 20;
/** A case that takes longer is a failure: none has more than some ten kilobytes. */
const SLOW_MS = 2_000;

/** Runs cases of one target until there are as many as wanted, or too many have failed. */
export async function runCampaign(target: Target, options: CampaignOptions): Promise<Campaign> {
  return new Runner(target, options).run();
}

/** The case that a seed and an index make, without coverage. */
export function caseOf(target: Target, seeds: readonly Case[], seed: number, index: number): Case {
  return target.mutate(new Chance(seed, index), seeds);
}

/** Inputs to begin with, the same for the same seed. */
export function seedsOf(target: Target, seed: number): Case[] {
  return target.seeds(new Chance(seed));
}

class Runner {
  readonly #target: Target;
  readonly #options: CampaignOptions;
  readonly #corpus: Case[];
  readonly #seeds: number;
  readonly #tally: Tally = {};
  readonly #failures: Failure[] = [];
  #slowestMs = 0;
  #cases = 0;

  constructor(target: Target, options: CampaignOptions) {
    this.#target = target;
    this.#options = options;
    this.#corpus = seedsOf(target, options.seed);
    this.#seeds = this.#corpus.length;
  }

  async run(): Promise<Campaign> {
    const { seed, cases, coverage, from = 0, secondsMax = Number.POSITIVE_INFINITY } = this.#options;
    const started = performance.now();
    if (from === 0) for (const one of [...this.#corpus]) await this.#run(one, -1);
    coverage?.take(true);
    for (let at = from; at < from + cases && this.#failures.length < FAILURES_MAX; at += BATCH) {
      if (performance.now() - started > secondsMax * 1_000) break;
      const batch: Case[] = [];
      for (let index = at; index < Math.min(at + BATCH, from + cases); index++) {
        const one = caseOf(this.#target, this.#corpus, seed, index);
        batch.push(one);
        await this.#run(one, index);
      }
      if (coverage !== undefined) await this.#keepNew(batch, coverage);
      this.#options.onProgress?.(this.#cases);
    }
    return {
      target: this.#target.name,
      seed,
      cases: this.#cases,
      seconds: (performance.now() - started) / 1_000,
      tally: this.#tally,
      seeds: this.#seeds,
      kept: this.#corpus.length - this.#seeds,
      covered: coverage?.characters ?? 0,
      slowestMs: this.#slowestMs,
      failures: this.#failures,
    };
  }

  /** Finds, by halves, one of a batch that ran what none before had run, and keeps it. */
  async #keepNew(batch: readonly Case[], coverage: Coverage): Promise<void> {
    if (coverage.take(false) === 0 || this.#corpus.length >= this.#seeds + KEPT_MAX) return;
    let from = batch;
    while (from.length > 1) {
      const half = from.slice(0, from.length >> 1);
      await this.#runAgain(half);
      from = coverage.take(false) > 0 ? half : from.slice(half.length);
    }
    await this.#runAgain(from);
    if (coverage.take(true) > 0) this.#corpus.push(...from);
  }

  async #runAgain(some: readonly Case[]): Promise<void> {
    for (const one of some) {
      try {
        await this.#target.run(one);
      } catch {
        // It has been counted.
      }
    }
  }

  async #run(one: Case, index: number): Promise<void> {
    this.#cases++;
    const started = performance.now();
    try {
      const outcome = this.#target.run(one);
      const name = typeof outcome === 'string' ? outcome : await outcome;
      this.#tally[name] = (this.#tally[name] ?? 0) + 1;
    } catch (error) {
      this.#fail(one, index, error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    }
    const ms = performance.now() - started;
    if (ms > this.#slowestMs) this.#slowestMs = ms;
    if (ms > SLOW_MS) this.#fail(one, index, `took ${Math.round(ms)} ms`);
  }

  #fail(one: Case, index: number, message: string): void {
    this.#failures.push({ target: this.#target.name, seed: this.#options.seed, index, message, one });
  }
}
