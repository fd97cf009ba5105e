import type { PointResult, ProcessKind } from './point.ts';
import { isSearch, kindsOf, type Row, rowsOf, table, totalCpuS } from './report.ts';
import { type CapacityFile, highestSustained } from './result-file.ts';

/** Rates that are reckoned, events a second. */
const RATES = [400_000, 10_000_000] as const;
/** Of a core that is to be busy, as the HorizontalPodAutoscaler of k8s/ has it: what is above is for failures and peaks. */
const BUSY = 0.7;
const CLICKHOUSE_NODE_CORES = 16;
const KAFKA_NODE_CORES = 8;
/** Copies of each record; what is measured has one. */
const KAFKA_COPIES = 3;
const CLICKHOUSE_COPIES = 2;
/** So that a group can grow without new partitions. */
const PARTITIONS_A_PROCESS = 2;

const GAP = 'not measured yet';

/** What one rate needs. */
export interface Need {
  readonly events: number;
  readonly cores: Readonly<Record<ProcessKind, number>>;
  readonly edges: number;
  readonly normalizers: number;
  readonly sinks: number;
  readonly partitions: number;
  readonly kafkaNodes: number;
  readonly clickhouseNodes: number;
}

/** Reckons what a rate needs from what a million events cost each kind of process. */
export function needOf(events: number, cpuS: PointResult['cpuS']): Need {
  const coresOf = (kind: ProcessKind, copies = 1) => (events / 1e6) * (cpuS[kind] / BUSY) * copies;
  const cores = {
    envoy: coresOf('envoy'),
    edge: coresOf('edge'),
    normalizer: coresOf('normalizer'),
    sink: coresOf('sink'),
    kafka: coresOf('kafka', KAFKA_COPIES),
    clickhouse: coresOf('clickhouse', CLICKHOUSE_COPIES),
  };
  const [edges, normalizers, sinks] = (['edge', 'normalizer', 'sink'] as const).map((kind) =>
    Math.max(2, Math.ceil(cores[kind])),
  ) as [number, number, number];
  return {
    events,
    cores,
    edges,
    normalizers,
    sinks,
    partitions: Math.max(normalizers, sinks) * PARTITIONS_A_PROCESS,
    kafkaNodes: Math.max(KAFKA_COPIES, Math.ceil(cores.kafka / KAFKA_NODE_CORES)),
    clickhouseNodes: Math.max(CLICKHOUSE_COPIES, Math.ceil(cores.clickhouse / CLICKHOUSE_NODE_CORES)),
  };
}

/** docs/CAPACITY.md. What was not measured is a gap that is named. */
export function renderCapacityPage(file: CapacityFile): string {
  return `${[
    '# Capacity',
    '',
    '<!-- Written by `npm run capacity` from bench/results/capacity.json. -->',
    '',
    'What a rate needs, reckoned from what this code costs on the machine of [bench/results/capacity.md](../bench/results/capacity.md)',
    `(${file.machine.cores} cores, ${file.machine.cpu}). Another machine has other figures: run \`npm run capacity\` on it. An event is a span of 8 attributes and about`,
    '380 bytes.',
    '',
    '## Formula',
    '',
    `    cores of a kind      = events/s ÷ 1,000,000 × CPU s for a million events ÷ ${BUSY} × copies`,
    '    processes of a kind  = its cores, rounded up, two at least: each does its work on one thread',
    `    partitions           = ${PARTITIONS_A_PROCESS} × the larger of normalizers and sinks: a partition has one of each, and the groups can double`,
    `    Kafka nodes          = its cores ÷ ${KAFKA_NODE_CORES}, ClickHouse nodes = its cores ÷ ${CLICKHOUSE_NODE_CORES}`,
    '',
    '## Assumptions',
    '',
    `- A core is as fast as one of the measured machine, and ${BUSY * 100} % busy: the rest is for peaks, a lost node, and a backlog that is drained beside what comes.`,
    `- Kafka keeps ${KAFKA_COPIES} copies and ClickHouse ${CLICKHOUSE_COPIES}, and each copy costs what the one that was measured does. For Kafka that is more than a follower takes, since no`,
    '  client asks it. What Kafka and ClickHouse spend on copying between nodes was not measured.',
    '- Cost for an event does not change with the number of processes, partitions and tenants. How far that holds is measured below.',
    '- Network and queries are not reckoned.',
    '',
    '## Cores, processes, partitions, nodes',
    '',
    ...highest(file),
    ...needs(file),
    '',
    '## Disk',
    '',
    ...disks(file),
    '',
    '## What the assumptions stand on',
    '',
    ...grounds(file),
    '',
    '## Memory',
    '',
    ...memory(file),
  ].join('\n')}\n`;
}

function highest(file: CapacityFile): string[] {
  const peak = highestSustained(file);
  if (peak === 0) return [];
  return [
    `The measured machine bears ${peak.toLocaleString('en')} events a second with everything on it, generator included.`,
    '',
  ];
}

/** Costs by the spans of an export; the largest are what a collector's batches look like. */
function needs(file: CapacityFile): string[] {
  const rows = rowsOf((file.parts.size ?? []).filter((point) => !isSearch(point)));
  if (rows.length === 0) return [`${GAP}: \`npm run capacity -- --part rate,size\``];
  const heads = [
    'events/s',
    'spans an export',
    'Envoy',
    'edge',
    'normalizer',
    'sink',
    'Kafka',
    'ClickHouse',
    'edges, normalizers, sinks',
    'partitions',
    'Kafka nodes',
    'ClickHouse nodes',
  ];
  const cells = RATES.flatMap((events) =>
    rows.map(({ name, point }) => {
      const need = needOf(events, point.cpuS);
      const { envoy, edge, normalizer, sink, kafka, clickhouse } = need.cores;
      return [
        events.toLocaleString('en'),
        name,
        ...[envoy, edge, normalizer, sink, kafka, clickhouse].map((cores) => cores.toFixed(1)),
        `${need.edges}, ${need.normalizers}, ${need.sinks}`,
        ...[need.partitions, need.kafkaNodes, need.clickhouseNodes].map(String),
      ];
    }),
  );
  return ['Cores, copies included.', '', ...table(heads, cells)];
}

const TOPIC_HOURS = 72;
const TB = 1e12;

function disks(file: CapacityFile): string[] {
  const [point] = (file.parts.size ?? []).filter(({ load }) => load.itemsPerExport === 1_000);
  if (point === undefined) return [`${GAP}: \`npm run capacity -- --part size\``];
  const { raw, rows, clickhouse } = point.bytes;
  const cells = RATES.map((events) => {
    const kafka = (events * (raw + rows) * TOPIC_HOURS * 3_600 * KAFKA_COPIES) / TB;
    const stored = (events * clickhouse * 24 * 3_600 * CLICKHOUSE_COPIES) / TB;
    return [events.toLocaleString('en'), kafka.toFixed(1), stored.toFixed(1)];
  });
  const heads = ['events/s', `Kafka, ${TOPIC_HOURS} h, TB`, 'ClickHouse, a day, TB'];
  return [
    `An event that is sent uncompressed took ${raw.toFixed(0)} bytes in the raw topic, ${rows.toFixed(0)} in the rows topic and ${clickhouse.toFixed(0)} in ClickHouse. Clients that`,
    'compress take as much less of the raw topic. Copies included; spans of a benchmark are more alike than those of users.',
    '',
    ...table(heads, cells),
  ];
}

/** What changes the cost of a span, and by how much. */
const GROUNDS = [
  ['tenants', 'from 1 tenant to 5,000'],
  ['partitions', 'from 1 partition to 16'],
  ['edges', 'from 1 edge to 4'],
  ['normalizers', 'from 1 normalizer to 4'],
  ['sinks', 'from 1 sink to 4'],
  ['backlog', 'a backlog that is drained, to live'],
] as const;

function grounds(file: CapacityFile): string[] {
  const cells = GROUNDS.map(([part, what]) => {
    const rows = rowsOf((file.parts[part] ?? []).filter((point) => !isSearch(point)));
    return [what, ratio(rows, kindsOf(part)), peaks(file, part)];
  });
  return table(['', 'cost of a span, times as much', 'highest sustained rate with 1, 2, 4'], cells);
}

function ratio(rows: readonly Row[], kinds: readonly ProcessKind[]): string {
  const [first, last] = [rows[0]?.point, rows.at(-1)?.point];
  if (first === undefined || last === undefined || rows.length < 2) return GAP;
  return (totalCpuS(last, kinds) / totalCpuS(first, kinds)).toFixed(2);
}

function peaks(file: CapacityFile, part: string): string {
  if (!part.endsWith('s') || part === 'tenants' || part === 'partitions') return '';
  const found = [1, 2, 4].map((count) => highestSustained(file, part, `${count}, search`));
  return found.some((rate) => rate === 0) ? GAP : found.map((rate) => rate.toLocaleString('en')).join(', ');
}

function memory(file: CapacityFile): string[] {
  const point = file.parts.memory?.[0];
  if (point === undefined) return [`${GAP}: \`npm run capacity -- --part memory\``];
  const { edge, normalizer, sink } = point.rssMiB;
  const minutes = (point.load.seconds / 60).toFixed(0);
  return [
    `At ${point.load.rate.toLocaleString('en')} spans a second, twice the highest sustained rate, for ${minutes} minutes, the largest edge held ${edge.toFixed(0)} MiB, the largest normalizer`,
    `${normalizer.toFixed(0)} MiB, the largest sink ${sink.toFixed(0)} MiB; ${point.lost} accepted spans were lost.`,
  ];
}
