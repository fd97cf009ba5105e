import { createTable, type Migration, onCluster, type SchemaTarget, tableName } from './migration.ts';
import { LC } from './owner-columns.ts';

const TELEMETRY = [
  'otel_traces',
  'otel_logs',
  'otel_metrics_gauge',
  'otel_metrics_sum',
  'otel_metrics_histogram',
  'otel_metrics_exponential_histogram',
  'otel_metrics_summary',
];

/** 0.2 bytes a row; an insert costs what it did (docs/adr/0018). */
function addPosition(target: SchemaTarget, table: string): string {
  return `ALTER TABLE ${tableName(target, table)}${onCluster(target)} ADD COLUMN IF NOT EXISTS RawPosition UInt64 CODEC(DoubleDelta, ZSTD(1)) AFTER ReceivedDay`;
}

/**
 * Which raw record each row comes from, so that a window of the raw log can be told among the rows; and the journal of what
 * was replayed and promoted.
 */
export const RAW_POSITION: Migration = {
  version: 8,
  name: 'raw-position',
  statements: (target) => [
    ...TELEMETRY.map((table) => addPosition(target, table)),
    createTable(target, {
      table: 'weir_replays',
      engine: 'MergeTree()',
      columns: [
        'Replay String CODEC(ZSTD(1))',
        'At DateTime64(3) DEFAULT now64(3) CODEC(ZSTD(1))',
        `Event ${LC} CODEC(ZSTD(1))`,
        'Partition UInt32 CODEC(ZSTD(1))',
        'First UInt64 CODEC(ZSTD(1))',
        'Last UInt64 CODEC(ZSTD(1))',
        'Detail String CODEC(ZSTD(1))',
      ],
      partitionBy: 'toYYYYMM(At)',
      orderBy: '(Replay, Event, Partition, First)',
      ttl: 'toDateTime(At) + toIntervalDay(800)',
    }),
  ],
};
