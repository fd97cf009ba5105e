import { zstdDecompressSync } from 'node:zlib';
import type { Log } from '@weir/delivery';
import { BlockRows } from '@weir/native';
import type { SignalKind } from '@weir/pipeline';
import { type DlqReason, rawPosition, readRawPosition, tableLayouts, trackTopics } from '@weir/records';
import { type Letter, readLetters } from '../dlq/letters.ts';
import type { LetterState, RedriveBook } from '../dlq/redrive-book.ts';
import { Refused } from '../refused.ts';
import { type ReplayPlan, takes } from '../replay/plan.ts';
import { digestOf } from '../replay/replay-dead.ts';

/** A dead letter that has to do with raw records of a replay. */
export interface WindowLetter {
  readonly key: string;
  readonly state: LetterState;
  /** The replay whose promotion holds it. */
  readonly promoter: string | undefined;
  readonly tenant: string;
  readonly signal: SignalKind;
  readonly reason: DlqReason;
  readonly items: number;
  /** `raw`: items of one raw record, sent again as a record of their own. `rows`: rows, sent again as they are. */
  readonly kind: 'raw' | 'rows';
  /** Its items at each raw position. */
  readonly places: ReadonlyMap<bigint, number>;
  /** Of the bytes of a `raw` letter, as a replay tells its own. */
  readonly digest: string;
  /** Day of receipt of `rows`, days since the epoch. */
  readonly day: number | undefined;
}

/** What weir.dlq and its journal say of a window. */
export interface WindowLetters {
  readonly letters: readonly WindowLetter[];
  /** Raw records that could not be read, and are nobody's in the books. */
  readonly unread: readonly bigint[];
  /** Raw records with letters of which only the journal still knows. */
  readonly gone: readonly bigint[];
  /** Letters that a promotion of this replay holds and weir.dlq has let go of, with their raw position where that is one. */
  readonly missing: ReadonlyMap<string, bigint | undefined>;
}

const BLOCK_BYTES_MAX = 256 * 1024 ** 2;
const DAY_MS = 86_400_000;

/** Whether a raw record is of what was replayed. */
export function isInWindow({ track, partitions }: ReplayPlan, position: bigint): boolean {
  const place = readRawPosition(position);
  if (place === undefined || place.track !== track) return false;
  return partitions.some(
    ({ partition, first, last }) => partition === place.partition && first <= place.offset && place.offset <= last,
  );
}

/**
 * Reads all dead letters, and keeps what has to do with the window.
 * @throws Refused where letters with rows of its days do not say of which raw records they are
 */
export async function readWindowLetters(
  log: Log,
  book: RedriveBook,
  plan: ReplayPlan,
  signal: AbortSignal,
): Promise<WindowLetters> {
  const letters: WindowLetter[] = [];
  const unread: bigint[] = [];
  const seen = new Set<string>();
  const held = new Set<string>();
  const topics = trackTopics(plan.track);
  let unplaced = 0;
  for await (const letter of readLetters(log, signal)) {
    const { tenant, sourceTopic, sourcePartition, sourceOffset, table } = letter.meta;
    if (book.promoter(letter.key) === plan.id) held.add(letter.key);
    if (sourceTopic === topics.raw) {
      const position = rawPosition(plan.track, sourcePartition, sourceOffset);
      if (!isInWindow(plan, position)) continue;
      seen.add(letter.key);
      if (tenant === '') unread.push(position);
      else if (takes(plan.filter, letter.meta)) letters.push(rawLetter(letter, book, position));
    } else if (sourceTopic === topics.rows && table !== undefined && plan.tables.includes(table)) {
      const isOfPlan = plan.partitions.some(({ partition }) => partition === sourcePartition);
      if (!isOfPlan || tenant === '' || !takes(plan.filter, letter.meta)) continue;
      const found = rowsLetter(letter, book, plan);
      if (found === 'unplaced') unplaced++;
      else if (found !== undefined) letters.push(found);
    }
  }
  if (unplaced > 0) {
    throw new Refused(
      `${unplaced} dead letters hold rows of the window's days from before the column RawPosition: it cannot be told which are of the window; redrive them first: ingestctl dlq redrive --reason rows_rejected`,
    );
  }
  return { letters, unread, gone: goneOf(book, plan, seen), missing: missingOf(book, plan, held) };
}

function common({ key, meta }: Letter, book: RedriveBook) {
  const { tenant, signal, reason, items } = meta;
  return { key, state: book.letter(key), promoter: book.promoter(key), tenant, signal, reason, items };
}

function rawLetter(letter: Letter, book: RedriveBook, position: bigint): WindowLetter {
  const places = new Map([[position, letter.meta.items]]);
  return { ...common(letter, book), kind: 'raw', places, digest: digestOf(letter.value), day: undefined };
}

/** Undefined where none of its rows is of the window, or nobody can insert them. */
function rowsLetter(letter: Letter, book: RedriveBook, plan: ReplayPlan): WindowLetter | 'unplaced' | undefined {
  const table = letter.meta.table!;
  let block: BlockRows | undefined;
  try {
    const bytes = zstdDecompressSync(letter.value, { maxOutputLength: BLOCK_BYTES_MAX });
    block = BlockRows.readAny(bytes, tableLayouts(table));
  } catch {
    return undefined;
  }
  if (block === undefined || block.count === 0) return undefined;
  const places = new Map<bigint, number>();
  for (let row = 0; row < block.count; row++) {
    const position = block.uint64('RawPosition', row) ?? 0n;
    places.set(position, (places.get(position) ?? 0) + 1);
  }
  const day = block.day('ReceivedDay', 0);
  const about = common(letter, book);
  if (places.has(0n)) {
    const text = new Date(day * DAY_MS).toISOString().slice(0, 10);
    const isIn = plan.days[0] <= text && text <= plan.days[1];
    // What was redriven is in a live table, which is looked at there.
    return isIn && about.state !== 'redriven' ? 'unplaced' : undefined;
  }
  if (![...places.keys()].some((position) => isInWindow(plan, position))) return undefined;
  return { ...about, kind: 'rows', places, digest: '', day };
}

/** Letters of raw records that Kafka has let go of, but those that a promotion of the replay has claimed: they come back. */
function goneOf(book: RedriveBook, plan: ReplayPlan, seen: ReadonlySet<string>): bigint[] {
  const gone: bigint[] = [];
  for (const key of book.keys()) {
    if (seen.has(key) || book.letter(key) === 'promoted' || book.promoter(key) === plan.id) continue;
    const position = positionOf(key, plan);
    if (position !== undefined && isInWindow(plan, position)) gone.push(position);
  }
  return gone;
}

function missingOf(book: RedriveBook, plan: ReplayPlan, held: ReadonlySet<string>): Map<string, bigint | undefined> {
  const own = book.openPromotions().filter(({ replay }) => replay === plan.id);
  const missing = own.flatMap(({ letters }) => letters).filter((key) => !held.has(key));
  return new Map(missing.map((key) => [key, positionOf(key, plan)]));
}

/** Keys say their sources; undefined where that is no raw record of the track. */
function positionOf(key: string, { track }: ReplayPlan): bigint | undefined {
  const [topic, partition, offset] = key.split('/');
  return topic === trackTopics(track).raw ? rawPosition(track, Number(partition), Number(offset)) : undefined;
}
