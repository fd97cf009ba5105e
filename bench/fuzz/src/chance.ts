import { createRandom } from '@weir/testkit';

/** Seeded choices: the same seed and case make the same ones. */
export class Chance {
  readonly #random: () => number;

  constructor(seed: number, index = 0) {
    this.#random = createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  }

  /** A whole number in [0, below). */
  int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  between(from: number, to: number): number {
    return from + this.int(to - from + 1);
  }

  pick<T>(some: readonly T[]): T {
    return some[this.int(some.length)]!;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.int(times) === 0;
  }

  /** 1 mostly, now and then more. */
  few(): number {
    let count = 1;
    while (count < 8 && this.oneIn(2)) count++;
    return count;
  }

  bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.int(256)));
  }
}
