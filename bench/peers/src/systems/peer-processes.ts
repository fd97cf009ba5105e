import { ManagedProcess, type ProcessSpec } from '@weir/local';
import { systemClock } from '@weir/pipeline';

const START_MS = 60_000;

/** The processes of a peer: started in order, started again when they are killed, stopped in order. */
export class PeerProcesses {
  readonly #running: ManagedProcess[] = [];

  /** @throws with the end of its log where one does not serve */
  async start(specs: readonly ProcessSpec[]): Promise<void> {
    const events = { started: () => undefined, died: () => undefined, gaveUp: () => undefined };
    for (const spec of specs) {
      const managed = new ManagedProcess(spec, events, systemClock, 0);
      this.#running.push(managed);
      await managed.start(START_MS, new AbortController().signal);
    }
  }

  /** @throws where it does not run now */
  pid(name: string): number {
    const pid = this.#running.find(({ spec }) => spec.name === name)?.pid;
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  logs(): string {
    return this.#running.map((managed) => `${managed.spec.name}:\n${managed.tail()}`).join('\n');
  }

  async stop(): Promise<void> {
    for (const managed of this.#running) await managed.stop();
  }
}
