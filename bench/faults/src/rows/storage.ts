import { pause } from '@weir/testkit';
import type { FaultStack } from '../fault-stack.ts';
import { settled } from './brokers.ts';
import { during, type FaultRow, strikeLink } from './row.ts';

const MIB = 1024 ** 2;
const FULL_MS = 6_000;
const REFUSING_MS = 8_000;

/** A disk without room for a while, but for a random bit. */
function diskFull(leftBytes: number): FaultRow['strike'] {
  return ({ disk }, random) =>
    during((on) => {
      if (on) disk!.fill(leftBytes + random() * MIB);
      else disk!.free();
    }, FULL_MS);
}

/** Strikes, and looks whether ClickHouse did refuse inserts. */
function refusing(strike: FaultRow['strike']): FaultRow['strike'] {
  return async (stack, random, load) => {
    const refused = () => stack.stack.metric('sink', 'weir_sink_insert_failures_total');
    const before = await refused();
    await strike(stack, random, load);
    if ((await refused()) === before) throw new Error('no insert was refused');
  };
}

/** The broker ends when it cannot write, and is started again until it can. */
const KAFKA_FULL: FaultRow = {
  name: 'disk-full-kafka',
  fault: `the disk of Kafka full for ${FULL_MS / 1_000} s: 503`,
  ownDisk: 'kafka',
  expects: /^(HTTP 503|gRPC 14)$/,
  strike: async (stack, random, load) => {
    await diskFull(0)(stack, random, load);
    await settled(stack);
  },
};

/** ClickHouse keeps room free, and starts no write without 1 MiB more. */
const CLICKHOUSE_FULL: FaultRow = {
  name: 'disk-full-clickhouse',
  fault: `the disk of ClickHouse full for ${FULL_MS / 1_000} s, but for what it keeps free`,
  ownDisk: 'clickhouse',
  strike: refusing(diskFull(513 * MIB)),
};

/** Runs a statement on each of the tables. */
async function onTables({ stack }: FaultStack, where: string, statement: (table: string) => string): Promise<void> {
  const { database } = stack.local.clickhouse;
  const tables = await stack.query<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = '${database}' AND engine LIKE '%MergeTree' AND ${where}`,
  );
  if (tables.length === 0) throw new Error('no table to strike');
  await Promise.all(tables.map(({ name }) => stack.query(statement(`\`${database}\`.\`${name}\``))));
}

/** A table that takes no insert: with TABLE_IS_PERMANENTLY_READ_ONLY. */
const READ_ONLY: FaultRow = {
  name: 'clickhouse-read-only',
  fault: `every table of ClickHouse read-only for ${REFUSING_MS / 1_000} s`,
  strike: refusing((stack) =>
    during(
      (on) =>
        onTables(stack, 'true', (table) =>
          on
            ? `ALTER TABLE ${table} MODIFY SETTING table_readonly = 1`
            : `ALTER TABLE ${table} RESET SETTING table_readonly`,
        ),
      REFUSING_MS,
    ),
  ),
};

/** Inserts into the table of spans are answered TOO_MANY_PARTS from the second part of a partition on. */
const TOO_MANY_PARTS: FaultRow = {
  name: 'clickhouse-too-many-parts',
  fault: `too many parts in ClickHouse for ${REFUSING_MS / 1_000} s, and no merges`,
  strike: refusing(async (stack) => {
    const settings = 'parts_to_delay_insert = 1, parts_to_throw_insert = 1';
    const on = (statement: (table: string) => string) => onTables(stack, "name = 'otel_traces'", statement);
    await on((table) => `SYSTEM STOP MERGES ${table}`);
    try {
      await on((table) => `ALTER TABLE ${table} MODIFY SETTING ${settings}`);
      await pause(REFUSING_MS);
    } finally {
      await on((table) => `ALTER TABLE ${table} RESET SETTING parts_to_delay_insert, parts_to_throw_insert`);
      await on((table) => `SYSTEM START MERGES ${table}`);
    }
  }),
};

const DOWN_MS = 60_000;

/** Long enough for the backlog to reach a bound that is small here: then nothing more is taken. */
const DOWN: FaultRow = {
  name: 'clickhouse-down',
  fault: `ClickHouse down for ${DOWN_MS / 1_000} s, a backlog of 6 MiB allowed: 429`,
  env: { WEIR_SINK_BACKLOG_BYTES_MAX: '6MiB' },
  expects: /^(HTTP 429|gRPC 8)$/,
  strike: (stack) => strikeLink(stack.clickhouse, { down: true }, DOWN_MS),
};

/** Kafka and ClickHouse that run and cannot write. */
export const STORAGE_ROWS: readonly FaultRow[] = [KAFKA_FULL, CLICKHOUSE_FULL, READ_ONLY, TOO_MANY_PARTS, DOWN];
