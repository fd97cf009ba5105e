import { randomBytes } from 'node:crypto';
import { systemClock } from '@weir/pipeline';
import { isTrack, trackTopics } from '@weir/records';
import type { Tenant } from '@weir/tenancy';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { readDirectory } from '../tenants-topic.ts';
import { type DlqParts, openDlq } from './dlq-parts.ts';
import { COUNT_HEADINGS, countRow, LetterCounts } from './letter-counts.ts';
import { type FilterOptions, type LetterFilter, letterFilter } from './letter-filter.ts';
import { dlqEnd, readLetters } from './letters.ts';
import { type RawCopy, rawCopyOf } from './raw-copy.ts';
import { Redriver } from './redriver.ts';

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
}

/**
 * Sends letters through the pipe again, from the raw log on, each once. Status 1 where some that were asked for cannot be
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
  const dry = options.dryRun === true || options.yes !== true;
  const directory = await readDirectory(log, signal);
  const tenantOf = (name: string) => directory.get(name);
  const run = { ...parts, wanted, tenantOf, end: await dlqEnd(log, signal) };
  if (dry) {
    const left = await plan(context, run, signal);
    const open = journal.book.open().length;
    if (open > 0)
      outside.err(`${open} appends of an earlier redrive are open: they are settled before anything is sent\n`);
    if (options.dryRun !== true) outside.err('nothing was sent: give --yes\n');
    return options.dryRun === true && left === 0 ? 0 : 1;
  }
  const unknown = await redriver.settle(signal);
  if (unknown > 0)
    outside.err(`of ${unknown} letters it cannot be told any more whether they were sent: they are left\n`);
  const left = await plan(context, run, signal);
  const sent = await send(run, redriver, mibPerS * MIB, signal);
  outside.err(`${sent.letters} letters with ${sent.items} items were sent to ${trackTopics(track).raw}\n`);
  return left > 0 || unknown > 0 ? 1 : 0;
}

/** Prints what will be sent, and what will not be and why. Returns how many letters will not be. */
async function plan(context: Context, run: Run, signal: AbortSignal): Promise<number> {
  const counts = new LetterCounts();
  let left = 0;
  const nowNs = systemClock.wallNs();
  for await (const letter of readLetters(run.log, signal, run.end)) {
    if (!run.wanted(letter) || run.journal.book.letter(letter.key) !== 'waiting') continue;
    const made = rawCopyOf(letter, run.tenantOf, nowNs);
    if (!made.ok) left++;
    counts.add(letter, made.ok ? 'to be sent' : `left: ${made.why}`);
  }
  printRows(context.outside, context.options.json === true, COUNT_HEADINGS, counts.all().map(countRow));
  return left;
}

async function send(run: Run, redriver: Redriver, bytesPerS: number, signal: AbortSignal) {
  const sent = { letters: 0, items: 0 };
  let chunk: RawCopy[] = [];
  let bytes = 0;
  const flush = async () => {
    if (chunk.length === 0) return;
    const startedMs = systemClock.nowMs();
    await redriver.send(chunk, signal);
    sent.letters += chunk.length;
    for (const { record } of chunk) sent.items += record.meta.items;
    const waitMs = (bytes / bytesPerS) * MS_PER_S - (systemClock.nowMs() - startedMs);
    chunk = [];
    bytes = 0;
    if (waitMs > 0) await systemClock.sleep(waitMs, signal);
  };
  for await (const letter of readLetters(run.log, signal, run.end)) {
    if (!run.wanted(letter) || run.journal.book.letter(letter.key) !== 'waiting') continue;
    const made = rawCopyOf(letter, run.tenantOf, systemClock.wallNs());
    if (!made.ok) continue;
    if (chunk.length === CHUNK_LETTERS || bytes + letter.value.length > CHUNK_BYTES) await flush();
    chunk.push(made.copy);
    bytes += letter.value.length;
  }
  await flush();
  return sent;
}
