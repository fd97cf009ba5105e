import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

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

/** Reads it of a process that runs. @throws where there is no such process */
export function readProcStat(pid: number): ProcStat {
  return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

let ticks: number | undefined;

/** Linux's clock ticks, in which it counts CPU time. */
export function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
}
