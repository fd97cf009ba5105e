import type { KafkaAdmin } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { isTrack, type Track, trackTopics } from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import { agreed, checkAskable } from '../agreed.ts';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { Pacer } from '../pacer.ts';
import { ProgressLine } from '../progress-line.ts';
import { readRate } from '../rate.ts';
import { Refused } from '../refused.ts';
import { readDirectory } from '../tenants-topic.ts';
import { type DlqParts, openDlq } from './dlq-parts.ts';
import { COUNT_HEADINGS, countRow, LetterCounts, shownCount } from './letter-counts.ts';
import { type FilterOptions, type LetterFilter, letterFilter } from './letter-filter.ts';
import { dlqEnd, type Letter, readLetters, sourceTrack } from './letters.ts';
import { PipeRoom } from './pipe-room.ts';
import { type RawCopy, rawCopyOf } from './raw-copy.ts';
import { type RowsCopy, type RowsRedriver, rowsOf } from './rows-redriver.ts';
import { Sender, type Sent } from './sender.ts';
import { rowsRedriverOf, settle } from './settle.ts';

export interface DlqRedriveOptions extends FilterOptions {
  readonly track?: string;
  readonly rate: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** What one run of the command is about. */
interface Run extends DlqParts {
  readonly wanted: LetterFilter;
  readonly tenantOf: (name: string) => Tenant | undefined;
  readonly trackOf: (letter: Letter) => Track;
  /** 0: there is no such track. */
  readonly partitionsOf: (track: Track) => Promise<number>;
  /** Letters from here on are of a later time: what comes back is not sent again and again. */
  readonly end: number;
  readonly rowsRedriver: RowsRedriver;
  readonly rate: number;
}

/** What a letter is sent as, or why it is left. */
type Made =
  | { readonly kind: 'raw'; readonly copy: RawCopy }
  | { readonly kind: 'rows'; readonly rows: RowsCopy }
  | { readonly kind: 'left'; readonly why: string };

/** How many letters and items are to be sent, and how many letters are not. */
interface Planned {
  readonly letters: number;
  readonly items: number;
  readonly left: number;
  /** Letters, of all there are, that an earlier redrive may have sent. */
  readonly cutOff: number;
}

/**
 * Sends letters through the pipe again, from the raw log on, each once; rows that ClickHouse refused go into their table. Status 1
 * where some that were asked for are not sent.
 * @param track of letters that do not say where they came from
 */
export async function dlqRedrive(
  context: Context,
  options: DlqRedriveOptions,
  track: string,
  signal: AbortSignal,
): Promise<number> {
  if (!isTrack(options.track ?? track)) throw new UsageError('--track must be v1, v2, …');
  const rate = readRate(options.rate);
  const wanted = letterFilter(options, systemClock.wallNs());
  if (options.dryRun !== true) checkAskable(context, options.yes);
  const parts = await openDlq(context, signal);
  const partitionsOf = partitionsIn(context.kafkaAdmin());
  if (options.track !== undefined && (await partitionsOf(options.track)) === 0) {
    throw new Refused(`there is no track ${options.track}: ${trackTopics(options.track).raw} does not exist`);
  }
  const directory = await readDirectory(parts.log, signal);
  const run: Run = {
    ...parts,
    wanted,
    tenantOf: (name) => directory.get(name),
    trackOf: (letter) => options.track ?? sourceTrack(letter) ?? track,
    partitionsOf,
    end: await dlqEnd(parts.log, signal),
    rowsRedriver: rowsRedriverOf(context, parts),
    rate,
  };
  const planned = await plan(context, run, signal);
  if (options.dryRun === true) return planned.left + planned.cutOff === 0 ? 0 : 1;
  const isNothing = planned.letters + planned.cutOff === 0;
  if (!isNothing && !(await agreed(context, options.yes, 'Send them?'))) return 1;
  const unknown = await settle(parts, run.rowsRedriver, signal);
  const { sent, left } = await send(context, run, planned.items, signal);
  print(context, sent, left, unknown);
  return left.size + unknown + sent.refused + sent.unknown > 0 ? 1 : 0;
}

function partitionsIn(admin: KafkaAdmin): (track: Track) => Promise<number> {
  const known = new Map<Track, Promise<number>>();
  const describe = async (track: Track) => (await admin.describe([trackTopics(track).raw]))[0]?.partitions ?? 0;
  return (track) => {
    const count = known.get(track) ?? describe(track);
    known.set(track, count);
    return count;
  };
}

async function make(run: Pick<Run, 'tenantOf' | 'trackOf' | 'partitionsOf'>, letter: Letter): Promise<Made> {
  if (letter.meta.table !== undefined) {
    const made = rowsOf(letter);
    return made.ok ? { kind: 'rows', rows: made.rows } : { kind: 'left', why: made.why };
  }
  const made = rawCopyOf(letter, run.tenantOf, systemClock.wallNs());
  if (!made.ok) return { kind: 'left', why: made.why };
  const track = run.trackOf(letter);
  if ((await run.partitionsOf(track)) > 0) return { kind: 'raw', copy: made.copy };
  return { kind: 'left', why: `there is no track ${track} any more: say --track` };
}

/** Prints what will be sent, and where to, and what will not be and why. */
export async function plan(
  context: Context,
  run: Pick<Run, 'log' | 'journal' | 'wanted' | 'tenantOf' | 'trackOf' | 'partitionsOf' | 'end'>,
  signal: AbortSignal,
): Promise<Planned> {
  const { book } = run.journal;
  const counts = new LetterCounts();
  const sums = { letters: 0, items: 0, left: 0 };
  for await (const letter of readLetters(run.log, signal, run.end)) {
    if (!run.wanted(letter)) continue;
    const state = book.letter(letter.key);
    const promoter = book.promoter(letter.key);
    if (promoter !== undefined) counts.add(letter, `held by a promotion: ingestctl shadow promote ${promoter}`);
    else if (state === 'sending') counts.add(letter, 'cut off while it was sent: that is settled first');
    if (state !== 'waiting') continue;
    const made = await make(run, letter);
    counts.add(letter, textOf(run, letter, made));
    if (made.kind === 'left') sums.left++;
    else {
      sums.letters++;
      sums.items += letter.meta.items;
    }
  }
  const cutOff = [...book.open(), ...book.openInserts()].reduce((sum, { letters }) => sum + letters.length, 0);
  if (context.options.json === true) {
    const letters = counts.all().map(shownCount);
    context.outside.out(`${JSON.stringify({ event: 'plan', ...sums, cutOff, counts: letters })}\n`);
  } else {
    printRows(context.outside, false, COUNT_HEADINGS, counts.all().map(countRow));
    const more = cutOff === 0 ? '' : `; ${cutOff} letters of earlier redrives are settled first`;
    context.outside.out(`${sums.letters} letters with ${sums.items} items to be sent, ${sums.left} left${more}\n`);
  }
  return { ...sums, cutOff };
}

function textOf(run: Pick<Run, 'trackOf'>, letter: Letter, made: Made): string {
  if (made.kind === 'left') return `left: ${made.why}`;
  if (made.kind === 'rows') return `to be inserted into ${made.rows.table}`;
  const { raw } = trackTopics(run.trackOf(letter));
  const { sourceTopic } = letter.meta;
  return `to be sent to ${raw}${sourceTopic === raw ? '' : `, comes from ${sourceTopic}`}`;
}

async function send(
  context: Context,
  run: Run,
  items: number,
  signal: AbortSignal,
): Promise<{ sent: Sent; left: ReadonlyMap<string, number> }> {
  const progress = new ProgressLine(context.outside, context.options.json !== true, () => systemClock.nowMs());
  const room = new PipeRoom(run.log, systemClock);
  const left = new Map<string, number>();
  const sender = new Sender({
    ...run,
    clock: systemClock,
    pacer: new Pacer(run.rate, systemClock),
    room,
    onFull: (fill) => context.outside.err(`the pipe is ${Math.round(fill * 100)} % full: waiting for room\n`),
    onSent: (done) => progress.draw(done, items),
  });
  await room.start(signal);
  try {
    for await (const letter of readLetters(run.log, signal, run.end)) {
      if (!run.wanted(letter) || run.journal.book.letter(letter.key) !== 'waiting') continue;
      const made = await make(run, letter);
      if (made.kind === 'left') left.set(made.why, (left.get(made.why) ?? 0) + 1);
      else if (made.kind === 'raw') await sender.raw(run.trackOf(letter), made.copy, signal);
      else await sender.rows(sourceTrack(letter) ?? run.trackOf(letter), made.rows, signal);
    }
    await sender.flush(signal);
  } finally {
    progress.end();
    await room.stop();
  }
  return { sent: sender.sent, left };
}

function print(context: Context, sent: Sent, left: ReadonlyMap<string, number>, unsettled: number): void {
  const { outside, options } = context;
  if (options.json === true) {
    const done = { event: 'done', ...sent, unsettled, left: Object.fromEntries(left) };
    outside.out(`${JSON.stringify(done)}\n`);
    return;
  }
  outside.out(`${sent.letters} letters with ${sent.items} items were sent\n`);
  for (const [why, letters] of left) outside.out(`${letters} letters are left: ${why}\n`);
  if (sent.refused > 0) outside.out(`ClickHouse still refuses the rows of ${sent.refused} letters\n`);
  if (sent.unknown > 0)
    outside.out(
      `ClickHouse refuses the rows of ${sent.unknown} letters after it had not answered, and may have them: run it again within the hour\n`,
    );
  if (unsettled > 0)
    outside.out(
      `of ${unsettled} letters it cannot be told whether they were sent: they are left; see ingestctl dlq release --help\n`,
    );
}
