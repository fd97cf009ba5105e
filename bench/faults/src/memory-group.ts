import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup/memory';

/** A memory control group (version 1) with a limit. */
export class MemoryGroup {
  readonly #dir: string;

  /** Why none can be made on this machine; undefined where one can. */
  static impossible(): string | undefined {
    try {
      accessSync(join(ROOT, 'memory.limit_in_bytes'));
      accessSync(ROOT, constants.W_OK);
      return undefined;
    } catch {
      return `needs a control group for memory (version 1) that can be written: ${ROOT}`;
    }
  }

  /** The most memory that a process has held at once. */
  static peakRssBytes(pid: number): number {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
  }

  constructor(name: string, limitBytes: number) {
    this.#dir = join(ROOT, `weir-${name}`);
    mkdirSync(this.#dir);
    writeFileSync(join(this.#dir, 'memory.limit_in_bytes'), String(limitBytes));
  }

  /** Has a process start again inside: its supervisor is in the group while `again` starts it, since children stay there. */
  async startIn(pid: number, again: () => Promise<void>): Promise<void> {
    const supervisor = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
    const own = /^\d+:memory:(.*)$/m.exec(readFileSync(`/proc/${supervisor}/cgroup`, 'utf8'))?.[1] ?? '/';
    writeFileSync(join(this.#dir, 'cgroup.procs'), supervisor);
    try {
      await again();
    } finally {
      writeFileSync(join(ROOT, own, 'cgroup.procs'), supervisor);
    }
  }

  holds(pid: number): boolean {
    return this.#read('cgroup.procs').split('\n').includes(String(pid));
  }

  /** How often an allocation met the limit; pages of files are let go then. */
  timesAtLimit(): number {
    return Number(this.#read('memory.failcnt'));
  }

  /** Processes that the kernel has killed for want of memory. */
  killed(): number {
    return Number(/^oom_kill (\d+)$/m.exec(this.#read('memory.oom_control'))?.[1] ?? 0);
  }

  /** Takes the group away; its processes must have ended. */
  remove(): void {
    rmdirSync(this.#dir);
  }

  #read(file: string): string {
    return readFileSync(join(this.#dir, file), 'utf8');
  }
}
