import { systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS } from '@weir/records';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { openDlq } from './dlq-parts.ts';
import { COUNT_HEADINGS, countRow, LetterCounts } from './letter-counts.ts';
import { type FilterOptions, isFiltered, letterFilter } from './letter-filter.ts';
import { DLQ_PARTITION, dlqEnd, readLetters } from './letters.ts';

export interface DlqPurgeOptions extends FilterOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const PURGED_AT_ONCE = 1_000;

/** How far the records of weir.dlq can go. */
interface Reach {
  /** Offset up to which every letter is done with. */
  readonly until: number;
  /** Letters that are done with behind that one. */
  readonly behind: number;
}

/**
 * Marks letters as done with: they are listed and redriven no more. Then Kafka lets go of the oldest ones as far as
 * all are done with, redriven ones too; it can let go of nothing else. The books are not changed: what was dead-lettered stays so.
 */
export async function dlqPurge(context: Context, options: DlqPurgeOptions, signal: AbortSignal): Promise<number> {
  if (!isFiltered(options) && options.all !== true) {
    throw new UsageError('say which letters: --reason, --tenant, --signal, --id, --from, --to, or --all');
  }
  const wanted = letterFilter(options, systemClock.wallNs());
  const { outside } = context;
  const { log, journal } = await openDlq(context, signal);
  const end = await dlqEnd(log, signal);
  const counts = new LetterCounts();
  let sending = 0;
  for await (const letter of readLetters(log, signal, end)) {
    const state = journal.book.letter(letter.key);
    if (!wanted(letter)) continue;
    if (state === 'sending') sending++;
    if (state === 'waiting') counts.add(letter, 'to be purged');
  }
  printRows(outside, context.options.json === true, COUNT_HEADINGS, counts.all().map(countRow));
  if (sending > 0) outside.err(`${sending} letters are being redriven, and are not purged\n`);
  if (options.dryRun === true) return 0;
  if (options.yes !== true) {
    outside.err('nothing was purged: give --yes\n');
    return 1;
  }
  let keys: string[] = [];
  const flush = async () => {
    if (keys.length > 0) await journal.put({ kind: 'purged', letters: keys }, signal);
    keys = [];
  };
  for await (const letter of readLetters(log, signal, end)) {
    if (!wanted(letter) || journal.book.letter(letter.key) !== 'waiting') continue;
    keys.push(letter.key);
    if (keys.length === PURGED_AT_ONCE) await flush();
  }
  await flush();
  const reach = await reachOf({ log, journal }, end, signal);
  if (reach.until > 0) await context.kafkaAdmin().deleteBefore(CONTROL_TOPICS.dlq, DLQ_PARTITION, reach.until);
  outside.err(`Kafka has let go of what stands before ${DLQ_PARTITION}:${reach.until}\n`);
  if (reach.behind > 0) {
    outside.err(
      `${reach.behind} letters that are done with stand behind one that is not: their bytes stay until that one goes, or by the retention of weir.dlq\n`,
    );
  }
  return sending > 0 ? 1 : 0;
}

async function reachOf(
  { log, journal }: Awaited<ReturnType<typeof openDlq>>,
  end: number,
  signal: AbortSignal,
): Promise<Reach> {
  let until: number | undefined;
  let behind = 0;
  const stop = (offset: number) => {
    until = Math.min(until ?? offset, offset);
  };
  for await (const letter of readLetters(log, signal, end, stop)) {
    const state = journal.book.letter(letter.key);
    if (state === 'waiting' || state === 'sending') stop(letter.offset);
    else if (until !== undefined) behind++;
  }
  return { until: until ?? end, behind };
}
