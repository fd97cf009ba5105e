import { availableParallelism } from 'node:os';
import { searchRate } from '@weir/bench-load';
import type { ProcessCounts } from '@weir/local';
import { backlogPart, behindOf } from './backlog-part.ts';
import { boundRawTopic } from './capacity-stack.ts';
import { ITEMS, loadOf } from './load-of.ts';
import { isSustained, type LoadSpec, type StackSpec } from './point.ts';
import type { Run } from './run.ts';

/** A part of the report. */
export interface Part {
  readonly name: string;
  readonly what: string;
  run(run: Run): Promise<void>;
}

export const ONE: ProcessCounts = { edge: 1, normalizer: 1, sink: 1 };
const STACK: StackSpec = { partitions: 4, counts: ONE, tenants: 1 };
const TENANTS = 5_000;
const SMALL_ITEMS = 10;
const EXPORTS_PER_S_MAX = 1_000;
const SEARCH_CORES = 8;

/** Looks for the highest sustained rate, in items a second. */
async function search(run: Run, part: string, stack: StackSpec, own: Partial<LoadSpec>, name: string): Promise<number> {
  const { from, growth, refinements, goal } = run.options;
  const itemsPerExport = own.itemsPerExport ?? ITEMS;
  const first = Math.min(from, itemsPerExport * EXPORTS_PER_S_MAX);
  const options = { from: first, growth, refinements, round: Math.max(100, first / 40) };
  return searchRate(options, async (rate) => {
    const load = loadOf(run, { ...own, rate });
    const wanted = { name, round: 0, stack, load, ...(own.answersOnly === true ? { behindOf } : {}) };
    return isSustained(await run.measure(part, wanted), goal);
  });
}

/** Below the peak: for the curve of latency against throughput. */
const SHARES = [0.25, 0.5, 0.75, 0.9];

async function ratePart(run: Run): Promise<void> {
  const peak = await search(run, 'rate', STACK, {}, 'search');
  for (const share of SHARES) {
    if (peak === 0) return;
    const load = loadOf(run, { rate: Math.round((peak * share) / 100) * 100 });
    await run.measure('rate', { name: `${share * 100} %`, round: 0, stack: STACK, load });
  }
}

/** Each value in turn, round by round, so that what else the machine does strikes all of them. */
async function inTurn(
  run: Run,
  part: string,
  points: readonly { name: string; own: Partial<LoadSpec> }[],
  stack = STACK,
): Promise<void> {
  for (let round = 0; round < run.options.rounds; round++) {
    for (const { name, own } of points) {
      await run.measure(part, { name, round, stack, load: loadOf(run, own) });
    }
  }
}

/** Each on a stack of its own. */
async function onStacks(run: Run, part: string, stacks: readonly { name: string; stack: StackSpec }[]) {
  for (const { name, stack } of stacks) {
    for (let round = 0; round < run.options.rounds; round++) {
      await run.measure(part, { name, round, stack, load: loadOf(run) });
    }
    if (run.options.searchProcesses ?? availableParallelism() >= SEARCH_CORES) {
      await search(run, part, stack, {}, `${name}, search`);
    }
  }
}

function processesPart(service: keyof ProcessCounts): Part {
  const stacks = [1, 2, 4].map((count) => ({
    name: String(count),
    stack: { ...STACK, counts: { ...ONE, [service]: count } },
  }));
  return {
    name: `${service}s`,
    what: `processes of the ${service}`,
    run: (run) => onStacks(run, `${service}s`, stacks),
  };
}

/** Fewer items a second where an export has few, so that exports are not what limits. */
function rateFor(rate: number, itemsPerExport: number): number {
  return Math.min(rate, itemsPerExport * EXPORTS_PER_S_MAX);
}

async function smallPart(run: Run): Promise<void> {
  const own = { itemsPerExport: SMALL_ITEMS };
  const peak = await search(run, 'small', STACK, own, 'search');
  if (peak > 0) await run.measure('small', { name: 'half', round: 0, stack: STACK, load: halfOf(run, own, peak) });
}

/** As gateways with a log of their own are measured. */
async function durablePart(run: Run): Promise<void> {
  const own = { itemsPerExport: SMALL_ITEMS, answersOnly: true } as const;
  const peak = await search(run, 'durable', STACK, own, 'search');
  if (peak === 0) return;
  await run.measure('durable', { name: 'half', round: 0, stack: STACK, load: halfOf(run, own, peak), behindOf });
}

function halfOf(run: Run, own: Partial<LoadSpec>, peak: number): LoadSpec {
  return loadOf(run, { ...own, rate: Math.round(peak / 20) * 10 });
}

async function memoryPart(run: Run): Promise<void> {
  const load = loadOf(run, { rate: run.peak * 2, seconds: run.options.minutes * 60 });
  // Fewer bytes may wait than the raw topic is held to.
  const stack = { ...STACK, env: { WEIR_NORMALIZER_BACKLOG_BYTES_MAX: '1GiB' } };
  await run.measure('memory', { name: 'twice the peak', round: 0, stack, load, prepare: boundRawTopic });
}

/** All parts, in the order in which they are run: those behind need the highest rate, which the first finds. */
export const PARTS: readonly Part[] = [
  { name: 'rate', what: 'the highest sustained rate, and latency against throughput', run: ratePart },
  {
    name: 'tenants',
    what: 'tenants that send, 100 spans an export',
    run: (run) =>
      inTurn(
        run,
        'tenants',
        [1, 100, TENANTS].map((tenants) => ({
          name: String(tenants),
          own: { tenants, itemsPerExport: 100, rate: rateFor(run.rate, 100) },
        })),
        { ...STACK, tenants: TENANTS },
      ),
  },
  {
    name: 'partitions',
    what: 'partitions of the raw and the rows topic',
    run: (run) =>
      onStacks(
        run,
        'partitions',
        [1, 4, 16].map((partitions) => ({ name: String(partitions), stack: { ...STACK, partitions } })),
      ),
  },
  {
    name: 'size',
    what: 'spans an export',
    run: (run) =>
      inTurn(
        run,
        'size',
        [10, 100, 1_000].map((itemsPerExport) => ({
          name: String(itemsPerExport),
          own: { itemsPerExport, rate: rateFor(run.rate, itemsPerExport) },
        })),
      ),
  },
  {
    name: 'attributes',
    what: 'attributes a span',
    run: (run) =>
      inTurn(
        run,
        'attributes',
        [4, 8, 16, 32].map((attributes) => ({
          name: String(attributes),
          own: { attributes, rate: Math.round(run.rate / Math.max(1, attributes / 8)) },
        })),
      ),
  },
  {
    name: 'transport',
    what: 'transport',
    run: (run) =>
      inTurn(
        run,
        'transport',
        (['http', 'grpc'] as const).map((transport) => ({ name: transport, own: { transport } })),
      ),
  },
  {
    name: 'signal',
    what: 'what an item is; of metrics a gauge, a data point each',
    run: (run) =>
      inTurn(
        run,
        'signal',
        (['traces', 'logs', 'metrics'] as const).map((signal) => ({ name: signal, own: { signal } })),
      ),
  },
  processesPart('edge'),
  processesPart('normalizer'),
  processesPart('sink'),
  {
    name: 'backlog',
    what: 'a backlog that is drained, beside a load that is not',
    run: (run) => backlogPart(run, STACK),
  },
  { name: 'small', what: '10 spans an export: the highest sustained rate, and latency at half of it', run: smallPart },
  {
    name: 'durable',
    what: '10 spans an export, answers alone: at the edge itself, while normalizers and sinks stand still',
    run: durablePart,
  },
  { name: 'memory', what: 'memory at twice the highest sustained rate', run: memoryPart },
];
