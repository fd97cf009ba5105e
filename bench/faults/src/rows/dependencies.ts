import { type FaultRow, strikeLink } from './row.ts';

/** Kafka and ClickHouse themselves. */
export const DEPENDENCY_ROWS: readonly FaultRow[] = [
  {
    name: 'clickhouse-frozen',
    fault: 'ClickHouse hangs for 15 s',
    strike: (stack) => stack.freeze('clickhouse', 15_000),
  },
  {
    name: 'clickhouse-slow',
    fault: 'ClickHouse answers 5 s late',
    strike: (stack) => strikeLink(stack.clickhouse, { delayMs: 5_000 }, 12_000),
  },
  {
    name: 'clickhouse-kill',
    fault: 'ClickHouse kill -9',
    strike: (stack) => stack.end('clickhouse', 'SIGKILL'),
  },
  { name: 'kafka-frozen', fault: 'Kafka hangs for 12 s', strike: (stack) => stack.freeze('kafka', 12_000) },
  { name: 'kafka-kill', fault: 'Kafka kill -9', strike: (stack) => stack.end('kafka', 'SIGKILL') },
];
