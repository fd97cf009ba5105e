import type { Outside } from './context.ts';

const WIDTH = 30;
const DRAW_MS = 100;

/** A line that is drawn over and over, on a terminal only. */
export class ProgressLine {
  readonly #outside: Outside;
  readonly #isShown: boolean;
  readonly #startedMs: number;
  readonly #nowMs: () => number;
  #drawnMs = Number.NEGATIVE_INFINITY;

  constructor(outside: Outside, isShown: boolean, nowMs: () => number) {
    this.#outside = outside;
    this.#isShown = isShown && outside.terminal;
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
  }

  /**
   * @param before of `done`, what was done before this process began
   * @param total 0: not known
   * @param what is counted
   */
  draw(done: number, total: number, before = 0, what = 'items'): void {
    const nowMs = this.#nowMs();
    if (!this.#isShown || nowMs - this.#drawnMs < DRAW_MS) return;
    this.#drawnMs = nowMs;
    const elapsedS = Math.max(0.001, (nowMs - this.#startedMs) / 1_000);
    this.#outside.out(`\r\u001b[K${progressText(done, total, (done - before) / elapsedS, what)}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isShown && this.#drawnMs > 0) this.#outside.out('\r\u001b[K');
  }
}

/** `[=====     ] 50 %  1000 of 2000  500/s  2 s left` */
export function progressText(done: number, total: number, perSecond: number, what = 'items'): string {
  const rate = `${Math.round(perSecond)}/s`;
  if (total <= 0) return `${done} read  ${rate}`;
  const share = Math.min(1, done / total);
  const bar = '='.repeat(Math.round(share * WIDTH)).padEnd(WIDTH);
  const leftS = perSecond > 0 ? `${Math.ceil(Math.max(0, total - done) / perSecond)} s left` : '';
  return `[${bar}] ${Math.floor(share * 100)} %  ${done} of ${total} ${what}  ${rate}  ${leftS}`.trimEnd();
}
