import { agreed, checkAskable } from '../agreed.ts';
import { type Context, UsageError } from '../context.ts';
import { printRows } from '../output.ts';
import { Refused } from '../refused.ts';
import { timeText } from '../times.ts';
import { type DlqParts, openDlq } from './dlq-parts.ts';
import { letterId, readLetters } from './letters.ts';
import type { InsertIntent, Intent } from './redrive-book.ts';
import { rowsRedriverOf, settle } from './settle.ts';

export interface DlqReleaseOptions {
  readonly all?: boolean;
  readonly as?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** A letter of a chunk; without more than its key where weir.dlq has let go of it. */
interface Stuck {
  readonly key: string;
  readonly id: string;
  readonly reason: string;
  readonly tenant: string;
  readonly items: number;
  readonly firstSeen: string;
}

const RISKS = {
  waiting:
    'Those that cannot be told are waiting again. What had gone in nevertheless is stored twice if it is redriven.',
  sent: 'Those that cannot be told are done with. What had not gone in is lost, and the books keep rows that had as dead-lettered.',
} as const;

/**
 * Ends what redrives were cut off in, where it cannot be told any more what became of it: the operator says. What can be told is
 * told first. Letters that were sent together are released together.
 */
export async function dlqRelease(
  context: Context,
  ids: readonly string[],
  options: DlqReleaseOptions,
  signal: AbortSignal,
): Promise<number> {
  const { as } = options;
  if (as !== 'waiting' && as !== 'sent') throw new UsageError('say --as waiting or --as sent: see the help');
  if (ids.length > 0 === (options.all === true)) throw new UsageError('say which letters, by id or key, or --all');
  if (options.dryRun !== true) checkAskable(context, options.yes);
  const parts = await openDlq(context, signal);
  const { journal } = parts;
  const { chunks, stuck } = await choose(parts, ids, signal);
  printPlan(context, stuck, as);
  tellPromotions(context, parts);
  if (options.dryRun === true) return 0;
  if (chunks.length > 0 && !(await agreed(context, options.yes, `Release them as ${as}?`))) return 1;
  await settle(parts, rowsRedriverOf(context, parts), signal);
  const settled: string[] = [];
  const released: string[] = [];
  for (const { chunk, letters } of chunks) {
    const state = journal.book.chunk(chunk);
    const isOpen = state === 'sending' || state === 'settling';
    if (state === 'sending') await journal.put({ kind: 'settling', chunk }, signal);
    if (isOpen) await journal.put({ kind: 'settled', chunk, found: as === 'sent' }, signal);
    (isOpen ? released : settled).push(...letters);
  }
  if (context.options.json === true) {
    context.outside.out(`${JSON.stringify({ event: 'done', as, released, settled })}\n`);
    return 0;
  }
  if (settled.length > 0) context.outside.out(`of ${settled.length} letters it could be told after all\n`);
  context.outside.out(`${released.length} letters were released as ${as}\n`);
  return 0;
}

/** Chunks without an end, with all of their letters. @throws Refused where a letter that was named is in none */
async function choose({ log, journal }: DlqParts, ids: readonly string[], signal: AbortSignal) {
  const open: readonly (Intent | InsertIntent)[] = [...journal.book.open(), ...journal.book.openInserts()];
  const keys = new Set(open.flatMap(({ letters }) => letters));
  const letters = new Map<string, Stuck>([...keys].map((key) => [key, { ...GONE, key }]));
  const missing = new Set(ids);
  const named = new Set<string>();
  for await (const letter of readLetters(log, signal)) {
    const id = letterId(letter);
    const promoter = journal.book.promoter(letter.key);
    if (promoter !== undefined && missing.has(id)) throw held(id, promoter);
    if (!keys.has(letter.key)) continue;
    const { reason, tenant, items, firstSeenNs } = letter.meta;
    letters.set(letter.key, { key: letter.key, id, reason, tenant, items, firstSeen: timeText(firstSeenNs) });
    if (missing.delete(id)) named.add(letter.key);
  }
  for (const key of keys) if (missing.delete(key)) named.add(key);
  const [first] = missing;
  const promoter = journal.book.promoter(first ?? '');
  if (first !== undefined && promoter !== undefined) throw held(first, promoter);
  if (first !== undefined) throw new Refused(`no redrive was cut off while it sent ${first}: see ingestctl dlq list`);
  const chunks = ids.length === 0 ? open : open.filter((chunk) => chunk.letters.some((key) => named.has(key)));
  return { chunks, stuck: chunks.flatMap((chunk) => chunk.letters.map((key) => letters.get(key)!)) };
}

function held(letter: string, replay: string): Refused {
  return new Refused(`a promotion holds ${letter}, and is ended by ingestctl shadow promote ${replay}`);
}

/** What is held by promotions that were cut off, or run: it is not released here. */
function tellPromotions({ outside }: Context, { journal }: DlqParts): void {
  const counts = new Map<string, number>();
  for (const { replay, letters } of journal.book.openPromotions()) {
    counts.set(replay, (counts.get(replay) ?? 0) + letters.length);
  }
  for (const [replay, count] of counts) {
    outside.err(`a promotion holds ${count} letters, and is ended by ingestctl shadow promote ${replay}\n`);
  }
}

const GONE: Stuck = { key: '', id: 'gone', reason: '', tenant: '', items: 0, firstSeen: '' };

function printPlan({ outside, options }: Context, stuck: readonly Stuck[], as: keyof typeof RISKS): void {
  if (options.json === true) {
    outside.out(`${JSON.stringify({ event: 'plan', as, letters: stuck })}\n`);
    return;
  }
  const rows = stuck.map(({ id, firstSeen, reason, tenant, items, key }) => [
    id,
    firstSeen,
    reason,
    tenant,
    items,
    key,
  ]);
  printRows(outside, false, ['id', 'first seen', 'reason', 'tenant', 'items', 'key'], rows);
  outside.out(stuck.length === 0 ? 'no redrive was cut off\n' : `${RISKS[as]}\n`);
}
