import { createTable, type Migration } from './migration.ts';
import { LC } from './owner-columns.ts';

/** The books: what became of every item, by tenant, signal and minute of receipt. */
export const USAGE: Migration = {
  version: 4,
  name: 'usage',
  statements: (target) => [
    createTable(target, {
      table: 'weir_usage',
      engine: 'SummingMergeTree((Items, Bytes))',
      columns: [
        `TenantId ${LC} CODEC(ZSTD(1))`,
        `Signal ${LC} CODEC(ZSTD(1))`,
        'Minute DateTime CODEC(Delta(4), ZSTD(1))',
        `Outcome ${LC} CODEC(ZSTD(1))`,
        `Reason ${LC} CODEC(ZSTD(1))`,
        'Items UInt64 CODEC(ZSTD(1))',
        'Bytes UInt64 CODEC(ZSTD(1))',
      ],
      partitionBy: 'toYYYYMM(Minute)',
      orderBy: '(TenantId, Minute, Signal, Outcome, Reason)',
      ttl: 'Minute + toIntervalDay(800)',
    }),
  ],
};
