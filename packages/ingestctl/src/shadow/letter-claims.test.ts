import type { BlocksInsert } from '@weir/clickhouse';
import type { Log } from '@weir/delivery';
import { DependencyError, zstdFrame } from '@weir/pipeline';
import { UsageTally, usageBlock } from '@weir/records';
import { FakeClock, Mortal, SimulatedLog, VirtualTime } from '@weir/testkit';
import { expect, test } from 'vitest';
import { RedriveJournal } from '../dlq/redrive-journal.ts';
import { claimsOf, LetterClaims } from './letter-claims.ts';
import type { ComingBack } from './sort-letters.ts';

const NEVER = new AbortController().signal;
const LETTERS = ['a', 'b', 'c'].map(
  (key): ComingBack => ({
    key,
    state: 'waiting',
    promoter: undefined,
    tenant: 'acme',
    signal: 'logs',
    reason: 'invalid_time',
    items: 2,
    kind: 'raw',
    places: new Map(),
    digest: '',
    day: undefined,
    bookedDay: 20_000,
  }),
);
const KEYS = LETTERS.map(({ key }) => key);
const ALL = { own: LETTERS, missing: new Map(), left: new Map() } as const;

async function simulate<T>(body: (time: VirtualTime, log: SimulatedLog) => Promise<T>): Promise<T> {
  const time = new VirtualTime(1);
  const running = body(time, new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 }));
  await time.run(Number.POSITIVE_INFINITY);
  return running;
}

/** A run whose process ends at its nth call of the world. */
async function run(log: Log, clock: VirtualTime | FakeClock, tokens: string[], calls = Number.POSITIVE_INFINITY) {
  const process = new Mortal(calls);
  const insertBlocks = ({ token }: BlocksInsert) => process.call(async () => void tokens.push(token));
  const journal = new RedriveJournal(process.log(log), clock);
  await journal.refresh(NEVER);
  const claims = new LetterClaims({ insertBlocks }, clock, journal, 'x');
  const free = LETTERS.filter(({ key }) => journal.book.letter(key) === 'waiting');
  if (free.length > 0) await claims.claim(free, NEVER);
  const ended = await claims.end(ALL, NEVER);
  return { ended, states: KEYS.map((key) => journal.book.letter(key)) };
}

test('killed at any one of its calls and run again, the books are put right under one token', async () => {
  for (let calls = 1, killed = true; killed; calls++) {
    const tokens: string[] = [];
    const done = await simulate(async (time, log) => {
      killed = await run(log, time, tokens, calls).then(
        () => false,
        () => true,
      );
      return run(log, time, tokens);
    });
    expect({ calls, ...done }).toEqual({
      calls,
      ended: { open: 0, gone: 0, unknown: 0 },
      states: ['promoted', 'promoted', 'promoted'],
    });
    expect(new Set(tokens).size).toBe(1);
  }
});

test('who was cut off in the books longer ago than tokens are remembered leaves them, and says so', async () => {
  const tokens: string[] = [];
  await simulate(async (time, log) => {
    const journal = new RedriveJournal(log, time);
    await journal.put({ kind: 'promote', chunk: 'early', replay: 'x', letters: KEYS }, NEVER);
    await journal.put({ kind: 'booking', chunk: 'early', atMs: Number(time.wallNs() / 1_000_000n) }, NEVER);
    const late = new FakeClock(0, time.wallNs() + 3_600_000_000_000n);
    expect((await run(log, late, tokens)).ended).toEqual({ open: 0, gone: 0, unknown: 3 });
  });
  expect(tokens).toEqual([]);
});

test('letters whose items did not come back stay taken, and those of other replays are not touched', async () => {
  await simulate(async (time, log) => {
    const journal = new RedriveJournal(log, time);
    await journal.put({ kind: 'promote', chunk: 'mine', replay: 'x', letters: ['a', 'missing'] }, NEVER);
    await journal.put({ kind: 'promote', chunk: 'theirs', replay: 'y', letters: ['b'] }, NEVER);
    const claims = new LetterClaims({ insertBlocks: async () => undefined }, time, journal, 'x');
    expect(await claims.end(ALL, NEVER)).toEqual({ open: 2, gone: 0, unknown: 0 });
    expect(['a', 'missing', 'b'].map((key) => journal.book.letter(key))).toEqual(['sending', 'sending', 'sending']);
  });
});

/** What puts the books right for so many items. */
function booksOf(items: number): Buffer {
  const tally = new UsageTally();
  const whose = { tenant: 'acme', signal: 'logs', minute: 20_000 * 1_440, bytes: 0 } as const;
  tally.add({ ...whose, outcome: 'stored', reason: '', items });
  tally.add({ ...whose, outcome: 'dead_lettered', reason: 'invalid_time', items: -items });
  return zstdFrame(usageBlock(tally.entries()));
}

/** Ends a claim on all three letters, made before or by this version, of which weir.dlq has let go of the last. */
async function endWithout(last: bigint | undefined, { left = [] as bigint[], isOld = false } = {}) {
  return simulate(async (time, log) => {
    const frames: Buffer[] = [];
    const journal = new RedriveJournal(log, time);
    const insertBlocks = async (insert: BlocksInsert) => void frames.push(...insert.frames);
    const claims = new LetterClaims({ insertBlocks }, time, journal, 'x');
    if (isOld) await journal.put({ kind: 'promote', chunk: 'old', replay: 'x', letters: KEYS }, NEVER);
    else await claims.claim(LETTERS, NEVER);
    const came = { own: LETTERS.slice(0, 2), missing: new Map([['c', last]]) };
    const ended = await claims.end({ ...came, left: new Map(left.map((position) => [position, 'stuck'])) }, NEVER);
    const items = [2, 4, 6].filter((each) => frames.every((frame) => frame.equals(booksOf(each))));
    return { ended, items, states: KEYS.map((key) => journal.book.letter(key)) };
  });
}

const PROMOTED = ['promoted', 'promoted', 'promoted'];

test('a letter that weir.dlq has let go of holds no claim, and is booked as the claim has it', async () => {
  const all = { ended: { open: 0, gone: 1, unknown: 0 }, items: [6], states: PROMOTED };
  expect(await endWithout(7n)).toEqual(all);
  expect(await endWithout(7n, { left: [8n] })).toEqual(all);
  expect(await endWithout(undefined)).toEqual(all);
});

test.each([
  ['its record was left as it is', 7n, { left: [7n] }],
  ['rows were left out, and it cannot be told whose', undefined, { left: [8n] }],
  ['its claim does not say what it held', 7n, { isOld: true }],
] as const)('where %s the others of a claim are booked, and that is said', async (_, last, more) => {
  const given = { ...more, left: 'left' in more ? [...more.left] : [] };
  expect(await endWithout(last, given)).toEqual({
    ended: { open: 0, gone: 1, unknown: 1 },
    items: [4],
    states: PROMOTED,
  });
});

test('books that ClickHouse does not take yet are tried again', async () => {
  await simulate(async (time, log) => {
    const journal = new RedriveJournal(log, time);
    await journal.put({ kind: 'promote', chunk: 'one', replay: 'x', letters: KEYS }, NEVER);
    let left = 2;
    const insertBlocks = async () => {
      if (left-- > 0) throw new DependencyError('clickhouse', 'unavailable', 'down', { retryable: true });
    };
    expect(await new LetterClaims({ insertBlocks }, time, journal, 'x').end(ALL, NEVER)).toEqual({
      open: 0,
      gone: 0,
      unknown: 0,
    });
    expect(left).toBe(-1);
  });
});

test('letters with a raw record in common, directly or by others, are claimed together', () => {
  const letter = (key: string, ...positions: bigint[]): ComingBack => ({
    ...LETTERS[0]!,
    key,
    places: new Map(positions.map((position) => [position, 1])),
  });
  const letters = [letter('a', 1n), letter('b', 2n), letter('c', 3n), letter('d', 3n, 1n), letter('e', 5n)];
  const keys = (most: number) => claimsOf(letters, most).map((claim) => claim.map(({ key }) => key));
  expect(keys(2)).toEqual([
    ['a', 'c', 'd'],
    ['b', 'e'],
  ]);
  expect(keys(4)).toEqual([['a', 'c', 'd', 'b'], ['e']]);
  expect(keys(9)).toEqual([['a', 'c', 'd', 'b', 'e']]);
  expect(claimsOf([])).toEqual([]);
});
