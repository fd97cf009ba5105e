import { systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS } from '@weir/records';
import { agreed, checkAskable } from '../agreed.ts';
import { type Context, UsageError } from '../context.ts';
import { printable, printRows } from '../output.ts';
import { type DlqParts, openDlq } from './dlq-parts.ts';
import { COUNT_HEADINGS, countRow, LetterCounts, shownCount } from './letter-counts.ts';
import { type FilterOptions, isFiltered, letterFilter } from './letter-filter.ts';
import { DLQ_PARTITION, dlqEnd, type Letter, readLetters } from './letters.ts';

export interface DlqPurgeOptions extends FilterOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const PURGED_AT_ONCE = 1_000;

/** How far Kafka lets go of weir.dlq: of its oldest records only, up to the first letter that is not done with. */
interface Reach {
  readonly before: number;
  /** Of what it lets go of, letters that were redriven, promoted or purged before, by tenant. */
  readonly doneBefore: Readonly<Record<string, number>>;
  /** Letters that are done with, but stand behind that one. */
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
  if (options.dryRun !== true) checkAskable(context, options.yes);
  const { outside } = context;
  const parts = await openDlq(context, signal);
  const { log, journal } = parts;
  const end = await dlqEnd(log, signal);
  const counts = new LetterCounts();
  let sending = 0;
  const isPurged = (letter: Letter) => wanted(letter) && journal.book.letter(letter.key) === 'waiting';
  for await (const letter of readLetters(log, signal, end)) {
    if (isPurged(letter)) counts.add(letter, 'to be purged');
    else if (wanted(letter) && journal.book.letter(letter.key) === 'sending') sending++;
  }
  const planned = await reachOf(parts, end, isPurged, signal);
  printPlan(context, counts, planned, sending);
  if (options.dryRun === true) return 0;
  if (!(await agreed(context, options.yes, 'Purge them?'))) return 1;
  let purged = 0;
  let keys: string[] = [];
  const flush = async () => {
    if (keys.length > 0) await journal.put({ kind: 'purged', letters: keys }, signal);
    purged += keys.length;
    keys = [];
  };
  for await (const letter of readLetters(log, signal, end)) {
    if (!isPurged(letter)) continue;
    keys.push(letter.key);
    if (keys.length === PURGED_AT_ONCE) await flush();
  }
  await flush();
  const { before, behind } = await reachOf(parts, end, () => false, signal);
  if (before > 0) await context.kafkaAdmin().deleteBefore(CONTROL_TOPICS.dlq, DLQ_PARTITION, before);
  if (context.options.json === true) {
    outside.out(`${JSON.stringify({ event: 'done', purged, letGoBefore: before, behind, sending })}\n`);
  } else {
    outside.out(`${purged} letters were purged; Kafka has let go of what stands before ${DLQ_PARTITION}:${before}\n`);
    if (behind > 0) outside.out(behindText(behind));
  }
  return sending > 0 ? 1 : 0;
}

function printPlan({ outside, options }: Context, counts: LetterCounts, reach: Reach, sending: number): void {
  if (options.json === true) {
    const letters = counts.all().map(shownCount);
    outside.out(`${JSON.stringify({ event: 'plan', counts: letters, reach, sending })}\n`);
    return;
  }
  printRows(outside, false, COUNT_HEADINGS, counts.all().map(countRow));
  if (sending > 0) outside.out(`${sending} letters are being redriven or promoted, and are not purged\n`);
  outside.out(`Kafka lets go of all that stands before ${DLQ_PARTITION}:${reach.before}`);
  const tenants = Object.entries(reach.doneBefore).map(([tenant, letters]) => `${letters} of ${tenant || 'nobody'}`);
  outside.out(
    tenants.length === 0 ? '\n' : `, and so of letters that were done with before: ${printable(tenants.join(', '))}\n`,
  );
  if (reach.behind > 0) outside.out(behindText(reach.behind));
}

function behindText(letters: number): string {
  return `${letters} letters that are done with stand behind one that is not: their bytes stay until that one goes, or by the retention of weir.dlq\n`;
}

/**
 * By what the journal has now: a promotion may have taken letters meanwhile that were purged before.
 * @param willBe done with as well
 */
export async function reachOf(
  { log, journal }: DlqParts,
  end: number,
  willBe: (letter: Letter) => boolean,
  signal: AbortSignal,
): Promise<Reach> {
  await journal.refresh(signal);
  let until: number | undefined;
  let behind = 0;
  const doneBefore = new Map<string, number>();
  const stop = (offset: number) => {
    until = Math.min(until ?? offset, offset);
  };
  for await (const letter of readLetters(log, signal, end, stop)) {
    const state = journal.book.letter(letter.key);
    const willBeDone = willBe(letter);
    if (!willBeDone && (state === 'waiting' || state === 'sending')) stop(letter.offset);
    else if (until !== undefined) behind++;
    else if (!willBeDone) doneBefore.set(letter.meta.tenant, (doneBefore.get(letter.meta.tenant) ?? 0) + 1);
  }
  return { before: until ?? end, doneBefore: Object.fromEntries(doneBefore), behind };
}
