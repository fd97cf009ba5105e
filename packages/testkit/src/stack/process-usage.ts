import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What a process has used. */
export interface ProcessUsage {
  /** CPU seconds since it was started, of all its threads, in user and kernel mode. */
  readonly cpuS: number;
  /** Resident memory now. */
  readonly rssBytes: number;
}

let ticksPerS: number | undefined;

/** Linux's clock ticks, in which it counts CPU time. */
function ticks(): number {
  ticksPerS ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticksPerS;
}

/** Reads /proc, so on Linux alone. @throws where there is no such process */
export function readUsage(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command stands in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return { cpuS: (user + system) / ticks(), rssBytes: Number(resident?.[1] ?? 0) * 1024 };
}
