const WINDOW_MS = 5_000;

/** The least that a tenant's exports of the last seconds had: each amount by itself, over two windows of which the older one goes. */
export class Smallest {
  #sinceMs = 0;
  #items = Number.POSITIVE_INFINITY;
  #bytes = Number.POSITIVE_INFINITY;
  #wireBytes = Number.POSITIVE_INFINITY;
  #itemsBefore = Number.POSITIVE_INFINITY;
  #bytesBefore = Number.POSITIVE_INFINITY;
  #wireBytesBefore = Number.POSITIVE_INFINITY;

  get items(): number {
    return Math.min(this.#items, this.#itemsBefore);
  }

  get bytes(): number {
    return Math.min(this.#bytes, this.#bytesBefore);
  }

  add(nowMs: number, items: number, bytes: number, wireBytes: number): void {
    this.#turn(nowMs);
    this.#items = Math.min(this.#items, items);
    this.#bytes = Math.min(this.#bytes, bytes);
    this.#wireBytes = Math.min(this.#wireBytes, wireBytes);
  }

  /** Whether there were recent exports, of which none came as a smaller body than this one. */
  knows(nowMs: number, wireBytes: number): boolean {
    this.#turn(nowMs);
    const least = Math.min(this.#wireBytes, this.#wireBytesBefore);
    return least !== Number.POSITIVE_INFINITY && wireBytes >= least;
  }

  #turn(nowMs: number): void {
    if (nowMs - this.#sinceMs < WINDOW_MS) return;
    const isRecent = nowMs - this.#sinceMs < 2 * WINDOW_MS;
    this.#itemsBefore = isRecent ? this.#items : Number.POSITIVE_INFINITY;
    this.#bytesBefore = isRecent ? this.#bytes : Number.POSITIVE_INFINITY;
    this.#wireBytesBefore = isRecent ? this.#wireBytes : Number.POSITIVE_INFINITY;
    this.#items = this.#bytes = this.#wireBytes = Number.POSITIVE_INFINITY;
    this.#sinceMs = nowMs;
  }
}
