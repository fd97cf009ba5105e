import { type ExportFates, ID_ATTRIBUTE, SIGNAL_TABLES } from '@weir/bench-load';
import type { TestStack } from '@weir/testkit';
import type { LoadSpec } from './point.ts';

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

/** Asks the stack for the rows of a run, an export each. Numbers are told apart by a bitmap: of millions of ids a set would fill the memory. */
export function exportRows(stack: TestStack, run: string, { signal, itemsPerExport }: LoadSpec): Promise<ExportRow[]> {
  const { table, attributes, id } = SIGNAL_TABLES[signal];
  const kept = `${attributes}['${ID_ATTRIBUTE}']`;
  return stack.query<ExportRow>(
    `WITH splitByChar('/', ${id ?? kept}) AS parts, toUInt64(parts[3]) AS item
     SELECT toUInt32(parts[2]) AS producer, toUInt32(intDiv(item, ${itemsPerExport})) AS number,
            count() AS rows, groupBitmap(toUInt32(item % ${itemsPerExport})) AS ids
     FROM ${table} WHERE startsWith(${kept}, '${run}/') GROUP BY producer, number`,
  );
}
