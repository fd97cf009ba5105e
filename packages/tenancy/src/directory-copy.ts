import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@weir/pipeline';

const SAVE_DELAY_MS = 200;
const SAVE_AGAIN_MS = 10_000;
const NAME = 'tenants.json';

/** The last-known copy of weir.tenants in a directory: written a moment after a change, and again where that failed. */
export class DirectoryCopy {
  /** By the record's key. */
  readonly records = new Map<string, Buffer>();
  readonly #path: string;
  readonly #clock: Clock;
  readonly #unsaved: (error: unknown) => void;
  readonly #stopping = new AbortController();
  #saving: Promise<void> | undefined;
  #isChanged = false;
  #isUnsaved = false;

  /** @param unsaved told once that the copy cannot be written, until it is */
  constructor(stateDir: string, clock: Clock, unsaved: (error: unknown) => void) {
    this.#path = join(stateDir, NAME);
    this.#clock = clock;
    this.#unsaved = unsaved;
  }

  /** Takes what the last process left. */
  async load(): Promise<void> {
    try {
      const copy = JSON.parse(await readFile(this.#path, 'utf8')) as Record<string, string>;
      for (const [key, value] of Object.entries(copy)) this.records.set(key, Buffer.from(value, 'base64'));
    } catch {
      // No copy, or one that was not written by us: the topic says all there is to know.
      this.records.clear();
    }
  }

  saveLater(): void {
    this.#isChanged = true;
    this.#saving ??= this.#saveChanges();
  }

  /** Writes what has changed, if that can be done at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#saving;
  }

  /** One save at a time, since all write the same file. */
  async #saveChanges(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#isChanged) {
      await this.#clock.sleep(this.#isUnsaved ? SAVE_AGAIN_MS : SAVE_DELAY_MS, signal).catch(() => undefined);
      this.#isChanged = false;
      try {
        await this.#save();
        this.#isUnsaved = false;
      } catch (error) {
        if (!this.#isUnsaved) this.#unsaved(error);
        this.#isUnsaved = true;
        this.#isChanged = !signal.aborted;
      }
    }
    this.#saving = undefined;
  }

  async #save(): Promise<void> {
    const copy = Object.fromEntries([...this.records].map(([key, value]) => [key, value.toString('base64')]));
    await mkdir(join(this.#path, '..'), { recursive: true });
    const temporary = `${this.#path}.new`;
    await writeFile(temporary, JSON.stringify(copy), { mode: 0o600 });
    await rename(temporary, this.#path);
  }
}
