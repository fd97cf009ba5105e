import { randomBytes } from 'node:crypto';
import { type LoadReport, runLoadProcess, SIGNAL_TABLES } from '@weir/bench-load';
import { machine, pause, type TestStack } from '@weir/testkit';
import { tenantName } from './capacity-stack.ts';
import type { LoadSpec, PointResult, StackSpec } from './point.ts';
import { PROBE_TENANT, type Queryable, QueryableMeter } from './queryable-meter.ts';
import { itemBytes, topicBytes } from './stored-bytes.ts';
import { compareExports, exportRows } from './stored-exports.ts';
import { byKind, cpuBetween, type UsageMark, UsageMeter } from './usage-meter.ts';

/** What a point is, before it is measured. */
export interface PointSpec {
  readonly name: string;
  readonly round: number;
  readonly commit: string;
  readonly stack: StackSpec;
  readonly load: LoadSpec;
  /** Keeps what is behind the edges still while the load runs; a backlog counts only what is used once it goes on. */
  readonly behind?: { hold(): Promise<void>; release(): Promise<void> };
}

const SETTLE_S = 3;
const POLL_MS = 200;
const STORED_MS_MAX = 600_000;
const MERGES_MS_MAX = 60_000;
const PRODUCERS_MIN = 40;
/** Enough that no export waits for one that is answered within 40 ms. */
const CONNECTIONS = { least: 16, http: 256, grpc: 32 };
const EXPORTS_A_CONNECTION = 25;
/** Under way at once, in the generator's memory. */
const OUTSTANDING_BYTES_MAX = 256 * 1024 ** 2;
const OUTSTANDING_MAX = 2_000;
const ITEM_BYTES = 380;
const TABLES = [...Object.values(SIGNAL_TABLES).map(({ table }) => table), 'otel_traces_trace_id_ts'];

/** What one run of the load gave. */
interface Run {
  readonly report: LoadReport;
  readonly queryable: Queryable;
  readonly recoveryS: number;
  readonly bytes: PointResult['bytes'];
  readonly before: UsageMark;
  readonly stored: UsageMark;
  readonly merged: UsageMark;
}

/** Loads the stack once and says what it took. Tables are emptied before, so that merges are those of this load. */
export async function measurePoint(stack: TestStack, spec: PointSpec): Promise<PointResult> {
  for (const table of TABLES) await stack.query(`TRUNCATE TABLE ${table}`);
  const usage = new UsageMeter(stack);
  try {
    const run = await runPoint(stack, spec, usage);
    return await judged(stack, spec, run, usage);
  } finally {
    usage.stop();
  }
}

async function runPoint(stack: TestStack, { load, behind }: PointSpec, usage: UsageMeter): Promise<Run> {
  const name = randomBytes(4).toString('hex');
  const meter = new QueryableMeter(stack, `probe${name}`);
  const bytesBefore = topicBytes(stack);
  await behind?.hold();
  let before = usage.mark();
  // Behind a backlog a probe would wait for all of it.
  if (behind === undefined) meter.start();
  const report = await runLoadProcess(loadOptions(stack, name, load));
  let endedMs = performance.now();
  if (behind !== undefined) {
    if (load.answersOnly !== true) before = usage.mark();
    endedMs = performance.now();
    await behind.release();
  }
  await untilStored(stack, load, report);
  const recoveryS = (performance.now() - endedMs) / 1_000;
  const stored = usage.mark();
  const queryable = await meter.stop();
  await untilMerged(stack);
  const perItem = 1 / Math.max(1, report.acceptedItems);
  const topics = topicBytes(stack);
  const bytes = {
    raw: (topics.raw - bytesBefore.raw) * perItem,
    rows: (topics.rows - bytesBefore.rows) * perItem,
    clickhouse: await itemBytes(stack, load.signal),
  };
  return { report, queryable, recoveryS, bytes, before, stored, merged: usage.mark() };
}

async function judged(stack: TestStack, spec: PointSpec, run: Run, usage: UsageMeter): Promise<PointResult> {
  const { name, round, commit, load } = spec;
  const { report, queryable, recoveryS, bytes, before, stored, merged } = run;
  const { acceptedItems, sentItems, unsentItems, answerMs, latenessMs, reasons, seconds } = report;
  const rows = await exportRows(stack, report.run, load);
  const used = cpuBetween(before, stored);
  const clickhouse = cpuBetween(before, merged).clickhouse;
  const perMillion = 1e6 / Math.max(1, acceptedItems);
  return {
    name,
    round,
    commit,
    cpu: machine().cpu,
    stack: spec.stack,
    load,
    acceptedPerS: acceptedItems / seconds,
    acceptedShare: acceptedItems / Math.max(1, sentItems + unsentItems),
    reasons: unsentItems > 0 ? { ...reasons, 'not sent: too many under way': unsentItems } : reasons,
    answerMs,
    lateMs: latenessMs.p99,
    queryableMs: queryable.times,
    probes: queryable.probes,
    recoveryS,
    accepted: acceptedItems,
    ...compareExports(report.fates, load.itemsPerExport, rows),
    cpuS: byKind((kind) => (kind === 'clickhouse' ? clickhouse : used[kind]) * perMillion),
    bytes,
    generatorCpuS: report.generatorCpuS * perMillion,
    rssMiB: usage.rssMiB,
  };
}

function loadOptions(stack: TestStack, run: string, load: LoadSpec) {
  const producers = Math.max(PRODUCERS_MIN, load.tenants);
  const exportsPerS = load.rate / load.itemsPerExport;
  const connectionsMax = load.transport === 'grpc' ? CONNECTIONS.grpc : CONNECTIONS.http;
  const connections = Math.max(CONNECTIONS.least, Math.ceil(exportsPerS / EXPORTS_A_CONNECTION));
  const bytes = (load.itemsPerExport * ITEM_BYTES * Math.max(8, load.attributes)) / 8;
  return {
    target: { ...(load.answersOnly === true ? stack.local.edge : stack.local.otlp), ca: stack.ca },
    tenants: Array.from({ length: load.tenants }, (_, number) => {
      const name = tenantName(number);
      return { name, key: stack.key(name), weight: 1 };
    }),
    producers,
    rate: load.rate / producers,
    seconds: load.seconds + SETTLE_S,
    settleSeconds: SETTLE_S,
    itemsPerExport: load.itemsPerExport,
    attributes: load.attributes,
    transports: [load.transport],
    signals: [load.signal],
    errors: 0.05,
    gzip: false,
    lean: true,
    connections: Math.min(connectionsMax, connections),
    outstandingMax: Math.min(OUTSTANDING_MAX, Math.floor(OUTSTANDING_BYTES_MAX / bytes)),
    run,
  };
}

/** Until there are as many rows as were accepted, and no more come; or far too long has passed. */
async function untilStored(stack: TestStack, { signal }: LoadSpec, { acceptedItems }: LoadReport): Promise<void> {
  const deadline = Date.now() + STORED_MS_MAX;
  while (Date.now() < deadline) {
    const sql = `SELECT count() AS rows FROM ${SIGNAL_TABLES[signal].table} WHERE TenantId != '${PROBE_TENANT}'`;
    const [found] = await stack.query<{ rows: string }>(sql);
    if (Number(found?.rows) >= acceptedItems) return;
    await pause(POLL_MS);
  }
}

/** Until ClickHouse merges nothing any more, twice in a row. */
async function untilMerged(stack: TestStack): Promise<void> {
  const deadline = Date.now() + MERGES_MS_MAX;
  for (let idle = 0; idle < 2 && Date.now() < deadline; ) {
    await pause(1_000);
    const [found] = await stack.query<{ merges: string }>('SELECT count() AS merges FROM system.merges');
    idle = Number(found?.merges) === 0 ? idle + 1 : 0;
  }
}
