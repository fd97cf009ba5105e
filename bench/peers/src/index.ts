export { measureRun, type RunResult, type SeriesLoad } from './measure-run.ts';
export { Stands } from './stands.ts';
