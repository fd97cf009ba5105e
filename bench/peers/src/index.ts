export type { RunResult } from './measure-run.ts';
export { runSeries } from './run-series.ts';
export type { SeriesLoad } from './series-load.ts';
export { Stands } from './stands.ts';
