import { Journal, type LoadOptions, type LoadTotals, runLoad, verify } from '@weir/bench-load';
import type { TestStack } from '@weir/testkit';
import { expectThat } from './until.ts';

const RECOVERY_MS = 60_000;

/** A load beside the one of the row, and a check that what it was told is so. */
export interface SideLoad {
  readonly totals: LoadTotals;
  /** @throws where what was accepted is not stored once, under its tenant */
  verify(): Promise<void>;
}

/** Runs a load of one tenant beside the one of the row, to its end. */
export async function runSideLoad(
  stack: TestStack,
  tenant: string,
  shape: Pick<LoadOptions, 'producers' | 'rate' | 'seconds' | 'itemsPerExport'>,
): Promise<SideLoad> {
  const journal = new Journal();
  const { run, totals } = await runLoad(
    {
      target: { ...stack.local.otlp, ca: stack.ca },
      tenants: [{ name: tenant, key: stack.key(tenant), weight: 1 }],
      transports: ['http', 'grpc'],
      signals: ['traces'],
      errors: 0,
      gzip: true,
      connections: 2,
      outstandingMax: 400,
      ...shape,
    },
    { onFate: (fate) => journal.add(fate) },
  );
  return {
    totals,
    verify: async () => {
      const { lost, doubled, alien, misplaced, examples } = await verify(
        stack.local.clickhouse,
        run,
        journal,
        RECOVERY_MS,
      );
      expectThat(lost + doubled + alien + misplaced === 0, `beside the load: ${examples.join(', ')}`);
    },
  };
}
