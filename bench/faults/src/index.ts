export { type FaultRow, ROWS } from './rows.ts';
export { isKept, type RunOptions, runRow, type SeedResult } from './run-row.ts';
