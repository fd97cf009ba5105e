import type { LoadSignal } from '@weir/bench-load';
import { pause, type TestStack } from '@weir/testkit';
import { checkStored, countRows, emptyTables } from '../stored-rows.ts';
import type { Part, Running, Stage, System } from './system.ts';

/** The tenant of the load, without limits in the way. */
export const TENANT = 'bench';
export const TENANT_LIMITS = {
  items: { perSecond: 100_000_000 },
  bytes: { perSecond: 100_000_000_000 },
  activeSeries: 'none',
  partitions: 4,
};

const READY_MS = 60_000;
const POLL_MS = 200;

const PARTS: readonly (readonly [string, Stage])[] = [
  ['edge', 'edge'],
  ['kafka', 'kafka'],
  ['normalizer', 'sink'],
  ['sink', 'sink'],
  ['clickhouse', 'clickhouse'],
];

/** Weir on its own stack, whose services stay up from run to run. */
export function weir(stack: () => TestStack, through: 'edge' | 'envoy'): Omit<System, 'beside'> {
  const envoy = through === 'envoy';
  return {
    name: envoy ? 'weir-envoy' : 'weir',
    title: envoy ? 'Weir behind Envoy' : 'Weir',
    path: `OTLP over TLS${envoy ? ' → Envoy' : ''} → edge → Kafka → normalizer → Kafka → sink → ClickHouse`,
    countsItems: true,
    durableIn: 'kafka',
    stages: envoy ? ['proxy', 'edge', 'sink'] : ['edge', 'sink'],
    start: async (signal) => {
      await untilReady(stack());
      return running(stack(), signal, envoy);
    },
  };
}

/** One that was killed is started again by the stack. */
async function untilReady(stack: TestStack): Promise<void> {
  for (let waitedMs = 0; waitedMs < READY_MS; waitedMs += POLL_MS) {
    const ready = await Promise.all(['edge', 'normalizer', 'sink'].map((name) => stack.ready(name)));
    if (ready.every(Boolean)) return;
    await pause(POLL_MS);
  }
  throw new Error('the services do not become ready');
}

function running(stack: TestStack, signal: LoadSignal, envoy: boolean): Running {
  const { otlp, edge, clickhouse, ca } = stack.local;
  const { http, grpc } = envoy ? otlp : edge;
  const named = envoy ? ([['envoy', 'proxy'], ...PARTS] as const) : PARTS;
  return {
    target: { http, grpc, caFile: ca, key: stack.key(TENANT) },
    parts: named.map(([name, stage]): Part => ({ name, stage, pid: () => stack.pid(name) })),
    database: clickhouse,
    arrived: () => countRows(clickhouse, signal),
    check: (run, sentItems, notAccepted) => checkStored(clickhouse, signal, run, sentItems, notAccepted),
    empty: () => emptyTables(clickhouse),
    logs: () => PARTS.map(([name]) => stack.log(name).slice(-1_000)).join('\n'),
    stop: async () => undefined,
  };
}
