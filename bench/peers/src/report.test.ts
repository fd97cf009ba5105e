import { expect, test } from 'vitest';
import type { RunResult } from './measure-run.ts';
import { renderPlots } from './plots.ts';
import { renderPage } from './report.ts';
import { type ResultFile, type Series, seriesName, withPromises, withSeries } from './result-file.ts';
import { orderOf } from './run-series.ts';

const TITLES = [
  { name: 'weir', title: 'Weir', path: 'OTLP → edge → Kafka' },
  { name: 'collector', title: 'Collector, two hops', path: 'OTLP → Collector → Kafka' },
  { name: 'rotel-kafka', title: 'Rotel to Kafka', path: 'OTLP → Rotel → Kafka' },
];

function run(system: string, pair: number, edgeCpuS: number, more: Partial<RunResult> = {}): RunResult {
  return {
    system,
    pair,
    sentItems: 500_000,
    acceptedItems: 500_000,
    retries: 0,
    p50Ms: 40,
    p99Ms: 90,
    maxMs: 120,
    answeredS: 5,
    arrivedS: 10,
    quiet: true,
    besideCores: 0.05,
    parts: [
      { name: 'edge', stage: 'edge', cpuS: edgeCpuS, peakMib: 100 },
      { name: 'kafka', stage: 'kafka', cpuS: 1, peakMib: 300 },
    ],
    stored: { rows: 500_000, distinct: 500_000, lost: 0, doubled: 0 },
    ...more,
  };
}

const SERIES: Series = {
  load: { signal: 'traces', transport: 'http', items: 500_000, itemsPerExport: 1_000, inFlight: 16, gzip: false },
  machine: {
    cores: 2,
    cpu: 'test',
    memoryGiB: 8,
    kernel: 'Linux 6.1',
    commit: 'abc1234',
    versions: { Node: '26.0.0' },
  },
  runs: [
    run('weir', 1, 1),
    run('collector', 1, 4),
    run('weir', 2, 1.5),
    run('collector', 2, 3),
    run('weir', 3, 2),
    run('collector', 3, 2, { stored: { rows: 400_010, distinct: 400_000, lost: 100_000, doubled: 10 } }),
  ],
  failures: ['rotel-kafka, 1: it | did not start'],
};

const page = renderPage({ series: [SERIES], promises: [] }, TITLES);
const lineOf = (text: string) => page.split('\n').find((line) => line.startsWith(`| ${text}`));

test('costs are medians per million of what arrived, with the least and the most', () => {
  expect(lineOf('Weir | OTLP')).toBe(
    '| Weir | OTLP → edge → Kafka | 3.00 (2.00–4.00) | 2.00 (2.00–2.00) | 5.00 (4.00–6.00) |',
  );
  // The third run of the peer stored 400,000 only: its 2 s are 5 s a million.
  expect(lineOf('Collector, two hops | OTLP')).toContain('| 6.00 (5.00–8.00) |');
});

test('a ratio is of runs that lie beside each other', () => {
  // 2/8, 3/6 and 4/5 by pairs; the ratio of the medians would be 3/6 as well, the spread would not.
  expect(lineOf('first hop')).toBe(
    '| first hop, CPU s per million | 3.00 (2.00–4.00) | 6.00 (5.00–8.00) | 0.50 (0.25–0.80) | ≤ 1.2 |',
  );
  expect(lineOf('whole path')).toContain('| 0.63 (0.40–0.80) | ratio ≤ 0.25 |');
});

test('what was lost and doubled is added up, and systems that did not run are left out', () => {
  expect(lineOf('Collector, two hops | 3')).toContain('| 1,500,000 | 100,000 | 10 | 0 | 0 | 0.05 (0.05–0.05) |');
  expect(page).not.toContain('| Rotel to Kafka');
  expect(page).toContain('- failed: rotel-kafka, 1: it \\| did not start');
});

test('the machine and the versions stand beside the figures', () => {
  expect(page).toContain('2 cores (test),\n8 GiB, Linux 6.1. Commit abc1234; Node 26.0.0.');
});

test('a promise is told in the words of what was tried', () => {
  const killed = { edge: { acceptedItems: 5_000, lost: 70, doubled: 0 } };
  const file = withPromises({ series: [], promises: [] }, [
    { system: 'collector', answersBeforeDurable: true, killed },
  ]);
  expect(renderPage(file, TITLES)).toContain('| Collector, two hops | yes | of 5,000 accepted 70 lost, 0 doubled |  |');
});

test('each series has its plots, which the page shows', () => {
  const plots = renderPlots(SERIES, TITLES);
  for (const [name, svg] of plots) {
    expect(page).toContain(`(${name})`);
    expect(svg).toContain('>Collector, two hops</text>');
  }
  expect(plots.size).toBe(3);
});

test('a series takes the place of the former one of its kind', () => {
  const grpc: Series = { ...SERIES, load: { ...SERIES.load, transport: 'grpc' } };
  const small: Series = { ...SERIES, load: { ...SERIES.load, itemsPerExport: 10, gzip: true } };
  const first: ResultFile = [SERIES, grpc, small].reduce(withSeries, { series: [], promises: [] });
  const second = withSeries(first, { ...SERIES, runs: [] });
  expect(second.series.map(({ load, runs }) => [load.transport, runs.length])).toEqual([
    ['grpc', 6],
    ['http', 6],
    ['http', 0],
  ]);
  expect(second.series.map(seriesName)).toEqual(['grpc-traces', 'http-traces-gzip-10-an-export', 'http-traces']);
});

test('systems take turns, each second time backwards', () => {
  expect([1, 2, 3].map((pair) => orderOf(['a', 'b', 'c'], pair).join(''))).toEqual(['abc', 'cba', 'abc']);
});
