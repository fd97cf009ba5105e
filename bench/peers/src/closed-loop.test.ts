import type { Sender, Sent } from '@weir/bench-load';
import { expect, test } from 'vitest';
import { type LoopOptions, runClosedLoop } from './closed-loop.ts';
import type { ReadyExport } from './export-pool.ts';

const POOL: ReadyExport[] = Array.from({ length: 10 }, (_, i) => ({ body: Buffer.from([i]), first: i * 5, items: 5 }));

/** Answers as `answer` says, by the number of the export and how often it came. */
function scripted(answer: (number: number, time: number) => Sent): Sender & { seen: number[]; most: number } {
  const times = new Map<number, number>();
  let under = 0;
  const sender = {
    seen: [] as number[],
    most: 0,
    async send(_signal: string, body: Buffer): Promise<Sent> {
      const number = body[0]!;
      sender.seen.push(number);
      sender.most = Math.max(sender.most, ++under);
      await new Promise((resolve) => setTimeout(resolve, 2));
      under--;
      times.set(number, (times.get(number) ?? 0) + 1);
      return answer(number, times.get(number)!);
    },
    close: async () => undefined,
  };
  return sender;
}

const ACCEPTED: Sent = { kind: 'accepted' };
const BUSY: Sent = { kind: 'refused', reason: 'HTTP 429' };
const CUT: Sent = { kind: 'unknown', reason: 'ECONNRESET' };

function options(more: Partial<LoopOptions> = {}): LoopOptions {
  const sleep = async () => undefined;
  return { signal: 'traces', key: 'k', inFlight: 3, retries: true, endsEarly: false, sleep, ...more };
}

test('so many exports are under way and no more, and each is sent once', async () => {
  const sender = scripted(() => ACCEPTED);
  let halves = 0;
  const result = await runClosedLoop(POOL, sender, options({ onHalf: () => halves++ }));
  expect([sender.most, sender.seen.length, new Set(sender.seen).size, halves]).toEqual([3, 10, 10, 1]);
  expect(result).toMatchObject({ sentItems: 50, acceptedItems: 50, retries: 0, notAccepted: [] });
  expect(result.p50Ms).toBeGreaterThan(1);
  expect(result.maxMs).toBeGreaterThanOrEqual(result.p99Ms);
});

test('what is refused for now is sent again; what is refused for good or has no answer is not', async () => {
  const gone: Sent = { kind: 'refused', reason: 'HTTP 400' };
  const sender = scripted((number, time) =>
    number === 2 ? (time < 3 ? BUSY : ACCEPTED) : number === 4 ? gone : number === 6 ? CUT : ACCEPTED,
  );
  const result = await runClosedLoop(POOL, sender, options());
  expect(sender.seen.filter((number) => number === 2)).toHaveLength(3);
  expect(sender.seen).toHaveLength(12);
  expect(result).toMatchObject({ sentItems: 50, acceptedItems: 40, retries: 2 });
  expect(result.notAccepted).toEqual([
    { first: 20, items: 5, reason: 'HTTP 400' },
    { first: 30, items: 5, reason: 'ECONNRESET' },
  ]);
});

test('a load that ends early sends nothing more once an export was not accepted', async () => {
  const sender = scripted((number) => (number < 4 ? ACCEPTED : CUT));
  const result = await runClosedLoop(POOL, sender, options({ inFlight: 1, retries: false, endsEarly: true }));
  expect(sender.seen).toEqual([0, 1, 2, 3, 4]);
  expect(result).toMatchObject({ sentItems: 25, acceptedItems: 20, notAccepted: [{ first: 20, items: 5 }] });
});
