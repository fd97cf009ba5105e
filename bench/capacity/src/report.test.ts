import { expect, test } from 'vitest';
import { needOf, renderCapacityPage } from './capacity-page.ts';
import { lineChart } from './line-chart.ts';
import type { LoadSpec, PointResult } from './point.ts';
import { renderChart, renderReport, rowsOf, totalCpuS } from './report.ts';
import { type CapacityFile, highestSustained, keptPoint, withPoint } from './result-file.ts';

const MS = { p50: 10, p95: 20, p99: 30, max: 40 };
const CPU = { envoy: 1, edge: 2, normalizer: 3, sink: 1, kafka: 2, clickhouse: 5 };
const LOAD: LoadSpec = {
  rate: 10_000,
  seconds: 20,
  itemsPerExport: 1_000,
  attributes: 8,
  transport: 'http',
  signal: 'traces',
  tenants: 1,
};

function point(own: Partial<PointResult> = {}): PointResult {
  return {
    name: '1',
    round: 0,
    commit: 'abc',
    cpu: 'test',
    stack: { partitions: 4, counts: { edge: 1, normalizer: 1, sink: 1 }, tenants: 1 },
    load: LOAD,
    acceptedPerS: 10_000,
    acceptedShare: 1,
    reasons: {},
    answerMs: MS,
    lateMs: 1,
    queryableMs: MS,
    probes: 100,
    recoveryS: 1,
    accepted: 200_000,
    lost: 0,
    doubled: 0,
    cpuS: CPU,
    bytes: { raw: 380, rows: 60, clickhouse: 70 },
    generatorCpuS: 1,
    rssMiB: CPU,
    ...own,
  };
}

const FILE: CapacityFile = {
  machine: { cores: 2, cpu: 'test', memoryGiB: 8 },
  goal: { answerP99Ms: 1_000, queryableP95Ms: 3_000 },
  parts: {},
};
const PARTS = [{ name: 'rate', what: 'the rate' }];

test('of several rounds the median stands, and what went wrong in any', () => {
  const rounds = [8, 2, 3].map((edge, round) => point({ round, cpuS: { ...CPU, edge }, lost: round }));
  const [row] = rowsOf(rounds);
  expect(row?.point.cpuS.edge).toBe(3);
  expect(row).toMatchObject({ rounds: 3, point: { lost: 3 } });
  expect(totalCpuS(point())).toBe(14);
});

test('the highest sustained rate is one that met the goal in every respect', () => {
  const at = (rate: number, own: Partial<PointResult> = {}) =>
    point({ name: 'search', load: { ...LOAD, rate }, ...own });
  const rate = [
    at(10_000),
    at(20_000, { lost: 1 }),
    at(30_000, { acceptedShare: 0.99 }),
    at(40_000, { answerMs: { ...MS, p99: 2_000 } }),
    at(50_000, { queryableMs: { ...MS, p95: 4_000 } }),
    at(60_000, { probes: 0 }),
    at(70_000, { doubled: 1 }),
  ];
  expect(highestSustained({ ...FILE, parts: { rate } })).toBe(10_000);
  expect(highestSustained(FILE)).toBe(0);
});

test('a point is kept for its commit, stack and load, and takes the place of an older one', () => {
  const file = withPoint(FILE, 'size', point());
  const { name, round, commit, stack, load } = point();
  const spec = { name, round, commit, stack, load };
  expect(keptPoint(file, 'size', spec)).toEqual(point());
  expect(keptPoint(file, 'size', { ...spec, round: 1 })).toBeUndefined();
  expect(keptPoint(file, 'size', { ...spec, load: { ...load, rate: 1 } })).toBeUndefined();
  expect(withPoint(file, 'size', point({ accepted: 7 })).parts.size).toEqual([point({ accepted: 7 })]);
  expect(withPoint(file, 'size', point({ commit: 'def', round: 1 })).parts.size).toHaveLength(1);
});

test('how warm a stack was is said, and one that was not as warm is measured again', () => {
  const file = withPoint(
    withPoint(FILE, 'rate', point({ loadedBeforeS: 40 })),
    'rate',
    point({ round: 1, loadedBeforeS: 60 }),
  );
  expect(renderReport(file, PARTS)).toContain('At abc, each stack after 40 s of load or more.\n');
  expect(keptPoint(file, 'rate', point(), 40)).toBeDefined();
  expect(keptPoint(file, 'rate', point(), 41)).toBeUndefined();
  expect(keptPoint(withPoint(FILE, 'rate', point()), 'rate', point(), 1)).toBeUndefined();
});

test('what was measured on another machine is said to be, and measured again', () => {
  const file = withPoint(FILE, 'rate', point({ cpu: 'another' }));
  expect(renderReport(file, PARTS)).toContain('At abc, on another machine (another): its times are not to be compared');
  expect(renderReport(withPoint(FILE, 'rate', point()), PARTS)).toContain('At abc.\n');
  expect(keptPoint(file, 'rate', point())).toBeUndefined();
  expect(withPoint(file, 'rate', point({ round: 1 })).parts.rate).toEqual([point({ round: 1 })]);
});

test('a rate needs its cost in cores, with copies, and a process for each of them', () => {
  // 1,000,000 / 1,000,000 × 3 / 0.7 cores of the normalizer.
  const need = needOf(1_000_000, CPU);
  expect(need.cores.normalizer).toBeCloseTo(4.286, 3);
  expect(need).toMatchObject({ edges: 3, normalizers: 5, sinks: 2, partitions: 10 });
  // 2 × 3 copies / 0.7 / 8 a node, and 5 × 2 copies / 0.7 / 16.
  expect(need).toMatchObject({ kafkaNodes: 3, clickhouseNodes: 2 });
  expect(needOf(10_000_000, CPU)).toMatchObject({ kafkaNodes: 11, clickhouseNodes: 9 });
});

test('what was not measured is a gap that is named', () => {
  expect(renderReport(FILE, PARTS)).toContain('Not measured yet.');
  expect(renderCapacityPage(FILE).match(/not measured yet/g)!.length).toBeGreaterThanOrEqual(8);
  expect(renderCapacityPage(FILE)).not.toContain('NaN');
});

test('the reports have what was measured, and no number that is none', () => {
  const costs = ['1', '4'].map((name) => point({ name, cpuS: { ...CPU, edge: Number(name) * 2 } }));
  const parts = {
    rate: [point({ name: 'search' }), point({ name: '50 %', load: { ...LOAD, rate: 5_000 } })],
    edges: costs,
    size: [point({ name: '1000' })],
    memory: [point({ name: 'twice the peak', reasons: { 'HTTP 429': 5 } })],
  };
  const file = { ...FILE, parts };
  const page = renderCapacityPage(file);
  expect(page).toContain('| from 1 edge to 4 | 1.43 |');
  expect(page).toContain('| 400,000 | 1000 |');
  // 400,000 × 440 × 259,200 s × 3 copies, and 400,000 × 70 × 86,400 s × 2.
  expect(page).toContain('| 400,000 | 136.9 | 4.8 |');
  const text = renderReport(file, [...PARTS, { name: 'memory', what: 'memory' }]);
  expect(text).toContain('Highest sustained rate: 10,000 spans/s, 10 exports/s.');
  expect(text).toContain('HTTP 429: 5');
  for (const all of [page, text, renderChart(file)]) expect(all).not.toMatch(/NaN|undefined|Infinity/);
});

test('a chart is a whole SVG, with nothing to draw too', () => {
  const chart = lineChart({ title: 'a < b', xName: 'x', yName: 'y', lines: [], marks: [] });
  expect(chart).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  expect(chart).toContain('a &lt; b');
  expect(chart).not.toMatch(/NaN|undefined|Infinity/);
});
