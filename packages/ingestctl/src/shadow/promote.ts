import { catchUp } from '@weir/clickhouse';
import { agreed, checkAskable } from '../agreed.ts';
import type { Context } from '../context.ts';
import { longSignal } from '../long-signal.ts';
import { patientClickHouse } from '../patient-clickhouse.ts';
import { ReplayJournal } from '../replay/journal.ts';
import { type Compared, printDifference, ready, targetOf } from './compare.ts';
import type { EndedClaims } from './letter-claims.ts';
import { Promotion, type Survey } from './promotion.ts';
import { PromotionTurn } from './promotion-turn.ts';
import { WHY_LEFT, type WhyLeft } from './sort-letters.ts';

/** What a promotion does to the live tables. */
interface Totals {
  readonly replaced: number;
  readonly inserted: number;
  /** Rows that only live has, or that cannot be told apart from those: they are left as they are. */
  readonly kept: number;
  /** Dead letters whose items come back; left out where there are none. */
  readonly letters?: number;
  /** Raw records that are left as they are, by why; left out where there are none. */
  readonly leftOut?: Readonly<Partial<Record<WhyLeft, number>>>;
  /** Rows that are not inserted because of it. */
  readonly leftOutRows?: number;
}

/**
 * Replaces live rows that the shadow has otherwise, and inserts those that live lacks, after showing how many. Dead letters whose
 * items come back so are taken, and the books put right. Safe to run twice, side by side, and again after it was killed. Status 1
 * where the operator says no, or rows are still missing or were left out.
 */
export async function promote(context: Context, id: string, options: { readonly yes?: boolean }): Promise<number> {
  checkAskable(context, options.yes);
  const signal = longSignal(context);
  const clickhouse = patientClickHouse(context);
  const state = await ready(context, clickhouse, id, signal);
  const promotion = await Promotion.open(context, clickhouse, state, signal);
  const before = await promotion.survey(signal);
  const totals = totalsOf(before);
  const journal = new ReplayJournal(clickhouse, context.database);
  const caughtUp = () => catchUp(clickhouse, targetOf(context), ['weir_replays'], signal);
  const turn = new PromotionTurn(journal, promotion.redrives, caughtUp);
  const earlier = [...state.open.map(({ run }) => run), ...promotion.redrives.book.turns.runsOf(id)];
  const end = async (...own: string[]) => {
    const runs = [...earlier, ...own];
    await journal.told(id, 'promoted', { ...totals, ended: runs }, signal);
    await turn.end(id, runs, signal);
  };
  show(context, before, totals);
  if (totals.inserted === 0 && before.letters.free.length === 0 && !promotion.isOpen) {
    // One that was killed after its last insert: its round is over, and so are the tokens of it.
    await end();
    return tell(context, { id, ...totals });
  }
  if (!(await agreed(context, options.yes, 'Change the live tables?'))) return 1;
  const run = await turn.take(state.plan, signal);
  try {
    const { left, ended } = await carryOut(promotion, before, signal);
    if (ended !== undefined && ended.open === 0) await end(run);
    else await journal.told(id, 'round', totals, signal);
    return tell(context, { id, ...totals, left }, ended);
  } catch (error) {
    context.outside.err(`the promotion was cut off; go on with: ingestctl shadow promote ${id}\n`);
    signal.throwIfAborted();
    throw error;
  }
}

/** Returns how many rows are missing after it; where none is, how the claims on dead letters ended. */
async function carryOut(promotion: Promotion, before: Survey, signal: AbortSignal) {
  await promotion.carryOut(await promotion.claim(before, signal), signal);
  const after = await promotion.survey(signal);
  const left = totalsOf(after).inserted;
  return { left, ended: left > 0 ? undefined : await promotion.end(after, signal) };
}

/** Says how it ended; 0 where all is as the shadow has it. */
function tell(
  context: Context,
  done: Totals & { readonly id: string; readonly left?: number },
  ended: EndedClaims = { open: 0, gone: 0, unknown: 0 },
): number {
  const { id, left = 0, leftOutRows = 0 } = done;
  const isWhole = left === 0 && ended.open === 0;
  const state = isWhole ? (leftOutRows === 0 ? 'promoted' : 'partly promoted') : 'not complete';
  if (context.options.json === true) context.outside.out(`${JSON.stringify({ ...done, state })}\n`);
  else if (left > 0) context.outside.out(`${left} rows are still missing: run it again\n`);
  else if (isWhole && leftOutRows > 0) {
    context.outside.out(`partly promoted ${id}: ${leftOutRows} rows were not inserted, as said above\n`);
  } else if (isWhole) context.outside.out(`promoted ${id}\n`);
  tellEnded(context, ended);
  return state === 'promoted' ? 0 : 1;
}

function totalsOf({ all, wanted, letters: { free, own, left } }: Survey): Totals {
  const sum = ({ counted }: Compared, of: (one: Compared['counted'][number]) => number) =>
    counted.reduce((total, one) => total + of(one), 0);
  const inserted = sum(wanted, ({ fillable }) => fillable);
  const leftOutRows = sum(all, ({ fillable }) => fillable) - inserted;
  const leftOut: Partial<Record<WhyLeft, number>> = {};
  for (const why of left.values()) leftOut[why] = (leftOut[why] ?? 0) + 1;
  return {
    replaced: sum(wanted, ({ replaceable }) => replaceable),
    inserted,
    kept: sum(wanted, ({ different, onlyLive, replaceable }) => different + onlyLive - replaceable),
    ...(free.length + own.length > 0 ? { letters: free.length + own.length } : {}),
    ...(left.size > 0 ? { leftOut, leftOutRows } : {}),
  };
}

function show(context: Context, { all, letters }: Survey, totals: Totals): void {
  if (context.options.json === true) return;
  const { replaced, inserted, kept, leftOut = {}, leftOutRows = 0 } = totals;
  if (all.counted.length > 0) printDifference(context, all);
  const lines = [
    `live rows to be replaced: ${replaced}`,
    `rows to be inserted, those in their place among them: ${inserted}`,
  ];
  if (kept > 0)
    lines.push(`live rows that stay as they are, of records that have more of them than the shadow: ${kept}`);
  const back = [...letters.free, ...letters.own];
  if (back.length > 0) {
    const items = back.reduce((sum, letter) => sum + letter.items, 0);
    lines.push(
      `dead letters that come back by this, and cannot be redriven any more: ${back.length}, with ${items} items; the books are put right`,
    );
  }
  if (leftOutRows > 0)
    lines.push(`rows that are not inserted, of raw records that are left as they are: ${leftOutRows}`);
  for (const [why, records] of Object.entries(leftOut))
    lines.push(`raw records left as they are: ${records}: ${WHY_LEFT[why as WhyLeft]}`);
  context.outside.out(`${lines.join('\n')}\n`);
}

function tellEnded({ outside }: Context, ended: EndedClaims): void {
  if (ended.open > 0) {
    outside.err(
      `${ended.open} dead letters that an earlier run has taken are held still: not all of them came back; see ingestctl dlq list --letters\n`,
    );
  }
  if (ended.gone > 0) {
    outside.err(`${ended.gone} dead letters that it held are gone from weir.dlq meanwhile: they are held no more\n`);
  }
  if (ended.unknown > 0) {
    outside.err(
      `of ${ended.unknown} dead letters it cannot be told whether the books are right: see ingestctl audit\n`,
    );
  }
}
