import { decodeFlowReport, encodeFlowReport } from '@weir/records';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BacklogMeter, backlogReport, type PartitionBacklog } from './backlog-meter.ts';

const MIB = 1024 ** 2;
const BOUNDS = { bytesMax: 1024 * MIB, secondsMax: 60 };
const at = (doneTo: number, endOffset: number, partition = 0): [number, PartitionBacklog] => [
  partition,
  { doneTo, endOffset, recordBytes: MIB },
];
/** Ten records come and ten are done a second, with ten that wait. */
const steady = (meter: BacklogMeter, seconds: number) => {
  for (let n = 0; n <= seconds; n++) meter.look([at(10 * n, 10 + 10 * n)], n * 1_000);
};

test('the backlog in seconds is what waits over the rate at which it is done', () => {
  const meter = new BacklogMeter(BOUNDS);
  for (let second = 0; second < 2; second++) {
    // One look may fall between two steps: it is no rate yet.
    expect(meter.look([at(10 * second, 100 + 10 * second)], second * 1_000).seconds).toBe(null);
  }
  expect(meter.look([at(20, 120)], 2_000)).toEqual({
    bytes: 100 * MIB,
    seconds: expect.closeTo(10),
    fill: expect.closeTo(10 / 60),
    drainBytesPerSecond: expect.closeTo(10 * MIB),
    inflowBytesPerSecond: expect.closeTo(10 * MIB),
    stalled: false,
  });
});

test('an idle pipe has no rate, and is not full', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look([at(7, 7)], 0);
  expect(meter.look([at(7, 7)], 1_000)).toMatchObject({ bytes: 0, seconds: null, fill: 0, drainBytesPerSecond: null });
});

test('partitions that come, go or are not known yet are neither drain nor inflow', () => {
  const meter = new BacklogMeter(BOUNDS);
  const second = (n: number) => at(900 + n, 1_000 + 2 * n, 1);
  meter.look([at(0, 0), second(0)], 0);
  for (let n = 1; n <= 4; n++) meter.look([at(500, 600), second(n)], n * 1_000);
  const { drainBytesPerSecond, inflowBytesPerSecond } = meter.look([at(500, 600), second(5)], 5_000);
  expect([drainBytesPerSecond, inflowBytesPerSecond]).toEqual([MIB, 2 * MIB]);
  // A worker that is begun anew has its place later.
  expect(meter.look([at(500, 600), at(0, 0, 1)], 6_000).inflowBytesPerSecond).toBeLessThan(2 * MIB);
});

test('while what comes behind fails, the rate from before stays, and the backlog in seconds grows with what comes', () => {
  const meter = new BacklogMeter(BOUNDS);
  steady(meter, 5);
  for (let second = 6; second <= 15; second++) meter.look([at(50, 10 + 10 * second)], second * 1_000, () => true);
  expect(meter.look([at(50, 170)], 16_000, () => true)).toMatchObject({
    seconds: expect.closeTo(12),
    drainBytesPerSecond: expect.closeTo(10 * MIB),
  });
});

test('a hang that turns out to be a failure has said nothing about the rate', () => {
  const meter = new BacklogMeter(BOUNDS);
  steady(meter, 5);
  for (let second = 6; second <= 34; second++) meter.look([at(50, 60)], second * 1_000);
  expect(meter.look([at(50, 60)], 35_000).seconds).toBeGreaterThan(60);
  expect(meter.look([at(50, 60)], 36_000, () => true)).toMatchObject({
    seconds: expect.closeTo(1),
    drainBytesPerSecond: expect.closeTo(10 * MIB),
  });
});

test('one partition that fails counts in bytes, and in seconds only while no other does anything', () => {
  const meter = new BacklogMeter(BOUNDS);
  const fails = (partition: number) => partition === 0;
  let second = 0;
  const look = (done: number, end: number) =>
    meter.look([at(5, 105), at(done, end, 1), at(7, 7, 2)], second++ * 1_000, fails);
  for (; second <= 10; ) look(second, 2 + second);
  expect(look(11, 13)).toMatchObject({ bytes: 102 * MIB, seconds: 2, drainBytesPerSecond: MIB });
  // With nothing to do that one says nothing any more.
  for (; second <= 40; ) look(13, 13);
  const { bytes, seconds, drainBytesPerSecond } = look(13, 13);
  expect([bytes, seconds]).toEqual([100 * MIB, (100 * MIB) / drainBytesPerSecond!]);
  expect(drainBytesPerSecond).toBeGreaterThanOrEqual(MIB);
});

test('where it hangs without a failure, every report for two hours can be read and soon says that it is full', () => {
  const meter = new BacklogMeter(BOUNDS);
  meter.look([at(0, 100)], 0);
  meter.look([at(50, 150)], 1_000);
  for (let second = 2; second <= 7_200; second++) {
    const report = backlogReport(meter.look([at(50, 150)], second * 1_000));
    const breaker = { state: 'closed', forMs: 0, waitMs: 0 } as const;
    const self = { reporter: 'a', track: 'v1', role: 'sink', breaker, leaving: false, atMs: 0 } as const;
    const read = decodeFlowReport(encodeFlowReport({ ...self, ...report }));
    if (second > 60) expect(read.ok && read.value.fill).toBeGreaterThanOrEqual(1);
  }
});

/** Does in steps what has come, one after another at even times or as soon as the one before ends. */
class Stepper {
  done = 0;
  came = 0;
  #beganMs = 0;
  #cameAtStart = 0;
  #steps = 0;
  readonly #everyMs: number;
  readonly #takesMs: readonly number[];

  constructor(everyMs: number, takesMs: readonly number[]) {
    this.#everyMs = everyMs;
    this.#takesMs = takesMs;
  }

  /** A millisecond in which `records` come. */
  tick(nowMs: number, records: number): void {
    this.came += records;
    const endsMs = this.#beganMs + this.#takesMs[this.#steps % this.#takesMs.length]!;
    if (nowMs < endsMs || nowMs < this.#beganMs + this.#everyMs) {
      if (nowMs === endsMs) this.done = this.#cameAtStart;
      return;
    }
    this.done = this.#cameAtStart;
    this.#beganMs = nowMs;
    this.#cameAtStart = this.came;
    this.#steps++;
  }

  get place(): [number, PartitionBacklog] {
    return [0, { doneTo: Math.floor(this.done), endOffset: Math.floor(this.came) + 1, recordBytes: 1_024 }];
  }
}

const STEPS = {
  everyMs: fc.integer({ min: 500, max: 2_000 }),
  takesMs: fc.array(fc.integer({ min: 50, max: 1_000 }), { minLength: 1 }),
  lookMs: fc.integer({ min: 1_000, max: 1_400 }),
};
/** What waits is what came during a step and the pause before it, 3 s at most; a mean over 5 s may be off by several times while more begins to come (21 is the worst that a search found). A sink is full at 60. */
const BEHIND_S_MAX = 25;

test('whoever does in steps what has come is never said to be half full, wherever the looks fall, also when five times as much comes at once', () => {
  const trickle = fc.integer({ min: 300, max: 2_500 });
  const times = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(trickle, times, fc.record(STEPS), (records, more, { everyMs, takesMs, lookMs }) => {
      const meter = new BacklogMeter(BOUNDS);
      const worker = new Stepper(everyMs, takesMs);
      for (let nowMs = 0; nowMs <= 90_000; nowMs++) {
        worker.tick(nowMs, (nowMs < 45_000 ? records : records * more) / 1_000);
        if (nowMs % lookMs !== 0) continue;
        const { seconds } = meter.look([worker.place], nowMs);
        expect(seconds ?? 0).toBeLessThan(BEHIND_S_MAX);
      }
    }),
    {
      numRuns: 200,
      // Of little more than the least that counts as a backlog, most looks that find one fall between two steps.
      examples: [
        [628, 5, { everyMs: 1_830, takesMs: [929, 320], lookMs: 1_100 }],
        [502, 5, { everyMs: 1_665, takesMs: [981, 376, 111, 50], lookMs: 1_400 }],
      ],
    },
  );
});

test('a backlog that stays is told in seconds after two looks, however long a look takes', () => {
  const meter = new BacklogMeter(BOUNDS);
  const look = (n: number) => meter.look([at(10 * n, 500 + 20 * n)], n * 1_200).seconds;
  expect([look(0), look(1)]).toEqual([null, null]);
  expect(look(2)).toBeCloseTo(520 / (10 / 1.2));
});

test('a pause in which looks were missed counts as one look of two seconds, and a long one says nothing', () => {
  const meter = new BacklogMeter(BOUNDS);
  steady(meter, 20);
  // Work in one of eight seconds.
  expect(meter.look([at(210, 230)], 28_000).seconds).toBeLessThan(3);
  expect(meter.look([at(220, 240)], 58_000)).toMatchObject({ seconds: null, bytes: 20 * MIB });
});

test('partitions that go take nothing from the rate of those that stay', () => {
  const meter = new BacklogMeter(BOUNDS);
  // One keeps up, and one has a backlog.
  const both = (n: number) => [at(1 + 10 * n, 1 + 10 * n), at(5 * n, 50 + 5 * n, 1)];
  for (let n = 0; n <= 10; n++) meter.look(both(n), n * 1_000);
  expect(meter.look([at(102, 102)], 11_000).drainBytesPerSecond).toBeCloseTo(15 * MIB);
});

test('where writes are taken and refused by turns, what is done meanwhile is measured', () => {
  const meter = new BacklogMeter(BOUNDS);
  steady(meter, 10);
  let done = 100;
  for (let n = 11; n <= 60; n++) {
    const refused = n % 2 === 0;
    if (!refused) done += 2;
    meter.look([at(done, done + 100)], n * 1_000, () => refused);
  }
  expect(meter.look([at(done + 2, done + 102)], 61_000).drainBytesPerSecond).toBeLessThan(4 * MIB);
});

test('one look at a new backlog is no reason to forget what is known, should writes be refused from then on', () => {
  const meter = new BacklogMeter(BOUNDS);
  steady(meter, 10);
  // It keeps up for a while.
  for (let n = 11; n <= 40; n++) meter.look([at(10 * n, 10 * n)], n * 1_000);
  meter.look([at(400, 410)], 41_000);
  meter.look([at(405, 420)], 42_000);
  const refused = (n: number) => meter.look([at(405, 10 * n)], n * 1_000, () => true);
  for (let n = 43; n <= 53; n++) refused(n);
  expect(refused(60)).toMatchObject({ stalled: true, drainBytesPerSecond: expect.closeTo(10 * MIB) });
});
