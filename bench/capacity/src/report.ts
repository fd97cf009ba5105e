import { median } from '@weir/testkit';
import { lineChart } from './line-chart.ts';
import { isSustained, type PointResult, PROCESSES, type ProcessKind } from './point.ts';
import { type CapacityFile, highestSustained } from './result-file.ts';

/** Parts as the report needs them. */
interface Described {
  readonly name: string;
  readonly what: string;
}

const NOT_MEASURED = 'Not measured yet.';

/** Points of one name, their rounds as one: medians of what was measured, the sum of what went wrong. */
export interface Row {
  readonly name: string;
  readonly point: PointResult;
  readonly rounds: number;
}

export function rowsOf(points: readonly PointResult[]): Row[] {
  const names = [...new Set(points.map(({ name }) => name))];
  return names.map((name) => {
    const own = points.filter((point) => point.name === name);
    const of = (value: (point: PointResult) => number) => median(own.map(value));
    const kinds = (value: (point: PointResult, kind: ProcessKind) => number) =>
      Object.fromEntries(PROCESSES.map((kind) => [kind, of((point) => value(point, kind))])) as PointResult['cpuS'];
    const sum = (value: (point: PointResult) => number) => own.reduce((total, point) => total + value(point), 0);
    const point: PointResult = {
      ...own[0]!,
      acceptedPerS: of(({ acceptedPerS }) => acceptedPerS),
      answerMs: {
        ...own[0]!.answerMs,
        p50: of(({ answerMs }) => answerMs.p50),
        p99: of(({ answerMs }) => answerMs.p99),
      },
      queryableMs: { ...own[0]!.queryableMs, p95: of(({ queryableMs }) => queryableMs.p95) },
      recoveryS: of(({ recoveryS }) => recoveryS),
      lost: sum(({ lost }) => lost),
      doubled: sum(({ doubled }) => doubled),
      cpuS: kinds((one, kind) => one.cpuS[kind]),
      generatorCpuS: of(({ generatorCpuS }) => generatorCpuS),
    };
    return { name, point, rounds: own.length };
  });
}

/** What takes part in draining a backlog: the others have been paid before. */
const BEHIND: readonly ProcessKind[] = ['normalizer', 'sink', 'clickhouse'];

/** What is compared in a part. */
export function kindsOf(part: string): readonly ProcessKind[] {
  return part === 'backlog' ? BEHIND : PROCESSES;
}

/** CPU of the pipe for a million items; the generator is no part of it. */
export function totalCpuS({ cpuS }: PointResult, kinds: readonly ProcessKind[] = PROCESSES): number {
  return kinds.reduce((sum, kind) => sum + cpuS[kind], 0);
}

/** bench/results/capacity.md. */
export function renderReport(file: CapacityFile, parts: readonly Described[]): string {
  const { machine, goal } = file;
  const out = [
    '# What one machine bears',
    '',
    '<!-- Written by `npm run capacity` from capacity.json. -->',
    '',
    `${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB; Kafka, ClickHouse (chDB), Envoy, the services and the generator share them.`,
    'Spans of 8 attributes and about 380 bytes, 1000 an export, over HTTP through Envoy, open loop, unless a table says otherwise.',
    `Answers count from when an export was due. Sustained is a rate with 99.9 % answered, the 99th percentile of answers within ${goal.answerP99Ms} ms,`,
    `95 % queryable within ${goal.queryableP95Ms} ms of the answer, and everything that was accepted stored once. CPU seconds are for a million accepted spans, from the`,
    'operating system; those of ClickHouse with the merges until it has none left. Ratios are to the first row of a table.',
  ];
  for (const { name, what } of parts) out.push('', `## ${name}: ${what}`, '', ...renderPart(file, name));
  return `${out.join('\n')}\n`;
}

function renderPart(file: CapacityFile, name: string): string[] {
  const points = file.parts[name] ?? [];
  if (points.length === 0) return [NOT_MEASURED];
  const searched = points.filter((point) => isSearch(point));
  const costs = rowsOf(points.filter((point) => !isSearch(point)));
  const commits = [...new Set(points.map(({ commit }) => commit))].join(', ');
  const elsewhere = [...new Set(points.map(({ cpu }) => cpu))].filter((cpu) => cpu !== file.machine.cpu);
  const where =
    elsewhere.length === 0
      ? ''
      : `, on another machine (${elsewhere.join(', ')}): its times are not to be compared with those of other parts`;
  const warm = Math.min(...points.map(({ loadedBeforeS = 0 }) => loadedBeforeS));
  const age = warm > 0 ? `, each stack after ${warm} s of load or more` : '';
  const out = [`At ${commits}${age}${where}.`, ''];
  for (const title of new Set(searched.map((point) => point.name))) {
    const peak = highestSustained(file, name, title);
    const label =
      title === 'search' ? 'Highest sustained rate' : `${title.replace(', search', '')}: highest sustained rate`;
    const exports = Math.round(peak / (searched[0]?.load.itemsPerExport ?? 1)).toLocaleString('en');
    out.push(`${label}: ${peak.toLocaleString('en')} spans/s, ${exports} exports/s.`, '');
  }
  if (name === 'rate') out.push('![latency against throughput](capacity-latency.svg)', '');
  if (searched.length > 0) out.push(...rateTable(searched, file), '');
  if (costs.length > 0) out.push(...costTable(costs, kindsOf(name)));
  if (name === 'memory') out.push('', ...memoryTable(costs));
  return out;
}

export function isSearch({ name }: PointResult): boolean {
  return name.endsWith('search');
}

function rateTable(points: readonly PointResult[], { goal }: CapacityFile): string[] {
  const sorted = points.toSorted((a, b) => a.name.localeCompare(b.name) || a.load.rate - b.load.rate);
  return table(
    [
      'offered/s',
      'accepted',
      'answer p50 ms',
      'p99 ms',
      'queryable p95 ms',
      'generator late p99 ms',
      'lost, doubled',
      'sustained',
    ],
    sorted.map((point) => [
      point.load.rate.toLocaleString('en'),
      percent(point.acceptedShare),
      point.answerMs.p50.toFixed(1),
      point.answerMs.p99.toFixed(1),
      queryable(point),
      point.lateMs.toFixed(1),
      `${point.lost}, ${point.doubled}`,
      isSustained(point, goal) ? 'yes' : 'no',
    ]),
  );
}

function costTable(rows: readonly Row[], kinds: readonly ProcessKind[]): string[] {
  const first = rows[0] === undefined ? 0 : totalCpuS(rows[0].point, kinds);
  const heads = [
    '',
    'items/s',
    'accepted',
    ...PROCESSES,
    kinds === PROCESSES ? 'sum' : `sum of ${kinds.join(', ')}`,
    'ratio',
    'generator',
    'answer p99 ms',
    'queryable p95 ms',
    'lost, doubled',
    'rounds',
  ];
  return table(
    heads,
    rows.map(({ name, point, rounds }) => [
      name,
      point.load.rate.toLocaleString('en'),
      percent(point.acceptedShare),
      ...PROCESSES.map((kind) => point.cpuS[kind].toFixed(2)),
      totalCpuS(point, kinds).toFixed(2),
      (totalCpuS(point, kinds) / first).toFixed(2),
      point.generatorCpuS.toFixed(2),
      point.answerMs.p99.toFixed(1),
      queryable(point),
      `${point.lost}, ${point.doubled}`,
      String(rounds),
    ]),
  );
}

function memoryTable(rows: readonly Row[]): string[] {
  return table(
    ['largest process, MiB', ...PROCESSES, 'minutes', 'not accepted'],
    rows.map(({ name, point }) => [
      name,
      ...PROCESSES.map((kind) => point.rssMiB[kind].toFixed(0)),
      (point.load.seconds / 60).toFixed(1),
      Object.entries(point.reasons)
        .map(([reason, items]) => `${reason}: ${items}`)
        .join('; '),
    ]),
  );
}

/** bench/results/capacity-latency.svg. */
export function renderChart(file: CapacityFile): string {
  const points = (file.parts.rate ?? []).toSorted((a, b) => a.load.rate - b.load.rate);
  const line = (value: (point: PointResult) => number) =>
    points.map((point): [number, number] => [point.load.rate, value(point)]);
  const peak = highestSustained(file);
  return lineChart({
    title: `Latency against throughput, ${file.machine.cores} cores, everything on one machine`,
    xName: 'spans offered a second',
    yName: 'ms',
    lines: [
      { name: 'answer p50', colour: '#7fb3d5', points: line(({ answerMs }) => answerMs.p50) },
      { name: 'answer p99', colour: '#1f5f8b', points: line(({ answerMs }) => answerMs.p99) },
      { name: 'queryable p95', colour: '#c0392b', points: line(({ queryableMs }) => queryableMs.p95) },
    ],
    marks: peak === 0 ? [] : [{ x: peak, name: `sustained ${peak.toLocaleString('en')}/s` }],
  });
}

function queryable({ queryableMs, probes }: PointResult): string {
  return probes === 0 ? 'none' : queryableMs.p95.toFixed(0);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A table of Markdown. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)];
}
