import type { ClickHouse } from '@weir/clickhouse';
import type { KafkaAdmin, PartitionLag } from '@weir/kafka';
import { CONTROL_TOPICS, trackGroups, trackTopics } from '@weir/records';
import { Agent, request } from 'undici';
import { MetricsText } from './metrics-text.ts';

export const SERVICES = ['edge', 'normalizer', 'sink'] as const;
export type ServiceKind = (typeof SERVICES)[number];

/** One process of a service, as its admin endpoint shows it. */
export type Instance =
  | { readonly name: string; readonly up: false; readonly reason: string }
  | {
      readonly name: string;
      readonly up: true;
      readonly kind: ServiceKind;
      readonly track: string;
      /** Why it wants no traffic; empty when it is ready. */
      readonly notReady: readonly string[];
      readonly metrics: MetricsText;
    };

/** A topic and the group that reads it. */
export interface TopicSnapshot {
  readonly topic: string;
  readonly track: string;
  readonly partitions: readonly PartitionLag[];
}

/** Rows and bytes of all tables that are in use. */
export interface TablesSnapshot {
  readonly rows: number;
  readonly bytes: number;
  readonly parts: number;
}

/** What a dependency said, or why it said nothing. */
export type Asked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** The whole pipe at one moment. */
export interface Snapshot {
  /** Monotonic. */
  readonly atMs: number;
  readonly instances: readonly Instance[];
  readonly topics: Asked<readonly TopicSnapshot[]>;
  readonly deadLetters: Asked<number>;
  readonly clickhouse: Asked<TablesSnapshot>;
}

const TIMEOUT_MS = 3_000;
const METRICS_BYTES_MAX = 16 * 1024 ** 2;

/** Where a snapshot comes from. */
export interface Sources {
  readonly admins: readonly (readonly [name: string, url: string])[];
  readonly kafka: KafkaAdmin;
  readonly clickhouse: ClickHouse;
  readonly database: string;
  readonly tracks: readonly string[];
}

const TABLES_SQL = `SELECT toFloat64(sum(rows)) AS rows, toFloat64(sum(bytes_on_disk)) AS bytes, toFloat64(count()) AS parts
FROM system.parts WHERE active AND database = {database:String}`;

/** Reads every admin endpoint, Kafka and ClickHouse; what does not answer is part of the picture, not an error. */
export async function takeSnapshot({ admins, kafka, clickhouse, database, tracks }: Sources): Promise<Snapshot> {
  const agent = new Agent({
    connect: { timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: METRICS_BYTES_MAX,
  });
  try {
    const [instances, topics, deadLetters, tables] = await Promise.all([
      Promise.all(admins.map(([name, url]) => askInstance(agent, name, url))),
      asked(() => askTopics(kafka, tracks)),
      // No group reads the dead letters: what lies between start and end is all there is.
      asked(async () => recordsIn(await kafka.lag(trackGroups('v1').sink, CONTROL_TOPICS.dlq))),
      asked(async () => {
        const [row] = await clickhouse.query<TablesSnapshot>(TABLES_SQL, { database }, AbortSignal.timeout(TIMEOUT_MS));
        return row ?? { rows: 0, bytes: 0, parts: 0 };
      }),
    ]);
    return { atMs: performance.now(), instances, topics, deadLetters, clickhouse: tables };
  } finally {
    await agent.close();
  }
}

async function askInstance(agent: Agent, name: string, url: string): Promise<Instance> {
  const get = async (path: string) => {
    const answer = await request(new URL(path, url), { dispatcher: agent });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  const answers = await asked(() => Promise.all([get('/metrics'), get('/readyz')]));
  if (!answers.ok) return { name, up: false, reason: answers.reason };
  const [{ text }, ready] = answers.value;
  const metrics = new MetricsText(text);
  for (const kind of SERVICES) {
    const track = metrics.label(`weir_${kind}_build_info`, 'track');
    if (track === undefined) continue;
    const notReady = ready.status === 200 ? [] : ready.text.split('\n').filter((line) => line !== '');
    return { name, up: true, kind, track, notReady, metrics };
  }
  return { name, up: false, reason: 'is not the admin endpoint of a service' };
}

async function askTopics(kafka: KafkaAdmin, tracks: readonly string[]): Promise<TopicSnapshot[]> {
  const found: TopicSnapshot[] = [];
  for (const track of tracks) {
    const { raw, rows } = trackTopics(track);
    const groups = trackGroups(track);
    found.push({ topic: raw, track, partitions: await kafka.lag(groups.normalizer, raw) });
    found.push({ topic: rows, track, partitions: await kafka.lag(groups.sink, rows) });
  }
  return found;
}

function recordsIn(partitions: readonly PartitionLag[]): number {
  return partitions.reduce((sum, { start, end }) => sum + end - start, 0);
}

async function asked<T>(ask: () => Promise<T>): Promise<Asked<T>> {
  try {
    return { ok: true, value: await ask() };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const text = error instanceof Error && error.message !== '' ? error.message : String(code ?? error);
    return { ok: false, reason: text.split('\n')[0] ?? '' };
  }
}
