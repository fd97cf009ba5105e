import { readFileSync } from 'node:fs';

/** Resident memory of processes over a time, MiB by name. */
export class MemoryWatch {
  readonly #pids: () => Readonly<Record<string, number>>;
  readonly #samples = new Map<string, number[]>();
  readonly #timer: NodeJS.Timeout;

  /** @param pids the processes as they are now, by name */
  constructor(pids: () => Readonly<Record<string, number>>, everyMs: number) {
    this.#pids = pids;
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  /** The samples since the last call. */
  take(): ReadonlyMap<string, readonly number[]> {
    const taken = new Map(this.#samples);
    this.#samples.clear();
    return taken;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const [name, pid] of Object.entries(this.#pids())) {
      const mib = residentMib(pid);
      if (mib === undefined) continue;
      const samples = this.#samples.get(name) ?? [];
      samples.push(mib);
      this.#samples.set(name, samples);
    }
  }
}

function residentMib(pid: number): number | undefined {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? undefined : Number(line[1]) / 1024;
  } catch {
    return undefined;
  }
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
