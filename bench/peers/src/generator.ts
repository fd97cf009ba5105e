import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LoopResult } from './closed-loop.ts';
import type { SeriesLoad } from './series-load.ts';

/** Where a system takes exports. */
export interface LoadTarget {
  readonly http: string;
  readonly grpc: string;
  /** Of a target that speaks TLS. */
  readonly caFile?: string;
  readonly key: string;
}

/** What a generator sends. */
export interface GeneratorLoad extends SeriesLoad {
  /** Names the run in every item's id. */
  readonly run: string;
  readonly retries: boolean;
  readonly endsEarly: boolean;
  readonly target: LoadTarget;
}

/** What a generator's process tells, a JSON line each. */
export type GeneratorLine =
  | { readonly kind: 'ready' }
  | { readonly kind: 'half' }
  | { readonly kind: 'done'; readonly result: LoopResult };

const ENTRY = fileURLToPath(new URL('generator-main.ts', import.meta.url));
const ERRORS_MAX = 4_000;

/** A load in a process of its own, encoded and waiting for {@link go}. */
export class Generator {
  readonly #child: ChildProcess;
  readonly #done: Promise<LoopResult>;
  #onHalf: () => void = () => undefined;

  private constructor(child: ChildProcess, ready: () => void) {
    this.#child = child;
    let errors = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-ERRORS_MAX);
    });
    this.#done = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout! }).on('line', (text) => {
        const line = JSON.parse(text) as GeneratorLine;
        if (line.kind === 'ready') ready();
        else if (line.kind === 'half') this.#onHalf();
        else resolve(line.result);
      });
      child.once('error', reject);
      child.once('close', (status) => reject(new Error(`the generator ended with status ${status}:\n${errors}`)));
    });
    this.#done.catch(() => undefined);
  }

  /** @throws where it cannot be started */
  static async start(load: GeneratorLoad): Promise<Generator> {
    const child = spawn(process.execPath, ['--max-old-space-size=6000', ENTRY, JSON.stringify(load)], {
      stdio: 'pipe',
    });
    let generator: Generator | undefined;
    await new Promise<void>((resolve, reject) => {
      generator = new Generator(child, resolve);
      generator.#done.catch(reject);
    });
    return generator!;
  }

  /** Sends all of it. @throws where the process ends without a result */
  go(onHalf: () => void = () => undefined): Promise<LoopResult> {
    this.#onHalf = onHalf;
    this.#child.stdin!.write('go\n');
    return this.#done;
  }

  /** Ends the process, also before its load is sent. */
  end(): void {
    this.#child.kill('SIGKILL');
  }
}
