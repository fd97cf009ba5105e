import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** What the system says of a process, with all its threads, and of its children that have ended. */
export interface ProcStat {
  /** In clock ticks: in the process, in the kernel for it, and both for ended children. */
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly childUserTicks: number;
  readonly childSystemTicks: number;
  readonly threads: number;
  /** Ticks since the machine's start. With the pid it names the process for good. */
  readonly startTicks: number;
}

/** Reads /proc/PID/stat. The command's name stands in parentheses and may hold any character, parentheses too. */
export function parseProcStat(text: string): ProcStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // The first behind the name is field 3 of proc(5).
  const field = (number: number): number => {
    const value = Number(fields[number - 3]);
    if (!Number.isFinite(value)) throw new Error(`field ${number} of a process's stat is no number`);
    return value;
  };
  return {
    userTicks: field(14),
    systemTicks: field(15),
    childUserTicks: field(16),
    childSystemTicks: field(17),
    threads: field(20),
    startTicks: field(22),
  };
}

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

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

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
    this.#fromS = cpuSeconds(stat, TICKS_PER_SECOND);
  }

  /** Counts from now on. */
  reset(): void {
    this.#fromS = cpuSeconds(this.#stat(), TICKS_PER_SECOND);
    // 5: the peak of resident memory is what is resident now (proc(5)).
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5');
  }

  /** CPU seconds since then. @throws where another process has taken its place */
  cpuS(): number {
    const stat = this.#stat();
    if (stat.startTicks !== this.#startTicks) throw new Error(`process ${this.#pid} is another one now`);
    return cpuSeconds(stat, TICKS_PER_SECOND) - this.#fromS;
  }

  peakMib(): number {
    return parsePeakMib(readFileSync(`/proc/${this.#pid}/status`, 'utf8'));
  }

  #stat(): ProcStat {
    return parseProcStat(readFileSync(`/proc/${this.#pid}/stat`, 'utf8'));
  }
}
