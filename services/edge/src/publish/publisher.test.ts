import { zstdDecompressSync } from 'node:zlib';
import type { Log, NewRecord } from '@weir/delivery';
import { Budget, DependencyError } from '@weir/pipeline';
import { decodeNote, decodeRawMeta, RejectedWalk } from '@weir/records';
import { effectiveTenant, ShardMap } from '@weir/tenancy';
import { decodeExport, encodeExport, FakeClock } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import { EdgeQueue } from '../edge-queue.ts';
import type { AdmittedExport } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { Publisher } from './publisher.ts';

const tenant = effectiveTenant('acme', { keys: [], limits: { partitions: 4 } }, undefined);

const names = Array.from({ length: 100 }, (_, i) => `tenant-${i}`);

/** A publisher whose log answers only when it is told to. */
async function setUp(
  bytesMax = 100 * LIMITS.recordBodyBytesMax,
  partitions: number | Promise<number> = 1,
  batches = true,
) {
  const clock = new FakeClock();
  const budget = new Budget({ bytesMax, itemsMax: 1_000_000 });
  const appended: NewRecord[] = [];
  /** Partitions of the appends, and those whose leader does not answer. */
  const asked: number[] = [];
  const broken = new Set<number>();
  const ends = new Map<number, number>();
  const done: (() => void)[] = [];
  const log: Pick<Log, 'append'> = {
    append: (_topic, partition, records, signal) =>
      new Promise((resolve, reject) => {
        asked.push(partition);
        const failed = new DependencyError('kafka', 'timeout', 'no answer', { retryable: true });
        if (broken.has(partition)) return reject(failed);
        signal.addEventListener('abort', () => reject(failed));
        appended.push(...records);
        const first = ends.get(partition) ?? 0;
        ends.set(partition, first + records.length);
        done.push(() => resolve(first));
      }),
  };
  const booked: string[] = [];
  const lost: number[] = [];
  const lostEnds: string[] = [];
  const publisher = new Publisher({
    log: log as Log,
    clock,
    topic: 't',
    queue: new EdgeQueue(budget),
    edge: '0'.repeat(16),
    deadlineMs: 5_000,
    batches,
    partitions: async () => partitions,
    onProduced: () => undefined,
    onLost: (items) => void lost.push(items),
    onLostEnd: ({ message }) => void lostEnds.push(message),
    books: {
      refused: ({ items }, reason) => void booked.push(`refused ${items} ${reason}`),
      acked: ({ items }) => void booked.push(`acked ${items}`),
      unanswered: ({ items }) => void booked.push(`unanswered ${items}`),
    },
  });
  await publisher.start();
  await clock.advance(0);
  const acknowledge = async () => {
    while (done.length > 0) {
      for (const answer of done.splice(0)) answer();
      await clock.advance(LIMITS.producePace.ms);
    }
  };
  return { publisher, budget, appended, asked, ends, done, broken, acknowledge, clock, booked, lost, lostEnds };
}

function admitted(init: object, signal: 'traces' | 'metrics' = 'traces', of = tenant): AdmittedExport {
  const plain = Buffer.from(encodeExport(signal, init as never));
  const meta = { tenant: of.name, signal, encoding: 'identity', priority: false, receivedAtNs: 1n } as const;
  return {
    tenant: of,
    meta: { ...meta, items: 10, bytes: plain.length },
    value: plain,
    plain,
    heldBytes: 0,
    rejectedItems: 0,
  };
}

function spans(count: number, nameBytes: number, schemaUrl = '') {
  const span = (i: number) => ({
    traceId: new Uint8Array(16).fill(7),
    spanId: new Uint8Array(8).fill(9),
    name: String.fromCharCode(97 + i).repeat(nameBytes),
    startTimeUnixNano: 1n,
  });
  return { resourceSpans: [{ schemaUrl, scopeSpans: [{ spans: Array.from({ length: count }, (_, i) => span(i)) }] }] };
}

test('a partition that gives an offset twice gets nothing any more, and the tenant goes to the others', async () => {
  const { publisher, asked, ends, acknowledge, clock, lostEnds } = await setUp(undefined, 2);
  const one = effectiveTenant('acme', { keys: [], limits: { partitions: 1 } }, undefined);
  const send = async () => {
    const answer = publisher.consume(admitted(spans(1, 10), 'traces', one));
    await clock.advance(0);
    await acknowledge();
    return (await answer).kind;
  };
  expect(await send()).toBe('accepted');
  const [first] = asked;
  ends.set(first!, 0);
  expect([await send(), publisher.lostEnds, lostEnds.length]).toEqual(['refused', 1, 1]);
  expect([await send(), asked]).toEqual(['accepted', [first, first, 1 - first!]]);
  ends.set(1 - first!, 0);
  expect([await send(), await send(), publisher.lostEnds]).toEqual(['refused', 'refused', 2]);
  expect(asked).toHaveLength(4);
  expect(await publisher.note([])).toBe(false);
});

test('where all others wait for an answer, what comes waits with them, and is not refused by the partition that takes nothing', async () => {
  const { publisher, asked, ends, broken, acknowledge, clock } = await setUp(undefined, 2);
  const one = effectiveTenant('acme', { keys: [], limits: { partitions: 1 } }, undefined);
  const send = () => publisher.consume(admitted(spans(1, 10), 'traces', one));
  const first = send();
  await clock.advance(0);
  await acknowledge();
  expect((await first).kind).toBe('accepted');
  const [closed] = asked as [number];
  ends.set(closed, 0);
  const refused = send();
  await clock.advance(0);
  await acknowledge();
  expect((await refused).kind).toBe('refused');
  broken.add(1 - closed);
  const waiting = [send(), send()];
  await clock.advance(200);
  const more = [send(), publisher.note([])];
  await clock.advance(200);
  broken.clear();
  await clock.advance(1_000);
  await acknowledge();
  expect((await Promise.all(waiting)).map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
  expect(await Promise.all(more)).toEqual([expect.objectContaining({ kind: 'accepted' }), true]);
});

describe('an export that is too large for one record', () => {
  test('becomes several, which take room in the queue until Kafka has them', async () => {
    const { publisher, budget, appended, acknowledge, clock } = await setUp();
    const answer = publisher.consume(admitted(spans(10, 1024 ** 2)));
    await clock.advance(0);
    expect(budget.bytes).toBeGreaterThan(0);
    await acknowledge();
    expect(await answer).toEqual({ kind: 'accepted', acceptedItems: 10, rejectedItems: 0 });
    const names = appended.flatMap(({ value }) => {
      const [resource] = decodeExport('traces', zstdDecompressSync(value!)).resourceSpans;
      return resource!.scopeSpans[0]!.spans.map(({ name }) => name[0]);
    });
    expect([appended.length, names.join('')]).toEqual([4, 'abcdefghij']);
    expect([budget.bytes, budget.items]).toEqual([0, 0]);
  });

  test('has the items that were rejected told of each piece', async () => {
    const { publisher, appended, acknowledge, clock } = await setUp();
    const limitFaults = Uint8Array.of(0, 6, 0, 0, 7, 7, 0, 0, 0, 6);
    const answer = publisher.consume({ ...admitted(spans(10, 1024 ** 2)), rejectedItems: 4, limitFaults });
    await clock.advance(0);
    await acknowledge();
    expect(await answer).toMatchObject({ acceptedItems: 6, rejectedItems: 4 });
    const walk = new RejectedWalk();
    const codes = appended.flatMap(({ meta }) => {
      const decoded = decodeRawMeta(meta!);
      if (!decoded.ok) throw new Error(decoded.message);
      walk.open(decoded.value.rejected);
      return Array.from({ length: decoded.value.items }, () => walk.next());
    });
    expect(appended.length).toBeGreaterThan(2);
    expect(codes).toEqual([...limitFaults]);
  });

  test('waits outside where the queue has no room for the pieces', async () => {
    const { publisher, budget, appended } = await setUp(100);
    expect(await publisher.consume(admitted(spans(10, 1024 ** 2)))).toMatchObject({ reason: 'edge_full' });
    expect([budget.bytes, appended.length]).toEqual([0, 0]);
  });

  test.each<[string, AdmittedExport]>([
    ['one item does not fit', admitted(spans(1, LIMITS.recordBodyBytesMax))],
    ['its pieces would be much more than itself', admitted(spans(26, 200_000, 'u'.repeat(3.9 * 1024 ** 2)))],
    [
      'one piece expands too far, though the whole does not',
      admitted({
        resourceSpans: [
          ...spans(15, 1024 ** 2).resourceSpans,
          ...spans(26, 1, 'u'.repeat(2 * 1024 ** 2)).resourceSpans,
        ],
      }),
    ],
  ])('is too large where %s', async (_why, export_) => {
    const { publisher, budget, appended } = await setUp();
    expect(await publisher.consume(export_)).toMatchObject({ kind: 'refused', reason: 'too_large' });
    expect([budget.bytes, appended.length]).toEqual([0, 0]);
  });
});

describe('the books', () => {
  test('have what was acknowledged', async () => {
    const { publisher, acknowledge, clock, booked } = await setUp();
    const answer = publisher.consume(admitted(spans(10, 1)));
    await clock.advance(0);
    await acknowledge();
    await answer;
    expect(booked).toEqual(['acked 10']);
  });

  test('have what was never sent, and later what was in the log after all', async () => {
    const { publisher, appended, acknowledge, clock, booked } = await setUp();
    const answers = [publisher.consume(admitted(spans(1, 1))), publisher.consume(admitted(spans(1, 1)))];
    await clock.advance(5_000);
    expect(await Promise.all(answers)).toMatchObject([
      { reason: 'kafka_unavailable', booked: true },
      { reason: 'kafka_unavailable', booked: true },
    ]);
    expect(booked).toEqual(['refused 10 kafka_unavailable']);
    await acknowledge();
    expect(booked).toEqual(['refused 10 kafka_unavailable']);
    const { meta, value } = appended.at(-1)!;
    expect(decodeNote(meta, value)).toMatchObject({ value: { settled: [{ outcome: 'unanswered', items: 10 }] } });
  });

  test('are given up by an edge that stops while Kafka hangs, which says how much it lost', async () => {
    const { publisher, clock, lost } = await setUp();
    void publisher.consume(admitted(spans(1, 1)));
    await clock.advance(5_000);
    let stopped = false;
    void publisher.stop(new AbortController().signal).then(() => {
      stopped = true;
    });
    await clock.advance(5_000 + LIMITS.booksStopMs - 1);
    expect(stopped).toBe(false);
    await clock.advance(1);
    expect([stopped, lost]).toEqual([true, [10]]);
  });

  test('wait for a Kafka that has not been reached yet', async () => {
    const found = Promise.withResolvers<number>();
    const { publisher, appended, acknowledge, clock } = await setUp(undefined, found.promise);
    let written: boolean | undefined;
    void publisher.note([]).then((done) => {
      written = done;
    });
    await clock.advance(60_000);
    expect([written, appended.length]).toEqual([undefined, 0]);
    found.resolve(1);
    await clock.advance(0);
    await acknowledge();
    expect([written, appended.length]).toEqual([true, 1]);
  });

  test('know the parts of a split export one by one', async () => {
    const { publisher, acknowledge, clock, booked, appended } = await setUp(undefined, 4);
    const answer = publisher.consume(admitted(spans(10, 1024 ** 2)));
    await clock.advance(0);
    await acknowledge();
    expect(await answer).toMatchObject({ kind: 'accepted' });
    expect(appended).toHaveLength(4);
    expect(booked.toSorted()).toEqual(['acked 1', 'acked 3', 'acked 3', 'acked 3']);
  });
});

describe('the partitions of a tenant', () => {
  const sized = (nameBytes: number) => (name: string, partitions?: number) =>
    admitted(spans(1, nameBytes), 'traces', effectiveTenant(name, { keys: [], limits: { partitions } }, undefined));
  const small = sized(1);
  /** So few of them are much for a lane. */
  const large = sized(LIMITS.laneTurnBytesMax / 8);
  const orderOf = (name: string) => new ShardMap(16).of(name, undefined).order;

  test('are all that it fills, however much it sends: the others stay empty for the others', async () => {
    const { publisher, asked, clock, acknowledge } = await setUp(undefined, 16);
    const hot = Array.from({ length: 500 }, () => publisher.consume(large('hot')));
    await clock.advance(0);
    const filled = orderOf('hot').slice(0, 4);
    expect(asked.toSorted()).toEqual(filled.toSorted());
    // One that shares none of them: what it sends goes out at once.
    const quiet = names.find(
      (name) =>
        !orderOf(name)
          .slice(0, 4)
          .some((at) => filled.includes(at)),
    )!;
    const answer = publisher.consume(small(quiet));
    await clock.advance(0);
    expect(orderOf(quiet).slice(0, 4)).toContain(asked[4]);
    await acknowledge();
    for (const each of await Promise.all([answer, ...hot])) expect(each).toMatchObject({ kind: 'accepted' });
  });

  test('give way to its next ones while no leader of them answers', async () => {
    const { publisher, asked, broken, clock, acknowledge } = await setUp(undefined, 16);
    const order = orderOf('acme');
    for (const partition of order.slice(0, 5)) broken.add(partition);
    const send = async () => {
      const answer = publisher.consume(small('acme'));
      await clock.advance(0);
      return { answer, to: asked.at(-1) };
    };
    const lost = [await send(), await send(), await send(), await send()];
    expect(lost.map(({ to }) => to).toSorted()).toEqual(order.slice(0, 4).toSorted());
    // The fifth does not answer either, which the first that goes there finds out.
    lost.push(await send());
    const sixth = await send();
    expect([lost[4]?.to, sixth.to]).toEqual([order[4], order[5]]);
    await acknowledge();
    expect(await sixth.answer).toMatchObject({ kind: 'accepted' });
    await clock.advance(10_000);
    for (const { answer } of lost) expect(await answer).toMatchObject({ reason: 'kafka_unavailable' });
  });

  test('are as many as its limits say', async () => {
    const { publisher, asked, clock } = await setUp(undefined, 16);
    for (let i = 0; i < 50; i++) void publisher.consume(large('acme', 7));
    await clock.advance(0);
    expect(new Set(asked)).toEqual(new Set(orderOf('acme').slice(0, 7)));
  });

  test('take turns: what comes within one goes together, of all tenants that have the partition', async () => {
    const { publisher, asked, clock, acknowledge } = await setUp(undefined, 16);
    const used = new Set<number>();
    for (let turn = 0; turn < 50; turn++) {
      asked.length = 0;
      for (let i = 0; i < 3; i++) {
        for (const name of names.slice(0, 20)) void publisher.consume(small(name, 16));
        await clock.advance(0);
        await acknowledge();
      }
      expect(new Set(asked).size).toBe(1);
      used.add(asked[0]!);
      await clock.advance(LIMITS.laneTurnMs - (clock.nowMs() % LIMITS.laneTurnMs));
    }
    expect(used.size).toBeGreaterThan(10);
  });

  test('do not wait for one another: a produce that takes long, or much that waits, sends what comes elsewhere', async () => {
    const { publisher, asked, clock } = await setUp(undefined, 16);
    void publisher.consume(small('acme'));
    await clock.advance(LIMITS.laneSlowMs - 1);
    void publisher.consume(small('acme'));
    await clock.advance(0);
    // Behind the produce that is under way.
    expect(asked.length).toBe(1);
    await clock.advance(1);
    void publisher.consume(small('acme'));
    await clock.advance(0);
    expect(new Set(asked).size).toBe(2);
    // A note of the books is a produce, too.
    const noting = await setUp(undefined, 16);
    void noting.publisher.note([]);
    await noting.clock.advance(LIMITS.laneSlowMs);
    void noting.publisher.consume(small('acme', 16));
    await noting.clock.advance(0);
    expect(new Set(noting.asked).size).toBe(2);
    const fresh = await setUp(undefined, 16);
    for (let i = 0; i < 9; i++) void fresh.publisher.consume(large('acme'));
    await fresh.clock.advance(0);
    expect(new Set(fresh.asked).size).toBe(2);
  });
});

test('without batches each export is a produce of its own, one at a time in each of its partitions', async () => {
  const { publisher, appended, asked, done, acknowledge, clock } = await setUp(undefined, 4, false);
  const answers = Array.from({ length: 10 }, () => publisher.consume(admitted(spans(1, 1))));
  await clock.advance(0);
  expect(asked.toSorted()).toEqual([0, 1, 2, 3]);
  done.shift()!();
  await clock.advance(0);
  expect(await Promise.race(answers)).toMatchObject({ kind: 'accepted' });
  expect([asked.length, appended.length]).toEqual([5, 5]);
  await acknowledge();
  for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ kind: 'accepted' });
  expect([asked.length, appended.length]).toEqual([10, 10]);
});
