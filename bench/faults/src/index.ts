export { FaultStack } from './fault-stack.ts';
export { Member } from './member.ts';
export { ROWS } from './rows/all.ts';
export type { FaultRow } from './rows/row.ts';
export { isKept, type RunOptions, runRow, type SeedResult } from './run-row.ts';
export { SlowClients } from './slow-clients.ts';
