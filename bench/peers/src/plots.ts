import { type BarRow, renderBars } from './bar-chart.ts';
import { overRuns, STAGE_TITLES, stageCost, stageMemory, stagesOf, throughput, wholeCost } from './figures.ts';
import type { SystemTitle } from './report.ts';
import { plotNames } from './report.ts';
import type { Series } from './result-file.ts';

/** The plots of a series: SVG by the name of its file. Bars are medians. */
export function renderPlots(series: Series, titles: readonly SystemTitle[]): ReadonlyMap<string, string> {
  const { runs } = series;
  const stages = stagesOf(runs);
  const names = plotNames(series);
  const systems = titles
    .map(({ name, title }) => ({ label: title, own: runs.filter(({ system }) => system === name) }))
    .filter(({ own }) => own.length > 0);
  const byStage = (figureOf: typeof stageCost) =>
    systems.map(({ label, own }): BarRow => {
      const segments = stages.flatMap((stage) => {
        const value = overRuns(own, figureOf(stage))?.median;
        return value === undefined ? [] : [{ name: STAGE_TITLES[stage], value }];
      });
      return { label, segments };
    });
  const costs = byStage(stageCost).map((row, index) => ({ ...row, ...rangeOf(systems[index]!.own, wholeCost) }));
  const rates = systems.map(({ label, own }): BarRow => {
    const value = overRuns(own, throughput)?.median ?? 0;
    return { label, segments: [{ name: 'items/s', value }], ...rangeOf(own, throughput) };
  });
  const what = { traces: 'spans', logs: 'log records', metrics: 'data points' }[series.load.signal];
  const how = `${what} over ${series.load.transport === 'http' ? 'HTTP' : 'gRPC'}`;
  return new Map([
    [names.cpu, renderBars({ title: `CPU for a million ${how}`, unit: 'CPU seconds', rows: costs })],
    [names.throughput, renderBars({ title: `Until queryable, ${how}`, unit: 'items a second', rows: rates })],
    [names.memory, renderBars({ title: `Peak memory, ${how}`, unit: 'MiB', rows: byStage(stageMemory) })],
  ]);
}

function rangeOf(runs: Series['runs'], figure: typeof wholeCost): Pick<BarRow, 'range'> {
  const spread = overRuns(runs, figure);
  return spread === undefined || spread.count < 2 ? {} : { range: { min: spread.min, max: spread.max } };
}
