import type { Consumer } from '@weir/pipeline';

/** Takes everything, remembers it in order, and answers what `answer` says. */
export class RecordingConsumer<T, R> implements Consumer<T, R> {
  readonly #items: T[] = [];
  readonly #answer: (item: T, signal: AbortSignal) => R | Promise<R>;

  constructor(answer: (item: T, signal: AbortSignal) => R | Promise<R>) {
    this.#answer = answer;
  }

  /** What was consumed, oldest first. */
  get items(): readonly T[] {
    return this.#items;
  }

  async consume(item: T, signal: AbortSignal): Promise<R> {
    this.#items.push(item);
    return this.#answer(item, signal);
  }
}
