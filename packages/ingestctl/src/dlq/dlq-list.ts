import { systemClock } from '@weir/pipeline';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { timeText } from '../times.ts';
import { openDlq } from './dlq-parts.ts';
import { COUNT_HEADINGS, countRow, LetterCounts } from './letter-counts.ts';
import { type FilterOptions, letterFilter } from './letter-filter.ts';
import { letterId, readLetters } from './letters.ts';

export interface DlqListOptions extends FilterOptions {
  readonly all?: boolean;
  readonly letters?: boolean;
  readonly limit: string;
}

const LIMIT_MAX = 100_000;

/** Counts letters, or lists them one by one. What was redriven or purged is shown only where all is asked for. */
export async function dlqList(context: Context, options: DlqListOptions, signal: AbortSignal): Promise<number> {
  const wanted = letterFilter(options, systemClock.wallNs());
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw new UsageError(`--limit must be a whole number from 1 to ${LIMIT_MAX}`);
  }
  const { log, journal } = await openDlq(context, signal);
  const counts = new LetterCounts();
  const rows: (string | number)[][] = [];
  let unreadable = 0;
  let more = 0;
  for await (const letter of readLetters(log, signal, undefined, () => unreadable++)) {
    const state = journal.book.letter(letter.key);
    const open = state === 'waiting' || state === 'sending';
    if (!wanted(letter) || (!open && options.all !== true)) continue;
    counts.add(letter, state);
    if (options.letters !== true) continue;
    const { reason, tenant, signal: kind, items, firstSeenNs } = letter.meta;
    if (rows.length === limit) more++;
    else rows.push([letterId(letter), timeText(firstSeenNs), reason, tenant, kind, state, items, letter.key]);
  }
  const json = context.options.json === true;
  if (options.letters === true) {
    const headings = ['id', 'first seen', 'reason', 'tenant', 'signal', 'state', 'items', 'key'];
    printRows(context.outside, json, headings, rows);
    if (more > 0) context.outside.err(`${more} more: give a higher --limit, or a narrower filter\n`);
  } else printRows(context.outside, json, COUNT_HEADINGS, counts.all().map(countRow));
  if (unreadable > 0) context.outside.err(`${unreadable} records of weir.dlq are no letters that can be read\n`);
  return 0;
}
