import { bootstrapStatements, type ClickHouse, MIGRATIONS } from '@weir/clickhouse';
import { Engine, SimulatedLog, VirtualTime } from '@weir/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Context } from '../context.ts';
import { RedriveJournal } from '../dlq/redrive-journal.ts';
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

type Told = ReplayJournal['told'];
const NO_FAULTS = { answerLost: 0, late: 0, lost: 0 };

/** Two operators' commands, or what is left of some that were killed: all on one log. */
async function simulate<T>(body: (time: VirtualTime, log: SimulatedLog) => Promise<T>, seed = 1, faults = NO_FAULTS) {
  const time = new VirtualTime(seed);
  const running = body(time, new SimulatedLog(time, faults));
  await time.run(Number.POSITIVE_INFINITY);
  return running;
}

async function turnOf(time: VirtualTime, log: SimulatedLog, told: Told = journal.told.bind(journal)) {
  const redrives = new RedriveJournal(log, time);
  await redrives.refresh(NEVER);
  const list = journal.list.bind(journal);
  return { redrives, turn: new PromotionTurn({ told, list }, redrives, async () => undefined) };
}

async function take(time: VirtualTime, log: SimulatedLog, plan: ReplayPlan, told?: Told): Promise<'taken' | Error> {
  const { turn } = await turnOf(time, log, told);
  return turn.take(plan, NEVER).then(
    () => 'taken' as const,
    (error: Error) => error,
  );
}

/** The replay's promotion has come to its end, with all of its runs. */
async function end(time: VirtualTime, log: SimulatedLog, id: string): Promise<void> {
  const { redrives, turn } = await turnOf(time, log);
  await turn.end(id, redrives.book.turns.runsOf(id), NEVER);
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

test('one that came to its end beside another one ends those that it names, and the other is open still', async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(A, 'promoting', T + 1, { run: 'killed' });
  line(A, 'promoting', T + 2, { run: 'one' });
  line(A, 'promoting', T + 3, { run: 'two' });
  line(A, 'promoted', T + 4, { ended: ['killed', 'one'] });
  expect(await openOf(A)).toEqual(['two']);
  line(A, 'promoted', T + 5, { ended: ['two'] });
  expect(await openOf(A)).toEqual([]);
});

test('while a replay is being promoted another one of the same rows is refused, and leaves nothing behind', async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(B, 'planned', T, planOf(B, 9, 20));
  await simulate(async (time, log) => {
    expect(await take(time, log, planOf(A, 1, 9))).toBe('taken');
    const refused = await take(time, log, planOf(B, 9, 20));
    expect(refused).toBeInstanceOf(Refused);
    expect(String(refused)).toContain(`ingestctl shadow promote ${A}`);
    expect(await openOf(B)).toEqual([]);
    // A second run of the same replay is no other one.
    expect(await take(time, log, planOf(A, 1, 9))).toBe('taken');
    await end(time, log, A);
    expect(await take(time, log, planOf(B, 9, 20))).toBe('taken');
  });
});

test.each([
  ['other offsets', planOf(B, 10, 20)],
  ['another track', planOf(B, 1, 9, { track: 'v2' })],
  ['other tables', planOf(B, 1, 9, { tables: ['otel_traces'] })],
])('replays of %s are promoted beside each other', async (_, plan) => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(B, 'planned', T, plan);
  await simulate(async (time, log) => {
    expect(await take(time, log, planOf(A, 1, 9))).toBe('taken');
    expect(await take(time, log, plan)).toBe('taken');
  });
});

test("one whose shadow was dropped is in nobody's way, and takes no turn itself", async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(B, 'planned', T, planOf(B, 1, 9));
  await simulate(async (time, log) => {
    expect(await take(time, log, planOf(A, 1, 9))).toBe('taken');
    line(A, 'dropped', T + 2);
    expect(await take(time, log, planOf(B, 1, 9))).toBe('taken');
    expect(String(await take(time, log, planOf(A, 1, 9)))).toContain('was dropped');
  });
});

test('of two that were killed within a moment the first goes on, and then the other', async () => {
  const plans = { [A]: planOf(A, 1, 9), [B]: planOf(B, 9, 20) };
  for (const [first, other] of [
    [A, B],
    [B, A],
  ] as const) {
    engine.execute('TRUNCATE TABLE weir.weir_replays');
    line(A, 'planned', T, plans[A]);
    line(B, 'planned', T, plans[B]);
    // As both say it, and whatever their clocks do, before they die.
    line(A, 'promoting', T + 1, { run: A });
    line(B, 'promoting', T + 1, { run: B });
    await simulate(async (time, log) => {
      const { redrives } = await turnOf(time, log);
      for (const replay of [first, other]) {
        const ranges = plans[replay].partitions.map(({ partition, first, last }) => ({ partition, first, last }));
        const scope = { track: 'v1', tables: ['otel_logs'], tenants: [], ranges } as const;
        await redrives.put({ kind: 'turn', replay, run: replay, scope }, NEVER);
      }
      const refused = await take(time, log, plans[other]);
      expect(String(refused)).toContain(`ingestctl shadow promote ${first}`);
      expect(await take(time, log, plans[first])).toBe('taken');
      await end(time, log, first);
      expect(await take(time, log, plans[other])).toBe('taken');
    });
  }
});

test('of some that begin at the same time, whatever becomes of their answers, exactly one goes on', async () => {
  const ids = ['aaaa', 'bbbb', 'cccc'].map((end) => `20261121_101500_${end}`);
  for (let seed = 1; seed <= 30; seed++) {
    engine.execute('TRUNCATE TABLE weir.weir_replays');
    for (const id of ids) line(id, 'planned', T, planOf(id, 1, 9));
    await simulate(
      async (time, log) => {
        const outcomes = await Promise.all(ids.map((id) => take(time, log, planOf(id, 1, 9))));
        expect(outcomes.filter((outcome) => outcome === 'taken')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome instanceof Refused)).toHaveLength(ids.length - 1);
      },
      seed,
      { answerLost: 0.3, late: 0.3, lost: 0.2 },
    );
  }
});

test('one that is cut off before it changes anything withdraws', async () => {
  line(A, 'planned', T, planOf(A, 1, 9));
  line(B, 'planned', T, planOf(B, 1, 9));
  await simulate(async (time, log) => {
    const told: Told = async (...args) => {
      await journal.told(...args);
      if (args[1] === 'promoting') throw new Error('interrupted');
    };
    expect(await take(time, log, planOf(A, 1, 9), told)).toEqual(new Error('interrupted'));
    expect(await openOf(A)).toEqual([]);
    expect(await take(time, log, planOf(B, 1, 9))).toBe('taken');
  });
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
  line(A, 'promoted', T + 4, { leftOutRows: 3 });
  printed = '';
  await listShadows(context, NEVER);
  expect(printed).toMatch(/v1 +partly promoted/);
});
