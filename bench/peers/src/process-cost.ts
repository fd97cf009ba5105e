import { readFileSync, writeFileSync } from 'node:fs';
import { type ProcStat, readProcStat, ticksPerSecond } from '@weir/testkit';

/** CPU seconds of a process since it started. */
export function cpuSeconds(stat: ProcStat, ticksPerSecond: number): number {
  const { userTicks, systemTicks, childUserTicks, childSystemTicks } = stat;
  return (userTicks + systemTicks + childUserTicks + childSystemTicks) / ticksPerSecond;
}

/** The largest resident memory since the process started or {@link ProcessMeter.reset}, MiB, out of /proc/PID/status. */
export function parsePeakMib(status: string): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(status);
  if (found === null) throw new Error('the system does not say how much memory a process held');
  return Number(found[1]) / 1024;
}

/** What one process costs from one moment to another. */
export class ProcessMeter {
  readonly #pid: number;
  readonly #startTicks: number;
  #fromS: number;

  /** @throws where there is no such process */
  constructor(pid: number) {
    this.#pid = pid;
    const stat = this.#stat();
    this.#startTicks = stat.startTicks;
    this.#fromS = cpuSeconds(stat, ticksPerSecond());
  }

  /** Counts from now on. */
  reset(): void {
    this.#fromS = cpuSeconds(this.#stat(), ticksPerSecond());
    // 5: the peak of resident memory is what is resident now (proc(5)).
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5');
  }

  /** CPU seconds since then. @throws where another process has taken its place */
  cpuS(): number {
    const stat = this.#stat();
    if (stat.startTicks !== this.#startTicks) throw new Error(`process ${this.#pid} is another one now`);
    return cpuSeconds(stat, ticksPerSecond()) - this.#fromS;
  }

  peakMib(): number {
    return parsePeakMib(readFileSync(`/proc/${this.#pid}/status`, 'utf8'));
  }

  #stat(): ProcStat {
    return readProcStat(this.#pid);
  }
}
