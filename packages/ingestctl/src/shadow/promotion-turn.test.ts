import { bootstrapStatements, type ClickHouse, MIGRATIONS } from '@weir/clickhouse';
import type { Clock } from '@weir/pipeline';
import { Engine } from '@weir/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Context } from '../context.ts';
import { Refused } from '../refused.ts';
import { ReplayJournal } from '../replay/journal.ts';
import type { ReplayPlan } from '../replay/plan.ts';
import { dropShadowOf, listShadows } from './list-shadows.ts';
import { PromotionTurn } from './promotion-turn.ts';

const TARGET = { database: 'weir' };
const NEVER = new AbortController().signal;
const [A, B] = ['20261121_101500_aaaa', '20261121_101500_bbbb'] as const;
const CLICKHOUSE = {
  command: async (sql: string) => engine.execute(sql),
  query: async (sql: string, values: Record<string, string>) =>
    engine.select(
      sql
        .replace('{database: Identifier}', 'weir')
        .replace('{id: String}', `'${values.id}'`)
        .replace('{database: String}', "'weir'"),
    ),
} as unknown as ClickHouse;
const journal = new ReplayJournal(CLICKHOUSE, 'weir');
let engine: Engine;

beforeAll(async () => {
  engine = await Engine.open();
  for (const sql of bootstrapStatements(TARGET)) engine.execute(sql);
  for (const { statements } of MIGRATIONS) for (const sql of statements(TARGET)) engine.execute(sql);
});

beforeEach(() => engine.execute('TRUNCATE TABLE weir.weir_replays'));

afterAll(() => engine.close());

function planOf(id: string, first: number, last: number, more: Partial<ReplayPlan> = {}): ReplayPlan {
  const none = { firstAt: '', lastAt: '', records: 1, items: 1, bytes: 1, others: 0, itemsByTenant: {} };
  return {
    id,
    track: 'v1',
    filter: { tenants: [], signals: [] },
    partitions: [{ partition: 2, first, last, ...none }],
    tables: ['otel_logs'],
    days: ['2026-11-20', '2026-11-21'],
    ...more,
  };
}

/** A line as of a time. */
function line(id: string, event: string, atMs: number, detail: object = {}): void {
  engine.execute(
    `INSERT INTO weir.weir_replays (Replay, At, Event, Detail) VALUES ('${id}', fromUnixTimestamp64Milli(${atMs}), '${event}', '${JSON.stringify(detail)}')`,
  );
}

const T = 1_795_000_000_000;
const openOf = async (id: string) => (await journal.read(id, NEVER)).open.map(({ run }) => run);

async function take(plan: ReplayPlan, { told = journal.told.bind(journal), list = journal.list.bind(journal) } = {}) {
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    wallNs: () => 0n,
    sleep: async (ms) => {
      nowMs += ms;
    },
  };
  const turn = new PromotionTurn({ told, list }, clock, async () => undefined);
  return turn.take(plan, NEVER).then(
    () => 'taken',
    (error: Error) => error,
  );
}

test('a promotion is open from its first line on until one of the replay comes to its end; lines that older versions do not know do them no harm', async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  expect(await openOf(A)).toEqual([]);
  line(A, 'promoting', T + 1, { run: 'one' });
  line(A, 'promoting', T + 2, { run: 'two' });
  line(A, 'withdrawn', T + 3, { run: 'two' });
  expect(await openOf(A)).toEqual(['one']);
  line(A, 'round', T + 4);
  expect(await openOf(A)).toEqual(['one', '']);
  line(A, 'promoted', T + 5);
  expect(await journal.read(A, NEVER)).toMatchObject({ open: [], promotions: 1, rounds: 2 });
  line(A, 'promoting', T + 5, { run: 'three' });
  expect(await openOf(A)).toEqual(['three']);
});

test('while a replay is being promoted another one of the same rows is refused, and leaves nothing behind', async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(B, 'planned', T, planOf(B, 9, 20));
  expect(await take(planOf(A, 1, 9))).toBe('taken');
  const refused = await take(planOf(B, 9, 20));
  expect(refused).toBeInstanceOf(Refused);
  expect(String(refused)).toContain(`ingestctl shadow promote ${A}`);
  expect(await openOf(B)).toEqual([]);
  // A second run of the same replay is no other one.
  expect(await take(planOf(A, 1, 9))).toBe('taken');
  line(A, 'promoted', Date.now() + 5);
  expect(await take(planOf(B, 9, 20))).toBe('taken');
});

test.each([
  ['other offsets', planOf(B, 10, 20)],
  ['another track', planOf(B, 1, 9, { track: 'v2' })],
  ['other tables', planOf(B, 1, 9, { tables: ['otel_traces'] })],
])('replays of %s are promoted beside each other', async (_, plan) => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(A, 'promoting', T + 1, { run: 'one' });
  line(B, 'planned', T, plan);
  expect(await take(plan)).toBe('taken');
});

test("one whose shadow was dropped is in nobody's way, and takes no turn itself", async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(A, 'promoting', T + 1, { run: 'one' });
  line(A, 'dropped', T + 2);
  line(B, 'planned', T, planOf(B, 1, 9));
  expect(await take(planOf(B, 1, 9))).toBe('taken');
  expect(String(await take(planOf(A, 1, 9)))).toContain('was dropped');
});

test('of two that write their lines at the same time, in whichever order, exactly one goes on', async () => {
  for (const atMs of [T - 5, 2 * T]) {
    engine.execute('TRUNCATE TABLE weir.weir_replays');
    line(A, 'planned', T, planOf(A, 1, 9));
    line(B, 'planned', T, planOf(B, 9, 20));
    // The other one writes just before this one's line is there, and withdraws where it is the later one.
    let looks = 0;
    const told: ReplayJournal['told'] = async (...args) => {
      if (args[1] === 'promoting') line(A, 'promoting', atMs, { run: 'other' });
      await journal.told(...args);
    };
    const list: ReplayJournal['list'] = async (...args) => {
      if (++looks === 4 && atMs > T) line(A, 'withdrawn', atMs, { run: 'other' });
      return journal.list(...args);
    };
    const outcome = await take(planOf(B, 9, 20), { told, list });
    expect([outcome instanceof Refused ? 'refused' : outcome, (await openOf(A)).length]).toEqual(
      atMs > T ? ['taken', 0] : ['refused', 1],
    );
    expect((await openOf(B)).length).toBe(atMs > T ? 1 : 0);
  }
});

test('one that is cut off while it waits for its turn withdraws', async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  let looks = 0;
  const list: ReplayJournal['list'] = async (...args) => {
    if (++looks === 2) throw new Error('interrupted');
    return journal.list(...args);
  };
  expect(await take(planOf(A, 1, 9), { list })).toEqual(new Error('interrupted'));
  expect(await openOf(A)).toEqual([]);
});

test('a shadow is listed as being promoted, and not dropped, until a promotion of it has come to its end', async () => {
  let printed = '';
  const outside = {
    out: (text: string) => {
      printed += text;
    },
  };
  const context = { clickhouse: () => CLICKHOUSE, database: 'weir', outside, options: {} } as unknown as Context;
  line(A, 'planned', T, planOf(A, 1, 9));
  line(A, 'done', T + 1);
  line(A, 'promoting', T + 2, { run: 'one' });
  await listShadows(context, NEVER);
  expect(printed).toContain('promotion running or cut off');
  await expect(dropShadowOf(context, A, { yes: true })).rejects.toThrow(`ingestctl shadow promote ${A}`);
  line(A, 'promoted', T + 3);
  printed = '';
  await listShadows(context, NEVER);
  expect(printed).toMatch(/v1 +promoted/);
});

test('one that does not withdraw, though it is later, may have gone on: it is not waited for any longer', async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(B, 'planned', T, planOf(B, 9, 20));
  const told: ReplayJournal['told'] = async (...args) => {
    if (args[1] === 'promoting') line(A, 'promoting', 2 * T, { run: 'other' });
    await journal.told(...args);
  };
  expect(await take(planOf(B, 9, 20), { told })).toBeInstanceOf(Refused);
  expect(await openOf(B)).toEqual([]);
});
