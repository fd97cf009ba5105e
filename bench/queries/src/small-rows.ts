import { type RowsShape, usualStartNs } from './rows.ts';

/** For tests: few rows, in small granules. */
export const SMALL: RowsShape = {
  rows: 8_000,
  tenants: 5,
  services: 40,
  hours: 6,
  seed: 7,
  granuleRows: 256,
  oneRetention: false,
  startNs: usualStartNs(Date.now()),
};

/** For tests: the engine is many times slower on a machine that does other work. */
export const WAIT_MS = 180_000;
