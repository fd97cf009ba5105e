export { faultsOf } from './judge.ts';
export { runSoak, type SoakOptions, type SoakResult } from './soak.ts';
