import { type Consumer, type RefusalReason, type Refused, refuse } from '@weir/pipeline';

/** Refuses everything with one reason; counts what it was asked. */
export class RefusingConsumer<T> implements Consumer<T, Refused> {
  readonly #refused: Refused;
  #asked = 0;

  constructor(reason: RefusalReason, message = 'refused by the test', retryAfterS = 1) {
    this.#refused = refuse(reason, message, retryAfterS);
  }

  get asked(): number {
    return this.#asked;
  }

  async consume(_item: T, _signal: AbortSignal): Promise<Refused> {
    this.#asked++;
    return this.#refused;
  }
}
