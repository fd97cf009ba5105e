import { zstdDecompressSync } from 'node:zlib';
import type { Log, NewRecord } from '@weir/delivery';
import { Budget } from '@weir/pipeline';
import { decodeRawMeta, RejectedWalk } from '@weir/records';
import { effectiveTenant } from '@weir/tenancy';
import { decodeExport, encodeExport, FakeClock } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import type { AdmittedExport } from '../exports.ts';
import { LIMITS } from '../limits.ts';
import { Publisher } from './publisher.ts';

const tenant = effectiveTenant('acme', { keys: [] }, undefined);

/** A publisher whose log answers only when it is told to. */
async function setUp(bytesMax = 100 * LIMITS.recordBodyBytesMax, partitions: number | Promise<number> = 1) {
  const clock = new FakeClock();
  const budget = new Budget({ bytesMax, itemsMax: 1_000_000 });
  const appended: NewRecord[] = [];
  const done: (() => void)[] = [];
  const log: Pick<Log, 'append'> = {
    append: (_topic, _partition, records) =>
      new Promise((resolve) => {
        appended.push(...records);
        done.push(() => resolve(0));
      }),
  };
  const booked: string[] = [];
  const publisher = new Publisher({
    log: log as Log,
    clock,
    topic: 't',
    budget,
    edge: '0'.repeat(16),
    deadlineMs: 5_000,
    partitions: async () => partitions,
    onProduced: () => undefined,
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
      await clock.advance(0);
    }
  };
  return { publisher, budget, appended, acknowledge, clock, booked };
}

function admitted(init: object, signal: 'traces' | 'metrics' = 'traces'): AdmittedExport {
  const plain = Buffer.from(encodeExport(signal, init as never));
  const meta = { tenant: 'acme', signal, encoding: 'identity', priority: false, receivedAtNs: 1n } as const;
  return { tenant, meta: { ...meta, items: 10, bytes: plain.length }, value: plain, plain, rejectedItems: 0 };
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
    const { publisher, acknowledge, clock, booked } = await setUp();
    const answers = [publisher.consume(admitted(spans(1, 1))), publisher.consume(admitted(spans(1, 1)))];
    await clock.advance(5_000);
    expect(await Promise.all(answers)).toMatchObject([
      { reason: 'kafka_unavailable', booked: true },
      { reason: 'kafka_unavailable', booked: true },
    ]);
    expect(booked).toEqual(['refused 10 kafka_unavailable']);
    await acknowledge();
    expect(booked).toEqual(['refused 10 kafka_unavailable', 'unanswered 10']);
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
    expect(appended).toHaveLength(4);
    await acknowledge();
    expect(await answer).toMatchObject({ kind: 'accepted' });
    expect(booked.toSorted()).toEqual(['acked 1', 'acked 3', 'acked 3', 'acked 3']);
  });
});
