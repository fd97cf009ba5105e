import type { LoadSpec } from './point.ts';
import type { Run } from './run.ts';

export const ITEMS = 1_000;

/** The load of a point: exports of 1000 spans of 8 attributes over HTTP, unless it says otherwise. */
export function loadOf(run: Run, own: Partial<LoadSpec> = {}): LoadSpec {
  const { seconds } = run.options;
  const rate = own.rate ?? run.rate;
  return {
    seconds,
    itemsPerExport: ITEMS,
    attributes: 8,
    transport: 'http',
    tenants: 1,
    signal: 'traces',
    ...own,
    rate,
  };
}
