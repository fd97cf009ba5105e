import { BROKER_ROWS } from './brokers.ts';
import { DEPENDENCY_ROWS } from './dependencies.ts';
import { LINK_ROWS } from './links.ts';
import { PROCESS_ROWS } from './processes.ts';
import { RECORD_ROWS } from './records.ts';
import type { FaultRow } from './row.ts';
import { STORAGE_ROWS } from './storage.ts';

/** Every fault that is injected, in the order of the report. */
export const ROWS: readonly FaultRow[] = [
  ...PROCESS_ROWS,
  ...DEPENDENCY_ROWS,
  ...BROKER_ROWS,
  ...STORAGE_ROWS,
  ...LINK_ROWS,
  ...RECORD_ROWS,
];
