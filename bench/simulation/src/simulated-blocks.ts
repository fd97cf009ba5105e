import type { RowBlocks } from '@weir/sink';

/** An item whose name ends so makes its whole block unreadable. */
export const CORRUPT = '#';

/** Blocks of the simulated normalizer: ids with commas between. */
export const SIMULATED_BLOCKS: RowBlocks = {
  open: (_table, { frame }) => {
    const ids = frame.toString().split(',');
    if (ids.some((id) => id.endsWith(CORRUPT))) return undefined;
    return {
      ownerOf: () => ({ tenant: 't', signal: 'traces', day: 0 }),
      slice: (from, to) => Buffer.from(ids.slice(from, to).join(',')),
    };
  },
  usage: (rows) => Buffer.from(rows.map(({ outcome, items }) => `${outcome}=${items}`).join(',')),
};

/** Ids are numbers, and a mark behind those that ClickHouse refuses. */
export function idNumber(id: string): number {
  return Number.parseInt(id, 10);
}
