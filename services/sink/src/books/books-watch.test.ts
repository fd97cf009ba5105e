import { FakeClock } from '@weir/testkit';
import { expect, test } from 'vitest';
import { type BooksDifferences, createBooksWatch } from './books-watch.ts';

const { signal } = new AbortController();
const EVERY_MS = 300_000;
const TODAY = '2023-11-14';
const BEFORE = '2023-11-13';

interface Day {
  readonly day: string;
  readonly signal?: string;
  readonly stored: number;
  readonly rows: number;
  readonly accepted?: number;
  readonly answered?: number;
  readonly retention?: number;
}

/** What is said where ClickHouse answers with one state before the pause, and with another after it. */
async function compare(first: readonly Day[] | Error, later = first, isMine = true) {
  const clock = new FakeClock();
  const said: (BooksDifferences | undefined)[] = [];
  const faults: unknown[] = [];
  const queries: string[] = [];
  const query = async (sql: string) => {
    const state = queries.length < 2 ? first : later;
    queries.push(sql);
    if (state instanceof Error) throw state;
    return state.map(({ day, signal = 'logs', stored, rows, accepted = 0, answered = 0, retention = 30 }) =>
      sql.includes('weir_usage')
        ? { day, signal, stored: String(stored), accepted: String(accepted), answered: String(answered) }
        : { day, signal, days: retention, held: String(rows) },
    );
  };
  const watch = createBooksWatch(
    {
      clickhouse: { query: query as never },
      clock,
      database: 'weir',
      everyMs: EVERY_MS,
      isMine: () => isMine,
      onFault: (error) => faults.push(error),
    },
    (differences) => said.push(differences),
  );
  await watch.start(signal);
  await clock.advance(EVERY_MS / 2);
  await watch.stop(signal);
  return { said: said[0], told: said.length, faults, queries: queries.length };
}

const NONE = { accepted: 0, missing: 0, extra: 0, answered: 0 };

test('books that balance have no difference, nor have books that fill while they are read', async () => {
  expect((await compare([{ day: TODAY, stored: 100, rows: 100 }])).said).toEqual(NONE);
  expect((await compare([])).said).toEqual(NONE);
  const filling = await compare([{ day: TODAY, stored: 100, rows: 40 }], [{ day: TODAY, stored: 300, rows: 280 }]);
  expect(filling.said).toEqual(NONE);
  const ahead = await compare([{ day: TODAY, stored: 100, rows: 160 }], [{ day: TODAY, stored: 300, rows: 310 }]);
  expect(ahead.said).toEqual(NONE);
});

test('rows that are missing, or too many, are told, of both days', async () => {
  const lost = await compare([
    { day: BEFORE, stored: 100, rows: 90 },
    { day: TODAY, stored: 100, rows: 99 },
  ]);
  expect(lost.said).toEqual({ ...NONE, missing: 11 });
  const doubled = await compare([
    { day: BEFORE, stored: 100, rows: 150 },
    { day: TODAY, stored: 0, rows: 1 },
  ]);
  expect(doubled.said).toEqual({ ...NONE, extra: 51 });
});

test('what one signal lacks another that has too much does not hide', async () => {
  const both = await compare([
    { day: TODAY, signal: 'logs', stored: 100, rows: 90, accepted: 1 },
    { day: TODAY, signal: 'traces', stored: 100, rows: 110, accepted: 2 },
  ]);
  expect(both.said).toEqual({ ...NONE, missing: 10, extra: 10, accepted: 3 });
});

test('where rows are kept for a day the day before is not compared with the tables: what is gone was let go of', async () => {
  const days = [
    { day: BEFORE, stored: 100, rows: 0 },
    { day: TODAY, stored: 7, rows: 6, retention: 1 },
  ];
  expect((await compare(days)).said).toEqual({ ...NONE, missing: 1 });
});

test('a difference within the books is told where both readings have it', async () => {
  const one = [{ day: TODAY, stored: 5, rows: 5, accepted: 3, answered: 9 }];
  expect((await compare(one)).said).toEqual({ ...NONE, accepted: 3, answered: 9 });
  const passing = await compare(one, [{ day: TODAY, stored: 5, rows: 5, accepted: 0, answered: 2 }]);
  expect(passing.said).toEqual({ ...NONE, answered: 2 });
});

test('a sink that the comparison is not given to asks nothing; one that gets no answer says nothing', async () => {
  expect(await compare([], [], false)).toMatchObject({ said: undefined, told: 1, queries: 0 });
  const error = new Error('no answer');
  expect(await compare(error)).toMatchObject({ told: 0, faults: [error] });
});
