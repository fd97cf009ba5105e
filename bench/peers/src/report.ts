import {
  answered,
  type Figure,
  overRuns,
  ratio,
  STAGE_TITLES,
  stageCost,
  stageMemory,
  stagesOf,
  throughput,
  wholeCost,
} from './figures.ts';
import type { RunResult } from './measure-run.ts';
import type { PromiseResult } from './promise.ts';
import { type ResultFile, type Series, seriesName } from './result-file.ts';
import type { Spread } from './statistics.ts';

/** How a system is called on the page. */
export interface SystemTitle {
  readonly name: string;
  readonly title: string;
  readonly path: string;
}

const OWN = 'weir';
const MAIN_PEER = 'collector';

/** What issue D asks for, for spans. */
const GOALS = [
  { title: 'first hop, CPU s per million', figure: stageCost('edge'), goal: { http: '≤ 1.2', grpc: '≤ 2.5' } },
  { title: 'from Kafka on (normalizer + sink), CPU s per million', figure: stageCost('sink'), goal: '≤ 4.5' },
  { title: 'ClickHouse, merges included, CPU s per million', figure: stageCost('clickhouse'), goal: '≤ 5' },
  { title: 'Kafka, CPU s per million', figure: stageCost('kafka'), goal: '' },
  { title: 'whole path, CPU s per million', figure: wholeCost, goal: 'ratio ≤ 0.25' },
] as const;

const RULES = `## How it is measured

- The load is encoded before the clock starts, every item once and with an id of its own, by a generator in a process of its own that
  is not counted. It keeps a fixed number of exports under way (closed loop), uncompressed where no gzip is named, and sends an export again after 1 s where
  it was refused for now. Latency is from an export's sending to its answer; in a closed loop it follows from the throughput.
- CPU is what the system says of each process (utime + stime of /proc/PID/stat, all threads and ended children) from the first export
  until 2 s after the last row could be queried; of ClickHouse until it has merged nothing and its parts have not changed for
  3 s. Memory is the peak of the resident set (VmHWM) from the first export on. "Per million" is per million items that arrived.
- Each system is under load for as long as its series says before the first run: Weir's services and both Kafkas stay up from run to run, the peers' processes
  begin anew. Every run begins with empty tables, after a tenth of the load to warm up. The systems take turns, each second time backwards; a
  ratio is of runs of the same pair. Cells are the median, and the least and the most in parentheses.
- Lost: accepted, and its id is not in the table (of a system that ends in Kafka: in the topic) once nothing has come for 20 s.
  Doubled: rows beyond the first of an id.
- All have the same Kafka (one broker, 4 partitions) and the same ClickHouse, embedded (docs/adr/0004), in two instances: one serves
  Weir, the other its peers, and the one whose turn it is not stands idle beside, with Weir's services up. The edge of Weir speaks TLS,
  as it always does; the peers take the same load in the clear, and without authentication.
- The peers are set as bench/peers/programs and src/systems say: acks=all, no compression, batches of 10,000 to ClickHouse.
`;

/** bench/results/peers.md out of all that is kept. */
export function renderPage({ series, promises }: ResultFile, titles: readonly SystemTitle[]): string {
  return `# Peers

Written by \`npm run peers\` from runs on the real parts; every run is in peers.json. Absolute times do not carry from one machine
to another: the ratios are what is to be quoted, each from one series on one machine.

${series.map((each) => renderSeries(each, titles)).join('\n')}
${renderPromises(promises, titles)}
${RULES}`;
}

/** Names of a series' plots, which the page shows. */
export function plotNames(series: Series): {
  readonly cpu: string;
  readonly throughput: string;
  readonly memory: string;
} {
  const name = `peers-${seriesName(series)}`;
  return { cpu: `${name}-cpu.svg`, throughput: `${name}-throughput.svg`, memory: `${name}-memory.svg` };
}

/** Series from before it was known had a tenth of a load and no more. */
const warmedUp = ({ warmUpS = 0 }: Series['load']): string =>
  warmUpS === 0 ? 'no load before the first run' : `${warmUpS} s of load before the first run`;

function renderSeries(series: Series, titles: readonly SystemTitle[]): string {
  const { load, machine, runs, failures } = series;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const plots = plotNames(series);
  const title = `${{ traces: 'Spans', logs: 'Log records', metrics: 'Data points' }[load.signal]} over ${load.transport === 'http' ? 'HTTP' : 'gRPC'}${load.gzip ? ', gzip' : ''}${load.itemsPerExport === 1_000 ? '' : `, ${count(load.itemsPerExport)} an export`}`;
  const failed = failures.map((failure) => `- failed: ${escapeCell(failure)}\n`).join('');
  return `## ${title}

${count(load.items)} items a run, ${count(load.itemsPerExport)} an export, ${load.inFlight} exports under way, ${warmedUp(load)}. One machine for everything, the generator too: ${machine.cores} cores (${machine.cpu}),
${machine.memoryGiB} GiB, ${machine.kernel}. Commit ${machine.commit}; ${versions.join(', ')}.

${renderRatios(series)}
${renderCosts(runs, titles)}
![CPU](${plots.cpu})

${renderServed(runs, titles)}
![Throughput](${plots.throughput})

${renderMemory(runs, titles)}
![Memory](${plots.memory})
${failed === '' ? '' : `\n${failed}`}`;
}

function renderRatios({ runs, load }: Series): string {
  const of = (system: string) => runs.filter((run) => run.system === system);
  if (of(OWN).length === 0 || of(MAIN_PEER).length === 0) return '';
  const lines = GOALS.map(({ title, figure, goal }) => {
    const wanted =
      load.signal !== 'traces'
        ? ''
        : typeof goal === 'string'
          ? goal
          : goal[load.transport === 'grpc' ? 'grpc' : 'http'];
    const cells = [spread(overRuns(of(OWN), figure)), spread(overRuns(of(MAIN_PEER), figure))];
    return `| ${[title, ...cells, spread(ratio(runs, figure, OWN, MAIN_PEER)), wanted].join(' | ')} |`;
  });
  return `| figure | Weir | Collector | Weir / Collector | goal |
| --- | ---: | ---: | ---: | --- |
${lines.join('\n')}
`;
}

/** Each system that ran, with its runs. */
function eachSystem(runs: readonly RunResult[], titles: readonly SystemTitle[]) {
  return titles
    .map((title) => ({ ...title, own: runs.filter(({ system }) => system === title.name) }))
    .filter(({ own }) => own.length > 0);
}

function renderCosts(runs: readonly RunResult[], titles: readonly SystemTitle[]): string {
  const stages = stagesOf(runs);
  const figures: readonly Figure[] = [...stages.map(stageCost), wholeCost];
  const lines = eachSystem(runs, titles).map(({ title, path, own }) => {
    const cells = figures.map((figure) => spread(overRuns(own, figure)));
    return `| ${[title, path, ...cells].join(' | ')} |`;
  });
  return `CPU seconds per million items:

| system | path | ${stages.map((stage) => STAGE_TITLES[stage]).join(' | ')} | together |
| --- | --- | ${figures.map(() => '---:').join(' | ')} |
${lines.join('\n')}
`;
}

function renderServed(runs: readonly RunResult[], titles: readonly SystemTitle[]): string {
  const lines = eachSystem(runs, titles).map(({ title, own }) => {
    const sum = (pick: (run: RunResult) => number) => count(own.reduce((total, run) => total + pick(run), 0));
    const cells = [
      own.length,
      spread(overRuns(own, answered)),
      spread(overRuns(own, throughput)),
      spread(overRuns(own, ({ p50Ms }) => p50Ms)),
      spread(overRuns(own, ({ p99Ms }) => p99Ms)),
      spread(overRuns(own, ({ arrivedS, answeredS }) => arrivedS - answeredS)),
      sum(({ acceptedItems }) => acceptedItems),
      sum(({ stored }) => stored.lost),
      sum(({ stored }) => stored.doubled),
      sum(({ sentItems, acceptedItems }) => sentItems - acceptedItems),
      sum(({ retries }) => retries),
      spread(overRuns(own, ({ besideCores }) => besideCores)),
    ];
    return `| ${[title, ...cells].join(' | ')} |`;
  });
  return `| system | runs | answered, items/s | queryable, items/s | answer p50, ms | p99, ms | from the last answer until all is there, s | accepted | lost | doubled | not accepted | sent again | cores of what stands idle |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join('\n')}
`;
}

function renderMemory(runs: readonly RunResult[], titles: readonly SystemTitle[]): string {
  const stages = stagesOf(runs);
  const lines = eachSystem(runs, titles).map(({ title, own }) => {
    const cells = stages.map((stage) => spread(overRuns(own, stageMemory(stage))));
    return `| ${[title, ...cells].join(' | ')} |`;
  });
  return `Peak resident memory, MiB; a stage's processes added up:

| system | ${stages.map((stage) => STAGE_TITLES[stage]).join(' | ')} |
| --- | ${stages.map(() => '---:').join(' | ')} |
${lines.join('\n')}
`;
}

function renderPromises(promises: readonly PromiseResult[], titles: readonly SystemTitle[]): string {
  if (promises.length === 0) return '';
  const lines = titles.flatMap(({ name, title }) => {
    const found = promises.find(({ system }) => system === name);
    if (found === undefined) return [];
    const killed = (['edge', 'sink'] as const).map((stage) => {
      const one = found.killed[stage];
      if (one === undefined) return '';
      return `of ${count(one.acceptedItems)} accepted ${count(one.lost)} lost, ${count(one.doubled)} doubled`;
    });
    return [`| ${[title, found.answersBeforeDurable ? 'yes' : 'no', ...killed].join(' | ')} |`];
  });
  return `## What an answer is worth

Tried once for each: whether an export is answered with success within 4 s while the Kafka (for Rotel to ClickHouse: the ClickHouse)
behind it is frozen; and what a load of spans, after one to warm up, is missing after kill -9 of a stage's processes in the middle of it, once they are back.

| system | answers before the data is safe | first hop killed | what reads from Kafka killed |
| --- | --- | --- | --- |
${lines.join('\n')}
`;
}

function spread(value: Spread | undefined): string {
  if (value === undefined) return '';
  const { median, min, max } = value;
  return value.count === 1 ? brief(median) : `${brief(median)} (${brief(min)}–${brief(max)})`;
}

function brief(value: number): string {
  if (value >= 1_000) return count(Math.round(value));
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function escapeCell(text: string): string {
  return text.slice(0, 200).replaceAll('|', '\\|');
}
