import { createWriteStream, type WriteStream } from 'node:fs';
import type { LoadHooks } from './run-load.ts';

/** Writes what is sent and what became of it, a JSON line each, in the order of events. */
export class JournalFile {
  readonly #stream: WriteStream;

  constructor(path: string) {
    this.#stream = createWriteStream(path, { flags: 'a' });
  }

  readonly onSend: NonNullable<LoadHooks['onSend']> = (attempt) => {
    this.#stream.write(`${JSON.stringify(attempt)}\n`);
  };

  readonly onFate: NonNullable<LoadHooks['onFate']> = (fate) => {
    this.#stream.write(`${JSON.stringify(fate)}\n`);
  };

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject);
      this.#stream.end(() => resolve());
    });
  }
}
