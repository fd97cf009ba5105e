import { type Profiler, Session } from 'node:inspector';

/** The sources whose blocks are counted. */
const SOURCES = /\/(packages\/(otlp|native|normalize)|services\/edge)\/src\//;

/** Which characters of a script belong to a block that has run. */
type Painted = Uint8Array;

/**
 * How much of the sources has run, by V8's own precise coverage. It is in Node, costs a few milliseconds to ask, and sees
 * the TypeScript sources as they are. What is counted is characters of blocks that have run: the blocks that V8 tells are
 * joined where their counts happen to be equal, so they are not the same from one call to the next.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Map<string, Painted>();

  constructor() {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Characters of blocks that have run at any time and were kept. */
  get characters(): number {
    let sum = 0;
    for (const painted of this.#seen.values()) for (const one of painted) sum += one;
    return sum;
  }

  /**
   * What has run since the last call: how many characters of it had not run at any time that was kept.
   *
   * @param keep whether it is kept
   */
  take(keep: boolean): number {
    const { result } = this.#post<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage');
    let grown = 0;
    for (const { url, functions } of result) {
      if (!SOURCES.test(url)) continue;
      const painted = paint(functions);
      const seen = this.#seen.get(url) ?? new Uint8Array(0);
      const merged = new Uint8Array(Math.max(seen.length, painted.length));
      merged.set(seen);
      for (let at = 0; at < painted.length; at++) {
        if (painted[at] === 0 || merged[at] === 1) continue;
        merged[at] = 1;
        grown++;
      }
      if (keep) this.#seen.set(url, merged);
    }
    return grown;
  }

  stop(): void {
    this.#post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  #post<T>(method: string, params?: object): T {
    let answer: T | undefined;
    let fault: Error | null = null;
    this.#session.post(method, params, (error, result) => {
      fault = error;
      answer = result as T;
    });
    if (fault !== null) throw fault;
    return answer as T;
  }
}

/** Inner ranges stand behind the outer ones, and inner functions behind those that hold them. */
function paint(functions: readonly Profiler.FunctionCoverage[]): Painted {
  const end = functions.reduce((most, { ranges }) => Math.max(most, ranges[0]!.endOffset), 0);
  const painted = new Uint8Array(end);
  const ranges = functions.flatMap((one) => one.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of ranges) painted.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return painted;
}
