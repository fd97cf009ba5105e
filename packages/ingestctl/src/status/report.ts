import type { Instance, ServiceKind, Snapshot, TopicSnapshot } from './snapshot.ts';

/** One line of the picture. Rates are per second since the snapshot before. */
export interface StageReport {
  readonly track: string;
  readonly stage: string;
  readonly state: string;
  readonly perSecond: number;
  readonly unit: 'items' | 'records' | 'rows';
  /** Fill of what is bounded here, 1 is full; null where nothing is. */
  readonly fill: number | null;
  /** Records that the stage behind has not taken; null for a service. */
  readonly lag: number | null;
  readonly notes: readonly string[];
}

/** The pipe, in the order of the data. */
export interface StatusReport {
  readonly stages: readonly StageReport[];
  /** Whatever does not answer or is not ready. */
  readonly faults: readonly string[];
  /** Kafka or ClickHouse did not answer. */
  readonly unreachable: boolean;
}

type Up = Extract<Instance, { up: true }>;

/** Compares two snapshots. Counters that fell belong to a process started anew: they count from 0. */
export function compareSnapshots(before: Snapshot, now: Snapshot, tracks: readonly string[]): StatusReport {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
  const up = now.instances.filter((instance): instance is Up => instance.up);
  const stages: StageReport[] = [];
  for (const track of tracks) {
    const topics = now.topics.ok ? now.topics.value.filter((topic) => topic.track === track) : [];
    const rate = new Rates(before, now, track, seconds);
    stages.push(...[edge(track, rate, up), topic(topics[0], before, seconds)].flat());
    stages.push(...[normalizer(track, rate, up), topic(topics[1], before, seconds)].flat());
    stages.push(...sink(track, rate, up));
  }
  stages.push(...tables(before, now, seconds));
  return {
    stages,
    faults: faultsOf(now),
    unreachable: !now.topics.ok || !now.clickhouse.ok,
  };
}

/** Rates of one track's services. */
class Rates {
  readonly #before: Snapshot;
  readonly #now: Snapshot;
  readonly #track: string;
  readonly #seconds: number;

  constructor(before: Snapshot, now: Snapshot, track: string, seconds: number) {
    this.#before = before;
    this.#now = now;
    this.#track = track;
    this.#seconds = seconds;
  }

  of(kind: ServiceKind, metric: string): number {
    let growth = 0;
    for (const instance of this.#now.instances) {
      if (!instance.up || instance.kind !== kind || instance.track !== this.#track) continue;
      const earlier = this.#before.instances.find(({ name }) => name === instance.name);
      if (earlier?.up !== true) continue;
      const value = instance.metrics.sum(metric);
      const last = earlier.metrics.sum(metric);
      growth += value < last ? value : value - last;
    }
    return growth / this.#seconds;
  }
}

function service(kind: ServiceKind, track: string, up: readonly Up[]) {
  const instances = up.filter((instance) => instance.kind === kind && instance.track === track);
  const ready = instances.filter(({ notReady }) => notReady.length === 0).length;
  const state =
    instances.length === 0
      ? 'none'
      : ready === instances.length
        ? `${ready} ready`
        : `${ready}/${instances.length} ready`;
  const max = (metric: string) => Math.max(0, ...instances.map(({ metrics }) => metrics.sum(metric)));
  const sum = (metric: string) => instances.reduce((total, { metrics }) => total + metrics.sum(metric), 0);
  return { present: instances.length > 0, state, max, sum };
}

function edge(track: string, rate: Rates, up: readonly Up[]): StageReport[] {
  const { present, state, max } = service('edge', track, up);
  if (!present) return [];
  const refused = rate.of('edge', 'weir_edge_refused_items_total');
  const notes = [
    `received ${whole(rate.of('edge', 'weir_edge_received_items_total'))}/s`,
    `refused ${whole(refused)}/s`,
  ];
  const pipeFill = max('weir_edge_pipe_fill_ratio');
  if (pipeFill >= 0.9) notes.push(`hears that the pipe is ${whole(pipeFill * 100)} % full`);
  const perSecond = rate.of('edge', 'weir_edge_accepted_items_total');
  const fill = max('weir_edge_queue_fill_ratio');
  return [{ track, stage: 'edge', state, perSecond, unit: 'items', fill, lag: null, notes }];
}

function normalizer(track: string, rate: Rates, up: readonly Up[]): StageReport[] {
  const { present, state, max, sum } = service('normalizer', track, up);
  if (!present) return [];
  const dead = sum('weir_normalizer_dead_lettered_items_total');
  const notes = [`${sum('weir_normalizer_partitions')} partitions`, ...(dead > 0 ? [`dead-lettered ${dead}`] : [])];
  const perSecond = rate.of('normalizer', 'weir_normalizer_written_items_total');
  const fill = max('weir_normalizer_fill_ratio');
  return [{ track, stage: 'normalizer', state, perSecond, unit: 'items', fill, lag: null, notes }];
}

function sink(track: string, rate: Rates, up: readonly Up[]): StageReport[] {
  const { present, state, max, sum } = service('sink', track, up);
  if (!present) return [];
  const failures = rate.of('sink', 'weir_sink_insert_failures_total');
  const notes = [`${sum('weir_sink_partitions')} partitions`, `backlog ${bytes(sum('weir_sink_backlog_bytes'))}`];
  if (failures > 0) notes.push(`inserts fail, ${failures.toFixed(1)}/s`);
  const perSecond = rate.of('sink', 'weir_sink_inserted_rows_total');
  return [
    { track, stage: 'sink', state, perSecond, unit: 'rows', fill: max('weir_sink_fill_ratio'), lag: null, notes },
  ];
}

function topic(found: TopicSnapshot | undefined, before: Snapshot, seconds: number): StageReport[] {
  if (found === undefined) return [];
  const ends = (snapshot: TopicSnapshot | undefined) => snapshot?.partitions.reduce((sum, { end }) => sum + end, 0);
  const earlier = before.topics.ok ? ends(before.topics.value.find(({ topic }) => topic === found.topic)) : undefined;
  const end = ends(found) ?? 0;
  const lag = found.partitions.reduce((sum, { end, committed, start }) => sum + end - Math.max(committed, start), 0);
  return [
    {
      track: found.track,
      stage: found.topic,
      state: 'topic',
      perSecond: Math.max(0, end - (earlier ?? end)) / seconds,
      unit: 'records',
      fill: null,
      lag,
      notes: [`${found.partitions.length} partitions`],
    },
  ];
}

function tables(before: Snapshot, now: Snapshot, seconds: number): StageReport[] {
  const base = { track: '', stage: 'ClickHouse', unit: 'rows' as const, fill: null, lag: null };
  if (!now.clickhouse.ok) return [{ ...base, state: 'down', perSecond: 0, notes: [now.clickhouse.reason] }];
  const { rows, bytes: size, parts } = now.clickhouse.value;
  const earlier = before.clickhouse.ok ? before.clickhouse.value.rows : rows;
  const notes = [`${whole(rows)} rows`, bytes(size), `${parts} parts`];
  if (!now.deadLetters.ok) notes.push(`weir.dlq: ${now.deadLetters.reason}`);
  else if (now.deadLetters.value > 0) notes.push(`${now.deadLetters.value} dead letters in weir.dlq`);
  return [{ ...base, state: 'up', perSecond: Math.max(0, rows - earlier) / seconds, notes }];
}

function faultsOf({ instances, topics, clickhouse }: Snapshot): string[] {
  const faults = instances.flatMap((instance) => {
    if (!instance.up) return [`${instance.name}: ${instance.reason}`];
    return instance.notReady.map((reason) => `${instance.name} is not ready: ${reason}`);
  });
  if (!topics.ok) faults.push(`Kafka: ${topics.reason}`);
  if (!clickhouse.ok) faults.push(`ClickHouse: ${clickhouse.reason}`);
  return faults;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1_024 && unit < units.length - 1) {
    scaled /= 1_024;
    unit++;
  }
  return `${unit === 0 ? scaled : scaled.toFixed(1)} ${units[unit]}`;
}
