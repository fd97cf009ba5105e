export { measureRun, type RunResult } from './measure-run.ts';
export type { SeriesLoad } from './series-load.ts';
export { Stands } from './stands.ts';
