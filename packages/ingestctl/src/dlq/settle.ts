import { randomBytes } from 'node:crypto';
import type { ClickHouse } from '@weir/clickhouse';
import { systemClock } from '@weir/pipeline';
import type { Context } from '../context.ts';
import type { DlqParts } from './dlq-parts.ts';
import { readLetters } from './letters.ts';
import { settleAppends } from './redriver.ts';
import { type RowsCopy, RowsRedriver, rowsOf } from './rows-redriver.ts';

/** Inserts rows of letters; only who has any needs ClickHouse. */
export function rowsRedriverOf(context: Context, { journal, waits }: DlqParts): RowsRedriver {
  let clickhouse: ClickHouse | undefined;
  const lazy: Pick<ClickHouse, 'insertBlocks'> = {
    insertBlocks: (insert, signal) => {
      clickhouse ??= context.clickhouse();
      return clickhouse.insertBlocks(insert, signal);
    },
  };
  return new RowsRedriver(waits.inserts(lazy), systemClock, journal, randomBytes(8).toString('hex'));
}

/** Finds out what became of what earlier redrives left. Returns of how many letters that cannot be told. */
export async function settle(
  { log, journal }: DlqParts,
  rowsRedriver: RowsRedriver,
  signal: AbortSignal,
): Promise<number> {
  const unknown = await settleAppends({ log, clock: systemClock, journal }, signal);
  const cutOff = new Set(journal.book.openInserts().flatMap(({ letters }) => letters));
  if (cutOff.size === 0) return unknown;
  const rows = new Map<string, RowsCopy>();
  for await (const letter of readLetters(log, signal)) {
    const made = cutOff.has(letter.key) ? rowsOf(letter) : undefined;
    if (made?.ok === true) rows.set(letter.key, made.rows);
  }
  return unknown + (await rowsRedriver.settle((key) => rows.get(key), signal));
}
