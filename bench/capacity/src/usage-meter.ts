import { type ProcessUsage, readUsage, type TestStack } from '@weir/testkit';
import { PROCESSES, type ProcessKind } from './point.ts';

const SAMPLE_MS = 500;
const MIB = 1024 ** 2;

/** CPU seconds that processes had used at some moment, by pid. */
export type UsageMark = ReadonlyMap<number, { readonly kind: ProcessKind; readonly cpuS: number }>;

/** Watches what the processes of a stack use. */
export class UsageMeter {
  readonly #stack: TestStack;
  readonly #rss = new Map<ProcessKind, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(stack: TestStack) {
    this.#stack = stack;
    this.#timer = setInterval(() => this.mark(), SAMPLE_MS);
  }

  /** What has been used until now. */
  mark(): UsageMark {
    const mark = new Map<number, { kind: ProcessKind; cpuS: number }>();
    for (const { kind, pid } of processesOf(this.#stack)) {
      const usage = usageOf(pid);
      if (usage === undefined) continue;
      mark.set(pid, { kind, cpuS: usage.cpuS });
      this.#rss.set(kind, Math.max(this.#rss.get(kind) ?? 0, usage.rssBytes / MIB));
    }
    return mark;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The most that one process of each kind held, MiB. */
  get rssMiB(): Record<ProcessKind, number> {
    return byKind((kind) => this.#rss.get(kind) ?? 0);
  }
}

/** CPU seconds between two marks. A process that was started in between counts from its start. */
export function cpuBetween(from: UsageMark, to: UsageMark): Record<ProcessKind, number> {
  return byKind((wanted) => {
    let sum = 0;
    for (const [pid, { kind, cpuS }] of to) if (kind === wanted) sum += cpuS - (from.get(pid)?.cpuS ?? 0);
    return sum;
  });
}

/** A value for each kind of process. */
export function byKind(value: (kind: ProcessKind) => number): Record<ProcessKind, number> {
  return Object.fromEntries(PROCESSES.map((kind) => [kind, value(kind)])) as Record<ProcessKind, number>;
}

/** Every process that the stack runs now. */
export function processesOf(stack: TestStack): { kind: ProcessKind; name: string; pid: number }[] {
  const { services, processes } = stack.local;
  const all = [
    ...Object.entries(services).map(([name, { pid }]) => ({ name, pid })),
    ...Object.entries(processes).map(([name, pid]) => ({ name, pid })),
  ];
  return all.flatMap(({ name, pid }) => {
    const kind = PROCESSES.find((known) => name === known || name.startsWith(`${known}-`));
    return kind === undefined ? [] : [{ kind, name, pid }];
  });
}

/** Undefined where it has ended. */
function usageOf(pid: number): ProcessUsage | undefined {
  try {
    return readUsage(pid);
  } catch {
    return undefined;
  }
}
