import { pause } from '@weir/testkit';
import { MemoryGroup } from '../memory-group.ts';
import { expectThat, until } from '../until.ts';
import type { FaultRow, Figures } from './row.ts';

const SERVICES = ['edge', 'normalizer', 'sink'] as const;
const MIB = 1024 ** 2;
const LIMIT_BYTES = 256 * MIB;
const LOADED_MS = 10_000;

/** Each service in a memory group of its own, as a container has one, from its start on. */
function limited(name: string, itemsPerExport: number): FaultRow {
  const groups = new Map<string, MemoryGroup>();
  return {
    name,
    fault: `256 MiB memory limit on each service under load, ${itemsPerExport} spans an export`,
    impossible: () => MemoryGroup.impossible(),
    load: () => ({ itemsPerExport }),
    prepare: async (faults) => {
      for (const service of SERVICES) {
        const group = new MemoryGroup(`${name}-${service}-${process.pid}`, LIMIT_BYTES);
        groups.set(service, group);
        faults.atStop(() => group.remove());
        await group.startIn(faults.stack.pid(service), () => faults.end(service, 'SIGTERM'));
        expectThat(group.holds(faults.stack.pid(service)), `${service} is not in its memory group`);
        await until(`${service} is ready`, () => faults.stack.ready(service));
      }
    },
    strike: async ({ stack }, _random, load) => {
      const pids = SERVICES.map((service) => stack.pid(service));
      for (const [index, service] of SERVICES.entries()) {
        expectThat(groups.get(service)!.holds(pids[index]!), `${service} is not in its memory group any more`);
      }
      await pause(LOADED_MS);
      load.afterwards(async () => {
        const figures: Record<string, number> = {};
        for (const [index, service] of SERVICES.entries()) {
          const group = groups.get(service)!;
          expectThat(stack.pid(service) === pids[index], `${service} did not live through it`);
          expectThat(group.killed() === 0, `${service} was killed for its memory`);
          figures[`${service}: peak RSS, MiB`] = MemoryGroup.peakRssBytes(pids[index]!) / MIB;
          figures[`${service}: times at the limit`] = group.timesAtLimit();
        }
        return figures satisfies Figures;
      });
    },
  };
}

/** The services with little memory. */
export const MEMORY_ROWS: readonly FaultRow[] = [limited('memory-256', 200), limited('memory-256-small', 50)];
