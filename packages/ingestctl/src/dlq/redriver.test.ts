import { EdgeMarks, type Log } from '@weir/delivery';
import { CONTROL_TOPICS, decodeNote, decodeRawMeta, trackTopics } from '@weir/records';
import { Mortal, SimulatedLog, VirtualTime } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { RawCopy } from './raw-copy.ts';
import { RedriveBook } from './redrive-book.ts';
import { RedriveJournal } from './redrive-journal.ts';
import { Redriver, settleAppends } from './redriver.ts';

const NEVER = new AbortController().signal;
const PARTITIONS = 2;
const CHUNK = 3;
const shardsOf = () => Array.from({ length: PARTITIONS }, (_, partition) => partition);
const LETTERS = Array.from({ length: 20 }, (_, at) => `weir.raw.v1/0/${at}/0`);
const RAW = trackTopics('v1').raw;

function copyOf(key: string): RawCopy {
  const meta = { tenant: 'acme', signal: 'logs', encoding: 'identity', priority: false, items: 2, bytes: 10 } as const;
  return {
    key,
    reason: 'too_many_attributes',
    record: { meta: { ...meta, receivedAtNs: 60_000_000_000n }, value: Buffer.from(key) },
  };
}

/** One run of the command: settles what is open, and sends all that waits. */
async function redrive(log: Log, time: VirtualTime, edge: string): Promise<void> {
  const journal = new RedriveJournal(log, time);
  await journal.refresh(NEVER);
  const redriver = new Redriver({ log, clock: time, journal, track: 'v1', shardsOf, edge });
  expect(await settleAppends({ log, clock: time, journal }, NEVER)).toBe(0);
  const waiting = LETTERS.filter((key) => journal.book.letter(key) === 'waiting');
  for (let at = 0; at < waiting.length; at += CHUNK) {
    await redriver.send(waiting.slice(at, at + CHUNK).map(copyOf), NEVER);
  }
}

const edgeId = (number: number) => number.toString(16).padStart(16, '0');

/** What a normalizer takes: how often each letter, and the items that notes take back. */
function taken(log: SimulatedLog) {
  const letters = new Map<string, number>();
  const back = { accepted: 0, dead_lettered: 0 };
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const marks = new EdgeMarks();
    for (const { meta, value } of log.records(RAW, partition)) {
      const raw = decodeRawMeta(meta);
      if (raw.ok && marks.takes(raw.value.edge, raw.value.seq, 0)) {
        letters.set(value!.toString(), (letters.get(value!.toString()) ?? 0) + 1);
      }
      const note = decodeNote(meta, value);
      if (!note.ok || !marks.takes(note.value.edge, note.value.seq, 0)) continue;
      for (const { outcome, items } of note.value.settled) back[outcome as keyof typeof back] += items;
    }
  }
  return { letters, back };
}

const ALL = {
  letters: new Map(LETTERS.map((key) => [key, 1])),
  back: { accepted: -LETTERS.length * 2, dead_lettered: -LETTERS.length * 2 },
};

async function simulate(time: VirtualTime, body: () => Promise<void>): Promise<void> {
  const running = body();
  await time.run(Number.POSITIVE_INFINITY);
  await running;
}

test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  'each letter goes in once, whenever redrives are killed, side by side, on a log that loses answers (seed %i)',
  async (seed) => {
    const time = new VirtualTime(seed);
    const log = new SimulatedLog(time, { answerLost: 0.1, late: 0.15, lost: 0.1 });
    let edges = 0;
    await simulate(time, async () => {
      for (let round = 0; round < 6; round++) {
        const runs = Array.from({ length: 1 + (seed % 3) }, () =>
          redrive(new Mortal(1 + Math.floor(time.random() * 60)).log(log), time, edgeId(edges++)).catch(expectKnown),
        );
        await Promise.all(runs);
      }
      log.faults = { answerLost: 0, late: 0, lost: 0 };
      // What is still on its way may take letters once more.
      for (let round = 0; round < 3; round++) {
        await time.sleep(1_000);
        await redrive(log, time, edgeId(edges++));
      }
    });
    expect(taken(log)).toEqual(ALL);
  },
  30_000,
);

function expectKnown(error: unknown): void {
  expect(String(error)).toMatch(/killed|another redrive/);
}

test('killed at any one of its calls and started again, a redrive sends each letter once', async () => {
  for (let calls = 1, killed = true; killed; calls++) {
    const time = new VirtualTime(calls);
    const log = new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 });
    await simulate(time, async () => {
      killed = await redrive(new Mortal(calls).log(log), time, edgeId(1)).then(
        () => false,
        () => true,
      );
      await redrive(log, time, edgeId(2));
    });
    expect({ calls, ...taken(log) }).toEqual({ calls, ...ALL });
  }
});

test('a redrive that was paused while another settled its chunk says so, and what it sends late does not count', async () => {
  const time = new VirtualTime(1);
  const log = new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 });
  await simulate(time, async () => {
    const wake = Promise.withResolvers<void>();
    const paused: Log = {
      read: (...args) => log.read(...args),
      bounds: (...args) => log.bounds(...args),
      append: async (topic, partition, records) => {
        if (topic === RAW) await wake.promise;
        return log.append(topic, partition, records);
      },
    };
    const first = redrive(paused, time, edgeId(1)).catch((error: Error) => error.message);
    await time.sleep(1_000);
    expect(log.records(CONTROL_TOPICS.redrives, 0)).toHaveLength(1);
    await redrive(log, time, edgeId(2));
    wake.resolve();
    expect(await first).toBe('another redrive has ended this one');
  });
  expect(taken(log)).toEqual(ALL);
});

test('letters are whose intent stands first, and purged ones nobody’s', () => {
  const book = new RedriveBook();
  const intent = (chunk: string, letters: string[]) =>
    book.apply({
      kind: 'intent',
      chunk,
      track: 'v1',
      partition: 0,
      edge: edgeId(1),
      firstSeq: 0,
      rawFrom: 0,
      letters,
    });
  book.apply({ kind: 'purged', letters: ['p'] });
  intent('one', ['a', 'b']);
  intent('two', ['b', 'c']);
  intent('three', ['p']);
  book.apply({ kind: 'done', chunk: 'two' });
  expect(['one', 'two', 'three'].map((chunk) => book.chunk(chunk))).toEqual(['sending', 'void', 'void']);
  expect(['a', 'b', 'c', 'p'].map((key) => book.letter(key))).toEqual(['sending', 'sending', 'waiting', 'purged']);
  book.apply({ kind: 'settling', chunk: 'one' });
  book.apply({ kind: 'done', chunk: 'one' });
  expect(book.chunk('one')).toBe('settling');
  book.apply({ kind: 'settled', chunk: 'one', found: false });
  book.apply({ kind: 'purged', letters: ['a'] });
  book.apply({ kind: 'settled', chunk: 'one', found: true });
  expect(['a', 'b'].map((key) => book.letter(key))).toEqual(['purged', 'waiting']);
});

test('a promotion takes what waits or was purged, and keeps it from redrives until it is done, and after that', () => {
  const book = new RedriveBook();
  const promote = (chunk: string, letters: string[], replay = 'x') =>
    book.apply({ kind: 'promote', chunk, replay, letters });
  book.apply({ kind: 'purged', letters: ['p'] });
  promote('one', ['a', 'p']);
  promote('two', ['a', 'b'], 'y');
  book.apply({ kind: 'insert', chunk: 'three', atMs: 1, letters: ['a'] });
  book.apply({ kind: 'purged', letters: ['a'] });
  expect(['one', 'two', 'three'].map((chunk) => book.chunk(chunk))).toEqual(['sending', 'void', 'void']);
  expect(['a', 'p', 'b'].map((key) => [book.letter(key), book.promoter(key)])).toEqual([
    ['sending', 'x'],
    ['sending', 'x'],
    ['waiting', undefined],
  ]);
  expect([book.open(), book.openInserts(), book.openPromotions().map(({ chunk }) => chunk)]).toEqual([[], [], ['one']]);
  for (const atMs of [7, 8]) book.apply({ kind: 'booking', chunk: 'one', atMs });
  expect(book.bookedAtMs('one')).toBe(7);
  book.apply({ kind: 'done', chunk: 'one' });
  promote('four', ['p'], 'y');
  expect(['a', 'p'].map((key) => [book.letter(key), book.promoter(key)])).toEqual([
    ['promoted', undefined],
    ['promoted', undefined],
  ]);
  expect([book.chunk('four'), book.openPromotions()]).toEqual(['void', []]);
  expect([...book.keys()].toSorted()).toEqual(['a', 'p']);
});
