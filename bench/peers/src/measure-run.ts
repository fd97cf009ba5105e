import { randomBytes } from 'node:crypto';
import { systemClock } from '@weir/pipeline';
import type { LoopResult } from './closed-loop.ts';
import { Generator, type GeneratorLoad } from './generator.ts';
import { ProcessMeter } from './process-cost.ts';
import type { SeriesLoad } from './series-load.ts';
import { mergeState, type Stored } from './stored-rows.ts';
import type { Running, Stage, System } from './systems/system.ts';

/** What one process cost in one run. */
export interface PartCost {
  readonly name: string;
  readonly stage: Stage;
  readonly cpuS: number;
  readonly peakMib: number;
}

/** One run of one system. */
export interface RunResult extends Pick<LoopResult, 'p50Ms' | 'p99Ms' | 'maxMs' | 'retries'> {
  readonly system: string;
  /** Runs with the same number lie beside each other in time. */
  readonly pair: number;
  readonly sentItems: number;
  readonly acceptedItems: number;
  /** From the first export's sending to the last one's answer. */
  readonly answeredS: number;
  /** From the first export's sending until everything that ever arrived had; a hop to Kafka is judged by messages. */
  readonly arrivedS: number;
  /** Whether ClickHouse's merges came to an end within their time. */
  readonly quiet: boolean;
  readonly parts: readonly PartCost[];
  readonly stored: Stored;
  /** Cores that what stands idle beside took meanwhile. */
  readonly besideCores: number;
}

const POLL_MS = 100;
/** Of the items, to warm up before each run; not measured. */
const WARM_UP_SHARE = 0.1;
const WARM_UP_ITEMS_MIN = 5_000;
/** What does not arrive for so long does not arrive at all. */
const STUCK_MS = 20_000;
/** A topic that grows no more for so long has everything. */
const STEADY_MS = 4_000;
/** Offsets are committed and batches are freed: the services and Kafka are counted so long after the last row. */
const AFTERMATH_MS = 2_000;
const QUIET_MS = 3_000;
const QUIET_MS_MAX = 120_000;

/** Starts a system, warms it up, and measures one load on it. @throws where it takes no load at all */
export async function measureRun(system: System, load: SeriesLoad, pair: number): Promise<RunResult> {
  const run = randomBytes(4).toString('hex');
  const running = await system.start(load.signal, run);
  try {
    await warmUp(running, system, load);
    return { system: system.name, pair, ...(await measure(running, system, load, run)) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${system.name}: ${why}\n${running.logs()}`);
  } finally {
    await running.stop();
  }
}

/** Puts a system under load, whole loads of a run, for so many seconds or a little more, before its first run. @throws where it takes no load at all */
export async function warmUpLong(system: System, load: SeriesLoad, seconds: number): Promise<void> {
  const running = await system.start(load.signal, randomBytes(4).toString('hex'));
  try {
    await running.empty();
    for (let sentS = 0; sentS < seconds; ) sentS += await sendAll(running, system, load, load.items);
    await takeAway(running);
  } finally {
    await running.stop();
  }
}

/** A load of a process of its own. */
export function generatorLoad(
  running: Running,
  { signal, transport, itemsPerExport, inFlight, gzip }: SeriesLoad,
  run: string,
  items: number,
  { retries, endsEarly }: Pick<GeneratorLoad, 'retries' | 'endsEarly'> = { retries: true, endsEarly: false },
): GeneratorLoad {
  const load = { run, signal, transport, items, itemsPerExport, inFlight, gzip };
  return { ...load, retries, endsEarly, target: running.target };
}

/** Sends a part of the load, waits until it has arrived, and takes it away again. @throws where nothing arrives */
export async function warmUp(running: Running, system: System, load: SeriesLoad): Promise<void> {
  await running.empty();
  await sendAll(running, system, load, Math.max(WARM_UP_ITEMS_MIN, Math.round(load.items * WARM_UP_SHARE)));
  await takeAway(running);
}

async function takeAway(running: Running): Promise<void> {
  await untilQuiet(running);
  await running.empty();
  await untilQuiet(running);
}

/** Waits until all has arrived; returns the seconds from the first export's sending to the last one's answer. */
async function sendAll(running: Running, system: System, load: SeriesLoad, items: number): Promise<number> {
  const run = randomBytes(4).toString('hex');
  const generator = await Generator.start(generatorLoad(running, load, run, items));
  const before = await running.arrived();
  const result = await generator.go();
  const { arrived } = await untilArrived(running, system, before, result.acceptedItems);
  if (arrived === 0) {
    const reasons = [...new Set(result.notAccepted.map(({ reason }) => reason))].join(', ');
    throw new Error(`nothing of ${items} items to warm up arrived; not accepted: ${reasons || 'none'}`);
  }
  return result.seconds;
}

async function measure(
  running: Running,
  system: System,
  load: SeriesLoad,
  run: string,
): Promise<Omit<RunResult, 'system' | 'pair'>> {
  const generator = await Generator.start(generatorLoad(running, load, run, load.items));
  try {
    const before = await running.arrived();
    const meters = running.parts.map((part) => ({ part, meter: new ProcessMeter(part.pid()) }));
    for (const { meter } of meters) meter.reset();
    const beside = system.beside().map((pid) => new ProcessMeter(pid));
    const startedMs = performance.now();
    const result = await generator.go();
    const arrival = await untilArrived(running, system, before, result.acceptedItems);
    await systemClock.sleep(AFTERMATH_MS);
    const besideCpuS = beside.reduce((sum, meter) => sum + meter.cpuS(), 0);
    const besideCores = besideCpuS / ((performance.now() - startedMs) / 1_000);
    const costs = new Map(meters.map(({ part, meter }) => [part.name, meter.cpuS()]));
    const quiet = await untilQuiet(running);
    const parts = meters.map(({ part: { name, stage }, meter }): PartCost => {
      const cpuS = stage === 'clickhouse' ? meter.cpuS() : costs.get(name)!;
      return { name, stage, cpuS, peakMib: meter.peakMib() };
    });
    const { sentItems, acceptedItems, retries, p50Ms, p99Ms, maxMs, seconds, notAccepted } = result;
    const stored = await running.check(run, load.items, [...notAccepted, ...unsent(load.items, sentItems)]);
    const arrivedS = (arrival.atMs - startedMs) / 1_000;
    return {
      ...{ sentItems, acceptedItems, retries, p50Ms, p99Ms, maxMs },
      ...{ answeredS: seconds, arrivedS, quiet, parts, stored, besideCores },
    };
  } finally {
    generator.end();
  }
}

/** Items behind the last that was sent, where a load ended early. */
export function unsent(items: number, sentItems: number): { first: number; items: number; reason: string }[] {
  return sentItems < items ? [{ first: sentItems, items: items - sentItems, reason: 'not sent' }] : [];
}

/** Waits until so many items have arrived, or nothing comes any more; says when the last came. */
export async function untilArrived(
  running: Running,
  system: Pick<System, 'countsItems'>,
  before: number,
  acceptedItems: number,
): Promise<{ readonly arrived: number; readonly atMs: number }> {
  let arrived = -1;
  let atMs = performance.now();
  const patienceMs = system.countsItems ? STUCK_MS : STEADY_MS;
  for (;;) {
    const askedMs = performance.now();
    const now = (await running.arrived()) - before;
    if (now !== arrived) atMs = askedMs;
    arrived = now;
    if (system.countsItems && arrived >= acceptedItems) break;
    if (askedMs - atMs > patienceMs) break;
    await systemClock.sleep(POLL_MS);
  }
  return { arrived, atMs };
}

/** Waits until ClickHouse merges nothing and has the same parts for a while; false where that takes too long. */
export async function untilQuiet({ database }: Running): Promise<boolean> {
  if (database === undefined) return true;
  const startedMs = performance.now();
  let state = '';
  let sinceMs = startedMs;
  for (;;) {
    const nowMs = performance.now();
    const now = await mergeState(database);
    if (now !== state || !now.startsWith('0\t')) sinceMs = nowMs;
    state = now;
    if (nowMs - sinceMs >= QUIET_MS) return true;
    if (nowMs - startedMs > QUIET_MS_MAX) return false;
    await systemClock.sleep(POLL_MS * 5);
  }
}
