import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stackPaths } from '@weir/local';
import { createKey } from '@weir/tenancy';
import { caseTenant, encodeExport, type HttpAnswer, OtlpClient, pause, type TestStack } from '@weir/testkit';
import { build } from 'hdr-histogram-js';
import { parse, stringify } from 'yaml';
import type { FaultStack } from '../fault-stack.ts';
import { runSideLoad } from '../side-load.ts';
import { SlowClients } from '../slow-clients.ts';
import { expectThat, until } from '../until.ts';
import type { FaultRow, RunningLoad } from './row.ts';

const QUIET = Array.from({ length: 20 }, (_, at) => caseTenant(at + 1));
const GREEDY = caseTenant(0);
const QUOTA = 200;
const GREEDY_S = 4;
const ROUNDS = 4;
/** Shaking hands is not what a quota is about, and the generator of all has work of its own with it. */
const HANDSHAKES_MS = 500;
/** By how much the others' answers may take longer; what is not more than a pause of the machine is not told from one. */
const SLOWER_MAX = 1.5;
const PAUSE_MS = 20;

const quietTenants: FaultRow['load'] = ({ stack }) => ({
  tenants: QUIET.map((name) => ({ name, key: stack.key(name), weight: 1 })),
});

/** Answer times of all windows in which something was so, ms at a percentile. */
class Windows {
  readonly #load: RunningLoad;
  readonly #times = build({ numberOfSignificantValueDigits: 3 });

  constructor(load: RunningLoad) {
    this.#load = load;
  }

  /** Counts the answers that come while the work goes on. */
  async during(work: Promise<unknown>): Promise<void> {
    this.#load.totals.latency.reset();
    await work;
    this.#times.add(this.#load.totals.latency);
  }

  get p99Ms(): number {
    return this.#times.getValueAtPercentile(99) / 1_000;
  }
}

const GREEDY_LOAD = {
  producers: 20,
  rate: (10 * QUOTA) / 20,
  seconds: GREEDY_S + HANDSHAKES_MS / 1_000,
  itemsPerExport: 50,
};

/** Sets the quota, and has it exceeded once: what an edge does for the first time takes longer. */
async function setQuota({ stack }: FaultStack): Promise<void> {
  const path = stackPaths(stack.dataDir).tenants;
  const file = parse(readFileSync(path, 'utf8')) as { tenants: Record<string, { limits?: object }> };
  file.tenants[GREEDY]!.limits = { items: { perSecond: QUOTA, burst: QUOTA } };
  const changed = join(stack.dataDir, 'quota.yaml');
  writeFileSync(changed, stringify(file));
  await stack.ingestctl('tenants', 'apply', '-f', changed);
  const { totals } = await runSideLoad(stack, GREEDY, { ...GREEDY_LOAD, seconds: 2 * GREEDY_S });
  expectThat(totals.refusedItems > 0, 'the quota does not hold');
}

const OVER_QUOTA: FaultRow = {
  name: 'tenant-over-quota',
  fault: 'a tenant at 10 times its quota beside twenty others: only it gets 429, and they are answered as before',
  prepare: setQuota,
  load: quietTenants,
  strike: async ({ stack }, _random, load) => {
    const greedy: Awaited<ReturnType<typeof runSideLoad>>[] = [];
    const [alone, together] = [new Windows(load), new Windows(load)];
    let greedyS = 0;
    // In turns: the machine has other things to do as well.
    for (let round = 0; round < ROUNDS; round++) {
      await alone.during(pause(GREEDY_S * 1_000));
      const startedMs = performance.now();
      const side = runSideLoad(stack, GREEDY, GREEDY_LOAD);
      await pause(HANDSHAKES_MS);
      await together.during(side.then((ended) => greedy.push(ended)));
      greedyS += (performance.now() - startedMs) / 1_000;
    }
    const [without, beside] = [alone.p99Ms, together.p99Ms];
    load.afterwards(async (reasons) => {
      for (const each of greedy) await each.verify();
      const others = Object.keys(reasons);
      expectThat(others.length === 0, `the others were answered ${others.join(', ')}`);
      const told = new Set(greedy.flatMap(({ totals }) => [...totals.reasons.keys()]));
      expectThat(
        [...told].every((reason) => reason === 'HTTP 429' || reason === 'gRPC 8'),
        `it was answered ${[...told].join(', ')}`,
      );
      const taken = greedy.reduce((sum, { totals }) => sum + totals.acceptedItems, 0);
      // Its burst comes on top each time, and an export may leave a debt.
      const mostTaken = QUOTA * greedyS + ROUNDS * (QUOTA + GREEDY_LOAD.itemsPerExport);
      expectThat(
        taken >= QUOTA * greedyS * 0.8 && taken <= mostTaken,
        `of it were taken ${taken} spans in ${greedyS.toFixed(1)} s`,
      );
      const held = beside <= Math.max(without * SLOWER_MAX, without + PAUSE_MS);
      expectThat(held, `p99 of the others went from ${without.toFixed(1)} to ${beside.toFixed(1)} ms`);
      return {
        'p99 of the others without it, ms': without,
        'p99 of the others beside it, ms': beside,
        'its spans a second that were taken, of 2,000': taken / greedyS,
      };
    });
  },
};

const TRICKLING = 300;
const STALLED = { connections: 5, streams: 20 };

const SLOW_BODIES: FaultRow = {
  name: 'slow-bodies',
  fault: `${TRICKLING} connections that send a byte at a time, ${STALLED.connections * STALLED.streams} gRPC calls that stall`,
  load: quietTenants,
  strike: async ({ stack }, _random, load) => {
    const [alone, together] = [new Windows(load), new Windows(load)];
    await alone.during(pause(5_000));
    const clients = new SlowClients(stack, GREEDY);
    try {
      clients.trickle(TRICKLING);
      clients.stall(STALLED.connections, STALLED.streams);
      const all = until('all slow clients are answered', () => clients.open === 0, 45_000);
      // Shaking hands with so many at once is work of its own.
      await pause(3_000);
      await together.during(all);
      load.afterwards(async (reasons) => {
        const others = Object.keys(reasons);
        expectThat(others.length === 0, `the others were answered ${others.join(', ')}`);
        const { answers } = clients;
        const told = [...answers].map(([answer, times]) => `${answer}: ${times}`).join(', ');
        const timedOut = answers.get('HTTP 408') === TRICKLING;
        expectThat(timedOut && answers.size === 2 && answers.has('gRPC 4'), `the slow ones were answered ${told}`);
        return {
          'p99 of the others without them, ms': alone.p99Ms,
          'p99 of the others beside them, ms': together.p99Ms,
          'answers to the slow ones': told,
          'last of them answered after, s': clients.lastAnswerS,
        };
      });
    } finally {
      clients.close();
    }
  },
};

/** One span. */
function span(): Buffer {
  const start = BigInt(Date.now()) * 1_000_000n;
  const made = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7), startTimeUnixNano: start };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

/** Sends one span at a time. */
async function withProbe<T>(
  stack: TestStack,
  options: { readonly direct?: boolean },
  use: (ask: (key?: string) => Promise<HttpAnswer | undefined>) => Promise<T>,
): Promise<T> {
  const client = new OtlpClient(stack, options);
  try {
    return await use((key = stack.key(caseTenant(30))) =>
      client.export('traces', span(), { key }).catch(() => undefined),
    );
  } finally {
    await client.close();
  }
}

/** Longer than a report counts at the edge. */
const SILENT_MS_MAX = 14_000;

const STALE_REPORTS: FaultRow = {
  name: 'flow-reports-stale',
  fault: 'the sink stands still right after it has reported full, and dies: 429 ends by itself',
  env: { WEIR_SINK_BACKLOG_BYTES_MAX: '256KiB' },
  strike: ({ stack }, _random, load) =>
    withProbe(stack, {}, async (ask) => {
      stack.signal('clickhouse', 'SIGSTOP');
      const before = stack.pid('sink');
      try {
        await until('the pipe is full', async () => (await ask())?.status === 429);
        stack.signal('sink', 'SIGSTOP');
        const silentMs = performance.now();
        const told = new Set<number | undefined>();
        await until(
          'what was reported is forgotten',
          async () => {
            const status = (await ask())?.status;
            told.add(status);
            return status === 200;
          },
          SILENT_MS_MAX,
        );
        const takenS = (performance.now() - silentMs) / 1_000;
        const odd = [...told].filter((status) => status !== 200 && status !== 429);
        expectThat(odd.length === 0, `while the sink was silent: ${odd.join(', ')}`);
        load.afterwards(async () => ({ 'silent sink, until exports are taken again, s': takenS }));
      } finally {
        stack.signal('clickhouse', 'SIGCONT');
        stack.signal('sink', 'SIGKILL');
      }
      await until('another sink runs', () => stack.pid('sink') !== before);
      await until('exports are taken', async () => (await ask())?.status === 200);
    }),
};

const OUTAGE_MS = 4_000;

const NO_STORE: FaultRow = {
  name: 'tenants-unreachable',
  fault: 'the tenant store cannot be reached, while the edge runs and while it starts: unknown keys get 503, not 401',
  strike: ({ stack, kafka }, _random, load) =>
    withProbe(stack, { direct: true }, async (ask) => {
      const unknown = createKey().key;
      const answers = async (key: string | undefined, status: number) => (await ask(key))?.status === status;
      const before = stack.pid('edge');
      await until('an unknown key is answered 401', () => answers(unknown, 401));
      kafka.fault = { cutRequests: 'weir.tenants' };
      try {
        await until('an unknown key is answered 503', () => answers(unknown, 503));
        const { reasons } = load.totals;
        expectThat(reasons.size === 0, `known keys were answered ${[...reasons.keys()].join(', ')}`);
        const endMs = performance.now() + OUTAGE_MS;
        while (performance.now() < endMs) {
          expectThat(await answers(undefined, 200), 'a known key was refused by the running edge');
          expectThat(await answers(unknown, 503), 'an unknown key was not answered 503 by the running edge');
          await pause(100);
        }
        stack.signal('edge', 'SIGKILL');
        await until('another edge runs', () => stack.pid('edge') !== before);
        await until('a known key works after the start', () => answers(undefined, 200));
        expectThat(await answers(unknown, 503), 'an unknown key was not answered 503 by the edge that started');
      } finally {
        kafka.fault = {};
      }
      const healedMs = performance.now();
      await until('an unknown key is answered 401 again', () => answers(unknown, 401));
      const againS = (performance.now() - healedMs) / 1_000;
      load.afterwards(async () => ({ 'until unknown keys are 401 again, s': againS }));
    }),
};

/** What clients do, and what the edge knows of tenants and sinks. */
export const CLIENT_ROWS: readonly FaultRow[] = [OVER_QUOTA, SLOW_BODIES, STALE_REPORTS, NO_STORE];
