import { zstdCompressSync } from 'node:zlib';
import type { BlocksInsert } from '@weir/clickhouse';
import type { Log } from '@weir/delivery';
import { DependencyError } from '@weir/pipeline';
import { usageBlock } from '@weir/records';
import { FakeClock, Mortal, SimulatedLog, VirtualTime } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { Letter } from './letters.ts';
import { RedriveJournal } from './redrive-journal.ts';
import { type RowsCopy, RowsRedriver, rowsOf } from './rows-redriver.ts';

const NEVER = new AbortController().signal;
const ROWS: readonly RowsCopy[] = ['a', 'b', 'c'].map((key) => ({
  key,
  table: 'otel_logs',
  frame: Buffer.from(key),
  rows: 2,
  day: 20_000,
  tenant: 'acme',
}));

/** Takes each token once, as tables do. */
class Tables {
  readonly inserted = new Map<string, number>();
  /** Tables that refuse what they are given. */
  refusing = new Set<string>();

  insertBlocks = async ({ table, token }: BlocksInsert): Promise<void> => {
    if (this.refusing.has(table)) throw new DependencyError('clickhouse', 'rejected', 'no', { retryable: false });
    this.inserted.set(token, (this.inserted.get(token) ?? 0) + 1);
  };
}

const TOKENS = ['dlq:a', 'dlq:a:books', 'dlq:b', 'dlq:b:books', 'dlq:c', 'dlq:c:books'];

/** Everything that a process does outside itself ends it, before or after, at its nth call. */
function mortal(log: Log, tables: Tables, calls: number) {
  const process = new Mortal(calls);
  const insertBlocks = (insert: BlocksInsert) => process.call(() => tables.insertBlocks(insert));
  return { log: process.log(log), clickhouse: { insertBlocks } };
}

async function redrive({ log, clickhouse }: ReturnType<typeof mortal>, clock: VirtualTime | FakeClock, id: string) {
  const journal = new RedriveJournal(log, clock);
  await journal.refresh(NEVER);
  const redriver = new RowsRedriver(clickhouse, clock, journal, id);
  const letters = new Map(ROWS.map((rows) => [rows.key, rows]));
  const unknown = await redriver.settle((key) => letters.get(key), NEVER);
  const outcomes: string[] = [];
  for (const rows of ROWS) {
    if (journal.book.letter(rows.key) === 'waiting') outcomes.push(await redriver.send(rows, NEVER));
  }
  return { unknown, outcomes, journal };
}

async function simulate<T>(body: (time: VirtualTime, log: SimulatedLog) => Promise<T>): Promise<T> {
  const time = new VirtualTime(1);
  const running = body(time, new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 }));
  await time.run(Number.POSITIVE_INFINITY);
  return running;
}

test('killed at any one of its calls and started again, the rows and what is booked of them have been inserted', async () => {
  for (let calls = 1, killed = true; killed; calls++) {
    const tables = new Tables();
    const { journal } = await simulate(async (time, log) => {
      killed = await redrive(mortal(log, tables, calls), time, 'one').then(
        () => false,
        () => true,
      );
      return redrive(mortal(log, tables, Number.POSITIVE_INFINITY), time, 'two');
    });
    expect({ calls, tokens: [...tables.inserted.keys()].toSorted() }).toEqual({ calls, tokens: TOKENS });
    expect(ROWS.map(({ key }) => journal.book.letter(key))).toEqual(['redriven', 'redriven', 'redriven']);
  }
});

test('what is refused still waits, and goes in when it is taken', async () => {
  const tables = new Tables();
  tables.refusing.add('otel_logs');
  await simulate(async (time, log) => {
    const all = mortal(log, tables, Number.POSITIVE_INFINITY);
    const first = await redrive(all, time, 'one');
    expect(first.outcomes).toEqual(['refused', 'refused', 'refused']);
    expect(ROWS.map(({ key }) => first.journal.book.letter(key))).toEqual(['waiting', 'waiting', 'waiting']);
    tables.refusing.clear();
    expect((await redrive(all, time, 'two')).outcomes).toEqual(['stored', 'stored', 'stored']);
  });
  expect([...tables.inserted.keys()].toSorted()).toEqual(TOKENS);
});

test('what is refused where an attempt of before had no answer stays open: its rows may be in, and a later insert would double them', async () => {
  const tables = new Tables();
  await simulate(async (time, log) => {
    // The rows of the first letter are in, and the redrive dies before it can say so.
    await redrive(mortal(log, tables, 4), time, 'one').catch(() => undefined);
    expect([...tables.inserted.keys()]).toEqual(['dlq:a']);
    tables.refusing.add('otel_logs');
    const all = mortal(log, tables, Number.POSITIVE_INFINITY);
    const second = await redrive(all, time, 'two');
    expect(second).toMatchObject({ unknown: 1, outcomes: ['refused', 'refused'] });
    expect(second.journal.book.letter('a')).toBe('sending');
    tables.refusing.clear();
    expect(await redrive(all, time, 'three')).toMatchObject({ unknown: 0, outcomes: ['stored', 'stored'] });
  });
  expect([...tables.inserted.keys()].toSorted()).toEqual(TOKENS);
});

test('an insert without an answer that is refused when it is tried again stays open', async () => {
  const tables = new Tables();
  await simulate(async (time, log) => {
    const all = mortal(log, tables, Number.POSITIVE_INFINITY);
    let calls = 0;
    const clickhouse = {
      insertBlocks: async (insert: BlocksInsert) => {
        await tables.insertBlocks(insert);
        if (calls++ > 0) return;
        tables.refusing.add('otel_logs');
        throw new DependencyError('clickhouse', 'unavailable', 'no answer', { retryable: true });
      },
    };
    const { outcomes, journal } = await redrive({ ...all, clickhouse }, time, 'one');
    expect(outcomes).toEqual(['unknown', 'refused', 'refused']);
    expect(ROWS.map(({ key }) => journal.book.letter(key))).toEqual(['sending', 'waiting', 'waiting']);
  });
});

test('what was cut off longer ago than tokens are remembered, or whose letter is gone, is left', async () => {
  const tables = new Tables();
  await simulate(async (time, log) => {
    await redrive(mortal(log, tables, 4), time, 'one').catch(() => undefined);
    const journal = new RedriveJournal(log, time);
    await journal.refresh(NEVER);
    expect(journal.book.openInserts()).toHaveLength(1);
    const clickhouse = { insertBlocks: () => Promise.reject(new Error('nothing is inserted')) };
    const gone = new RowsRedriver(clickhouse, time, journal, 'two');
    expect(await gone.settle(() => undefined, NEVER)).toBe(1);
    const late = new FakeClock(0, time.wallNs() + 3_600_000_000_000n);
    const [rows] = ROWS;
    expect(await new RowsRedriver(clickhouse, late, journal, 'three').settle(() => rows, NEVER)).toBe(1);
  });
});

test.each([
  ['it is not known whose it is', { tenant: '' }, Buffer.alloc(0)],
  ['it is not known whose it is', { table: 'weir_usage' }, zstdCompressSync(usageBlock([]))],
  ['it cannot be decompressed', {}, Buffer.from('no zstd')],
  ['its rows have not the columns of the table', {}, zstdCompressSync(usageBlock([]))],
] as const)('%s: such rows are left', (why, meta, value) => {
  const given = { tenant: 'acme', table: 'otel_logs', items: 1, ...meta } as Letter['meta'];
  expect(rowsOf({ offset: 0, key: 'k', meta: given, value })).toEqual({ ok: false, why });
});
