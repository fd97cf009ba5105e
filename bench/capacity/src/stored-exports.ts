import type { ExportFates } from '@weir/bench-load';
import type { TestStack } from '@weir/testkit';

/** What is stored of a run. */
export interface StoredExports {
  readonly lost: number;
  readonly doubled: number;
}

interface ExportRow {
  readonly producer: number;
  readonly number: number;
  readonly rows: string;
  readonly ids: string;
}

/**
 * Compares every export of a run with its rows: an accepted one must have all its items, none twice, and one that was not sent
 * has none. Of those that were refused or not answered any may be stored, once.
 */
export function compareExports(fates: ExportFates, itemsPerExport: number, rows: Iterable<ExportRow>): StoredExports {
  let doubled = 0;
  let found = 0;
  for (const { producer, number, rows: count, ids } of rows) {
    const fate = fates[producer]?.[number];
    // What was never sent is counted as what it is to the user: rows too many.
    doubled += fate === undefined ? Number(count) : Number(count) - Number(ids);
    if (fate === 'a') found += Number(ids);
  }
  let accepted = 0;
  for (const ofProducer of fates) for (const fate of ofProducer) if (fate === 'a') accepted += itemsPerExport;
  return { lost: accepted - found, doubled };
}

/** Asks the stack for the rows of a run, an export each. */
export function exportRows(stack: TestStack, run: string, itemsPerExport: number): Promise<ExportRow[]> {
  const id = "SpanAttributes['weir.load.id']";
  const part = (index: number) => `splitByChar('/', ${id})[${index}]`;
  return stack.query<ExportRow>(
    `SELECT toUInt32(${part(2)}) AS producer, toUInt32(intDiv(toUInt64(${part(3)}), ${itemsPerExport})) AS number,
            count() AS rows, uniqExact(${id}) AS ids
     FROM otel_traces WHERE startsWith(${id}, '${run}/') GROUP BY producer, number`,
  );
}
