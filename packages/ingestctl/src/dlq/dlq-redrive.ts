import { randomBytes } from 'node:crypto';
import type { ClickHouse } from '@weir/clickhouse';
import { systemClock } from '@weir/pipeline';
import { isTrack, trackTopics } from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { readDirectory } from '../tenants-topic.ts';
import { type DlqParts, openDlq } from './dlq-parts.ts';
import { COUNT_HEADINGS, countRow, LetterCounts } from './letter-counts.ts';
import { type FilterOptions, type LetterFilter, letterFilter } from './letter-filter.ts';
import { dlqEnd, type Letter, readLetters } from './letters.ts';
import { type RawCopy, rawCopyOf } from './raw-copy.ts';
import { Redriver } from './redriver.ts';
import { type RowsCopy, RowsRedriver, rowsOf } from './rows-redriver.ts';

export interface DlqRedriveOptions extends FilterOptions {
  readonly track: string;
  readonly rate: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const CHUNK_BYTES = 1024 ** 2;
const CHUNK_LETTERS = 200;
const MIB = 1024 ** 2;
const RATE_MAX = 1_000;
const MS_PER_S = 1_000;

/** What one run of the command is about. */
interface Run extends DlqParts {
  readonly wanted: LetterFilter;
  readonly tenantOf: (name: string) => Tenant | undefined;
  /** Letters from here on are of a later time: what comes back is not sent again and again. */
  readonly end: number;
  readonly redriver: Redriver;
  readonly rowsRedriver: RowsRedriver;
  readonly bytesPerS: number;
}

/** What a letter is sent as, or why it is left. */
type Made =
  | { readonly kind: 'raw'; readonly copy: RawCopy }
  | { readonly kind: 'rows'; readonly rows: RowsCopy }
  | { readonly kind: 'left'; readonly why: string };

/**
 * Sends letters through the pipe again, from the raw log on, each once; rows that ClickHouse refused go into their table. Status 1 where some that were asked for cannot be
 * sent, or nothing was said that it shall be.
 */
export async function dlqRedrive(context: Context, options: DlqRedriveOptions, signal: AbortSignal): Promise<number> {
  const { track } = options;
  if (!isTrack(track)) throw new UsageError('--track must be v1, v2, …');
  const mibPerS = Number(options.rate);
  if (!(mibPerS > 0 && mibPerS <= RATE_MAX)) throw new UsageError(`--rate must be above 0 and at most ${RATE_MAX}`);
  const wanted = letterFilter(options, Date.now());
  const { outside } = context;
  const parts = await openDlq(context, signal);
  const { log, journal } = parts;
  const [raw] = await context.kafkaAdmin().describe([trackTopics(track).raw]);
  if (raw === undefined || raw.partitions === 0) throw new UsageError(`there is no topic ${trackTopics(track).raw}`);
  const edge = randomBytes(8).toString('hex');
  const redriver = new Redriver({ log, clock: systemClock, journal, track, partitions: raw.partitions, edge });
  const rowsRedriver = new RowsRedriver(lazily(context), systemClock, journal, edge);
  const directory = await readDirectory(log, signal);
  const tenantOf = (name: string) => directory.get(name);
  const end = await dlqEnd(log, signal);
  for (const replay of new Set(journal.book.openPromotions().map((promotion) => promotion.replay))) {
    outside.err(`a promotion was cut off and holds dead letters: ingestctl shadow promote ${replay}\n`);
  }
  const run: Run = { ...parts, wanted, tenantOf, end, redriver, rowsRedriver, bytesPerS: mibPerS * MIB };
  if (options.dryRun === true || options.yes !== true) {
    const left = await plan(context, run, signal);
    const open = journal.book.open().length + journal.book.openInserts().length;
    if (open > 0) outside.err(`an earlier redrive was cut off: that is settled before anything is sent\n`);
    if (options.dryRun !== true) outside.err('nothing was sent: give --yes\n');
    return options.dryRun === true && left === 0 ? 0 : 1;
  }
  const unknown = await settle(run, signal);
  if (unknown > 0) outside.err(`of ${unknown} letters it cannot be told whether they were sent: they are left\n`);
  const left = await plan(context, run, signal);
  const sent = await send(run, signal);
  outside.err(`${sent.letters} letters with ${sent.items} items were sent\n`);
  if (sent.refused > 0) outside.err(`ClickHouse still refuses the rows of ${sent.refused} letters\n`);
  if (sent.unknown > 0)
    outside.err(
      `ClickHouse refuses the rows of ${sent.unknown} letters after it had not answered, and may have them: run it again within the hour\n`,
    );
  return left + unknown + sent.refused + sent.unknown > 0 ? 1 : 0;
}

/** Only who has rows to insert needs ClickHouse. */
function lazily(context: Context): Pick<ClickHouse, 'insertBlocks'> {
  let clickhouse: ClickHouse | undefined;
  return {
    insertBlocks: (insert, signal) => {
      clickhouse ??= context.clickhouse();
      return clickhouse.insertBlocks(insert, signal);
    },
  };
}

/** Settles what earlier redrives left. Returns of how many letters it cannot be told. */
async function settle({ log, journal, redriver, rowsRedriver }: Run, signal: AbortSignal): Promise<number> {
  const unknown = await redriver.settle(signal);
  const cutOff = new Set(journal.book.openInserts().flatMap(({ letters }) => letters));
  if (cutOff.size === 0) return unknown;
  const rows = new Map<string, RowsCopy>();
  for await (const letter of readLetters(log, signal)) {
    const made = cutOff.has(letter.key) ? rowsOf(letter) : undefined;
    if (made?.ok === true) rows.set(letter.key, made.rows);
  }
  return unknown + (await rowsRedriver.settle((key) => rows.get(key), signal));
}

function make(run: Run, letter: Letter): Made {
  if (letter.meta.table !== undefined) {
    const made = rowsOf(letter);
    return made.ok ? { kind: 'rows', rows: made.rows } : { kind: 'left', why: made.why };
  }
  const made = rawCopyOf(letter, run.tenantOf, systemClock.wallNs());
  return made.ok ? { kind: 'raw', copy: made.copy } : { kind: 'left', why: made.why };
}

/** Prints what will be sent, and what will not be and why. Returns how many letters will not be. */
async function plan(context: Context, run: Run, signal: AbortSignal): Promise<number> {
  const counts = new LetterCounts();
  let left = 0;
  for await (const letter of waiting(run, signal)) {
    const made = make(run, letter);
    if (made.kind === 'left') left++;
    counts.add(letter, made.kind === 'left' ? `left: ${made.why}` : 'to be sent');
  }
  printRows(context.outside, context.options.json === true, COUNT_HEADINGS, counts.all().map(countRow));
  return left;
}

async function* waiting({ log, journal, wanted, end }: Run, signal: AbortSignal): AsyncGenerator<Letter> {
  for await (const letter of readLetters(log, signal, end)) {
    if (wanted(letter) && journal.book.letter(letter.key) === 'waiting') yield letter;
  }
}

async function send(run: Run, signal: AbortSignal) {
  const sent = { letters: 0, items: 0, refused: 0, unknown: 0 };
  let chunk: RawCopy[] = [];
  let bytes = 0;
  const flush = async () => {
    if (chunk.length === 0) return;
    await paced(run, bytes, () => run.redriver.send(chunk, signal), signal);
    sent.letters += chunk.length;
    for (const { record } of chunk) sent.items += record.meta.items;
    chunk = [];
    bytes = 0;
  };
  for await (const letter of waiting(run, signal)) {
    const made = make(run, letter);
    const size = letter.value.length;
    if (made.kind === 'rows') {
      const outcome = await paced(run, size, () => run.rowsRedriver.send(made.rows, signal), signal);
      if (outcome !== 'stored') sent[outcome]++;
      else {
        sent.letters++;
        sent.items += made.rows.rows;
      }
    } else if (made.kind === 'raw') {
      if (chunk.length === CHUNK_LETTERS || bytes + size > CHUNK_BYTES) await flush();
      chunk.push(made.copy);
      bytes += size;
    }
  }
  await flush();
  return sent;
}

/** Does it, and lets it take as long as so many bytes may. */
async function paced<T>({ bytesPerS }: Run, bytes: number, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const startedMs = systemClock.nowMs();
  const done = await work();
  const waitMs = (bytes / bytesPerS) * MS_PER_S - (systemClock.nowMs() - startedMs);
  if (waitMs > 0) await systemClock.sleep(waitMs, signal);
  return done;
}
