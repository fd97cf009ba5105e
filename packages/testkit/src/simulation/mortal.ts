import type { Log } from '@weir/delivery';

/** A process that ends, without another word, before or after its nth call of the world. */
export class Mortal {
  #left: number;

  constructor(calls: number) {
    this.#left = calls;
  }

  /** One call of the world. @throws Error `killed` */
  async call<T>(call: () => Promise<T>): Promise<T> {
    if (this.#left-- <= 0) throw new Error('killed');
    const result = await call();
    if (this.#left <= 0) throw new Error('killed');
    return result;
  }

  /** The log as the process has it. */
  log(log: Log): Log {
    return {
      read: (...args) => this.call(() => log.read(...args)),
      bounds: (...args) => this.call(() => log.bounds(...args)),
      append: (...args) => this.call(() => log.append(...args)),
    };
  }
}
