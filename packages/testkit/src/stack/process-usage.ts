import { readFileSync } from 'node:fs';
import { readProcStat, ticksPerSecond } from './proc-stat.ts';

/** What a process has used. */
export interface ProcessUsage {
  /** CPU seconds since it was started, of all its threads, in user and kernel mode. */
  readonly cpuS: number;
  /** Resident memory now. */
  readonly rssBytes: number;
}

/** Reads /proc, so on Linux alone. @throws where there is no such process */
export function readUsage(pid: number): ProcessUsage {
  const { userTicks, systemTicks } = readProcStat(pid);
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return { cpuS: (userTicks + systemTicks) / ticksPerSecond(), rssBytes: Number(resident?.[1] ?? 0) * 1024 };
}
