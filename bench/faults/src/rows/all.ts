import { BROKER_ROWS } from './brokers.ts';
import { CLIENT_ROWS } from './clients.ts';
import { CLOCK_ROWS } from './clocks.ts';
import { DEPENDENCY_ROWS } from './dependencies.ts';
import { INSTANCE_ROWS } from './instances.ts';
import { LINK_ROWS } from './links.ts';
import { MEMORY_ROWS } from './memory.ts';
import { PROCESS_ROWS } from './processes.ts';
import { RECORD_ROWS } from './records.ts';
import type { FaultRow } from './row.ts';
import { SIZE_ROWS } from './sizes.ts';
import { STORAGE_ROWS } from './storage.ts';

/** Every fault that is injected, in the order of the report. */
export const ROWS: readonly FaultRow[] = [
  ...PROCESS_ROWS,
  ...INSTANCE_ROWS,
  ...DEPENDENCY_ROWS,
  ...BROKER_ROWS,
  ...STORAGE_ROWS,
  ...LINK_ROWS,
  ...RECORD_ROWS,
  ...SIZE_ROWS,
  ...CLOCK_ROWS,
  ...CLIENT_ROWS,
  ...MEMORY_ROWS,
];
