import { BacklogMeter, backlogReport } from '@weir/flow';
import { ZONE_BOUNDS } from '@weir/pipeline';
import type { FlowReport } from '@weir/records';
import { effectiveTenant, type Tenant } from '@weir/tenancy';
import { FakeClock } from '@weir/testkit';
import { describe, expect, test } from 'vitest';
import { DemandMeter } from './demand-meter.ts';
import { FairShares } from './fair-shares.ts';
import { LiveEdges } from './live-edges.ts';
import { PipeState } from './pipe-state.ts';

const MB = 1e6;
const STEP_MS = 100;
const EXPORT_BYTES = 50_000;
/** Bytes of the rows log for one of OTLP. */
const COMPRESSION = 0.3;
/** From an edge's answer until its bytes are in the rows log. */
const LAG_STEPS = 15;
/** From a report until whoever follows has it. */
const NEWS_STEPS = 3;
const NO_BREAKER = { state: 'closed', forMs: 0, waitMs: 0 } as const;

interface Sender {
  readonly tenant: Tenant;
  /** Bytes a second at each edge. */
  rates: number[];
}

interface Fate {
  offered: number;
  accepted: number;
  refused: number;
}

/** One edge's parts as the edge has them. */
class Edge {
  readonly meter = new DemandMeter();
  readonly live: LiveEdges;
  readonly fair: FairShares;
  readonly pipe: PipeState;
  readonly id: string;

  constructor(id: string, clock: FakeClock, tenants: ReadonlyMap<string, Tenant>) {
    this.id = id;
    this.live = new LiveEdges(id);
    this.fair = new FairShares(id, (name) => tenants.get(name));
    this.pipe = new PipeState(clock, 'v1');
  }
}

/** A pipe as a fluid: edges that admit as edges do, and one sink that stores a batch every second and reports it. */
class Loop {
  readonly clock = new FakeClock();
  readonly fates = new Map<string, Fate>();
  readonly fills: number[] = [];
  drainedBytes = 0;
  /** What the sink stores a second, in bytes of OTLP. */
  drain: number;
  readonly #senders: readonly Sender[];
  readonly #edges: Edge[];
  readonly #meter = new BacklogMeter({ bytesMax: 10_000 * MB, secondsMax: 60 });
  readonly #later = new Map<number, (() => void)[]>();
  readonly #owed = new Map<string, number>();
  #step = 0;
  #came = 0;
  #done = 0;

  constructor(drain: number, senders: readonly Sender[]) {
    this.drain = drain;
    this.#senders = senders;
    const tenants = new Map(senders.map(({ tenant }) => [tenant.name, tenant]));
    this.#edges = senders[0]!.rates.map((_, at) => new Edge(`edge-${at}`, this.clock, tenants));
  }

  async run(seconds: number): Promise<void> {
    for (const { tenant } of this.#senders) this.fates.set(tenant.name, { offered: 0, accepted: 0, refused: 0 });
    this.drainedBytes = 0;
    this.fills.length = 0;
    const end = this.#step + (seconds * 1_000) / STEP_MS;
    while (this.#step < end) {
      await this.clock.advance(STEP_MS);
      for (const news of this.#later.get(this.#step) ?? []) news();
      this.#later.delete(this.#step);
      for (const [at, edge] of this.#edges.entries()) this.#offer(edge, at);
      if (this.#step % (1_000 / STEP_MS) === 0) this.#second();
      this.#step++;
    }
  }

  #offer(edge: Edge, at: number): void {
    for (const { tenant, rates } of this.#senders) {
      const key = `${edge.id} ${tenant.name}`;
      let owed = (this.#owed.get(key) ?? 0) + (rates[at]! * STEP_MS) / 1_000;
      for (; owed >= EXPORT_BYTES; owed -= EXPORT_BYTES) this.#export(edge, tenant);
      this.#owed.set(key, owed);
    }
  }

  #export(edge: Edge, tenant: Tenant): void {
    const fate = this.fates.get(tenant.name)!;
    const { fill } = edge.pipe.current();
    const isOver = edge.fair.take(tenant.name, EXPORT_BYTES, this.clock.nowMs()) !== undefined;
    const isTaken = !isOver && fill < ZONE_BOUNDS.priority.from;
    if (!isOver && !isTaken) edge.fair.giveBack(tenant.name, EXPORT_BYTES);
    fate.offered += EXPORT_BYTES;
    edge.meter.add(tenant.name, 100, EXPORT_BYTES, isTaken);
    if (!isTaken) fate.refused += EXPORT_BYTES;
    else {
      fate.accepted += EXPORT_BYTES;
      this.#in(LAG_STEPS, () => {
        this.#came += EXPORT_BYTES * COMPRESSION;
      });
    }
  }

  #second(): void {
    const stored = Math.min(this.#came - this.#done, this.drain * COMPRESSION);
    this.#done += stored;
    this.drainedBytes += stored / COMPRESSION;
    const place = { doneTo: 1 + this.#done, endOffset: 1 + this.#came, recordBytes: 1 };
    const backlog = backlogReport(this.#meter.look([[0, place]], this.clock.nowMs()));
    const self = { reporter: 'sink', track: 'v1', role: 'sink', breaker: NO_BREAKER, leaving: false, atMs: 0 } as const;
    const report: FlowReport = { ...self, ...backlog };
    this.fills.push(report.fill);
    for (const { pipe } of this.#edges) this.#in(NEWS_STEPS, () => pipe.take(report));
    for (const { id, meter } of this.#edges) {
      const demand = { edge: id, track: 'v1', ...meter.look(1), leaving: false, atMs: 0 };
      for (const { live } of this.#edges) this.#in(NEWS_STEPS, () => live.take(demand, this.clock.nowMs()));
    }
    for (const { fair, live, pipe } of this.#edges) {
      fair.refresh(pipe.fullest, live.reports(this.clock.nowMs()), this.clock.nowMs());
    }
  }

  #in(steps: number, news: () => void): void {
    const at = this.#step + steps;
    const found = this.#later.get(at);
    if (found === undefined) this.#later.set(at, [news]);
    else found.push(news);
  }
}

const generous = { items: { perSecond: 1e9 }, bytes: { perSecond: 1e9 } };
const sender = (name: string, rates: number[], weight = 1): Sender => {
  const tenant = effectiveTenant(name, { keys: [], limits: { ...generous, weight } }, undefined);
  return { tenant, rates };
};
/** Twenty tenants that send `rate` together. */
const quiet = (rates: readonly number[]): Sender[] =>
  Array.from({ length: 20 }, (_, at) =>
    sender(
      `quiet-${at}`,
      rates.map((rate) => (rate * (0.53 + at / 20)) / 20),
    ),
  );
const refusedOf = (loop: Loop) => [...loop.fates].filter(([, { refused }]) => refused > 0).map(([name]) => name);
const acceptedOf = (loop: Loop, name: string) => loop.fates.get(name)!.accepted;

/** The fill stays near where it is kept, and all the while the sink has something to do. */
function expectSettled(loop: Loop, seconds: number): void {
  expect(Math.min(...loop.fills)).toBeGreaterThan(0.75);
  expect(Math.max(...loop.fills)).toBeLessThan(0.85);
  expect(loop.drainedBytes / (seconds * loop.drain)).toBeGreaterThan(0.999);
}

describe('a sink that drains less than comes in', () => {
  test.each<[string, number[], number[]]>([
    ['twice what it drains', [14 * MB], [6 * MB]],
    ['ten times what it drains', [100 * MB], [6 * MB]],
    ['at two edges', [20 * MB, 2 * MB], [1 * MB, 5 * MB]],
  ])(
    'refuses the one tenant that sends far too much, and none of twenty quiet ones: %s',
    async (_what, much, little) => {
      const greedy = sender(
        'greedy',
        much.map(() => 0),
      );
      const loop = new Loop(10 * MB, [greedy, ...quiet(little)]);
      await loop.run(60);
      expect(refusedOf(loop)).toEqual([]);
      greedy.rates = much;
      await loop.run(120);
      expect(refusedOf(loop)).toEqual(['greedy']);
      await loop.run(200);
      expect(refusedOf(loop)).toEqual(['greedy']);
      expectSettled(loop, 200);
      // What the quiet ones leave is the greedy one's.
      expect(acceptedOf(loop, 'greedy') / 200).toBeGreaterThan(3.6 * MB);
      greedy.rates = much.map(() => 0);
      await loop.run(60);
      await loop.run(60);
      expect(refusedOf(loop)).toEqual([]);
    },
  );

  test('gives tenants that all want too much what their weights say, on every edge and whatever they send', async () => {
    const senders = [sender('one', [30 * MB, 0]), sender('two', [2 * MB, 10 * MB], 2), ...quiet([0.5 * MB, 0.5 * MB])];
    const loop = new Loop(10 * MB, senders);
    await loop.run(120);
    await loop.run(200);
    expectSettled(loop, 200);
    expect(acceptedOf(loop, 'two') / acceptedOf(loop, 'one')).toBeCloseTo(2, 1);
    expect(refusedOf(loop)).toEqual(['one', 'two']);
  });

  test('follows a drain that halves and comes back', async () => {
    const loop = new Loop(10 * MB, [sender('greedy', [30 * MB]), ...quiet([3 * MB])]);
    await loop.run(120);
    loop.drain = 5 * MB;
    await loop.run(120);
    await loop.run(100);
    expect(refusedOf(loop)).toEqual(['greedy']);
    expectSettled(loop, 100);
    loop.drain = 10 * MB;
    await loop.run(120);
    await loop.run(100);
    expect(refusedOf(loop)).toEqual(['greedy']);
    expectSettled(loop, 100);
  });
});
