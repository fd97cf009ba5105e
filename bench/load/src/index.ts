export type { ExportFates } from './export-fates.ts';
export { runLoadProcess } from './load-process.ts';
export type { LoadReport, Percentiles } from './load-report.ts';
export { ID_ATTRIBUTE, itemId, type LoadSignal, PayloadMaker } from './payload.ts';
export {
  type Fate,
  type LoadHooks,
  type LoadOptions,
  type LoadResult,
  type LoadTotals,
  runLoad,
} from './run-load.ts';
export { searchRate } from './search-rate.ts';
export { createSender } from './sender.ts';
export type { LoadTransport, Sender, Sent, Target } from './sent.ts';
export {
  compare,
  countByRun,
  countDistinct,
  countRows,
  isStored,
  Journal,
  type Known,
  SIGNAL_TABLES,
  type Store,
  type TimeRange,
  untilStored,
  type Verdict,
  verify,
} from './verify.ts';
