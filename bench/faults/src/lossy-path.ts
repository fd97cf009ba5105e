import type { Writable } from 'node:stream';

/** TCP's first wait before it sends a piece again (Linux: 200 ms at least), doubled each time. */
const RESEND_MS = 200;
/** 200 ms to 3.2 s. After that many the connection is given up here; TCP itself would be more patient. */
const RESENDS_MAX = 5;
/** Loss comes in bursts: what was lost is this likely to be lost again. */
const LOST_AGAIN = 0.5;

/**
 * One direction of a connection over which pieces may be late. As TCP does, it brings them in order: what follows a late
 * piece waits behind it.
 */
export class LossyPath {
  readonly #to: Writable;
  readonly #random: () => number;
  readonly #waiting: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(to: Writable, random: () => number) {
    this.#to = to;
    this.#random = random;
  }

  /**
   * Sends a piece on, after `delayMs` and after it was lost as often as chance will have it. Says whether it was never
   * lost, comes late, or is lost for good.
   */
  pass(chunk: Buffer, delayMs: number, loss: number): 'on time' | 'late' | 'never' {
    let lostMs = 0;
    for (let resend = 0; loss > 0 && this.#random() < (resend === 0 ? loss : LOST_AGAIN); resend++) {
      if (resend === RESENDS_MAX) return 'never';
      lostMs += RESEND_MS * 2 ** resend;
    }
    const dueMs = performance.now() + delayMs + lostMs;
    if (delayMs + lostMs === 0 && this.#waiting.length === 0) this.#to.write(chunk);
    else {
      this.#waiting.push({ chunk, dueMs });
      this.#arm();
    }
    return lostMs === 0 ? 'on time' : 'late';
  }

  #arm(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#deliver();
        this.#arm();
      },
      Math.max(0, first.dueMs - performance.now()),
    );
  }

  #deliver(): void {
    const nowMs = performance.now();
    while (this.#waiting.length > 0 && this.#waiting[0]!.dueMs <= nowMs) {
      const { chunk } = this.#waiting.shift()!;
      if (this.#to.writable) this.#to.write(chunk);
    }
  }
}
