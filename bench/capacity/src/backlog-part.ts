import { pause, type TestStack } from '@weir/testkit';
import { loadOf } from './load-of.ts';
import type { StackSpec } from './point.ts';
import type { Run } from './run.ts';
import { processesOf } from './usage-meter.ts';

const BEHIND = ['normalizer', 'sink'];
/** So long after their last reports the edges take the pipe for open. */
const REPORTS_STALE_MS = 12_000;

/** Normalizers and sinks that stand still, as if they were cut off, and go on. */
export function behindOf(stack: TestStack) {
  const signal = (what: NodeJS.Signals) => {
    for (const { kind, pid } of processesOf(stack)) if (BEHIND.includes(kind)) process.kill(pid, what);
  };
  return {
    hold: async () => {
      signal('SIGSTOP');
      await pause(REPORTS_STALE_MS);
    },
    release: async () => signal('SIGCONT'),
  };
}

/** The same load live, and as a backlog: CPU is counted from when normalizers and sinks go on. */
export async function backlogPart(run: Run, stack: StackSpec): Promise<void> {
  const { backlog, rounds } = run.options;
  const live = loadOf(run);
  const held = loadOf(run, { seconds: Math.ceil(backlog / run.rate) });
  // What waits would be refused once the normalizers say how much it is; the load has ended by then.
  for (let round = 0; round < rounds; round++) {
    await run.measure('backlog', { name: 'live', round, stack, load: live });
    await run.measure('backlog', { name: 'drained', round, stack, load: held, behindOf });
  }
}
