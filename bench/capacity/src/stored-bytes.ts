import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LoadSignal, SIGNAL_TABLES } from '@weir/bench-load';
import { stackPaths } from '@weir/local';
import type { TestStack } from '@weir/testkit';
import type { TopicBytes } from './point.ts';

/** Bytes that the raw and the rows topic of track v1 hold on the disk of the one broker. */
export function topicBytes(stack: TestStack): TopicBytes {
  const dir = stackPaths(stack.dataDir).kafkaData('kafka');
  const bytes = { raw: 0, rows: 0 };
  for (const partition of readdirSync(dir)) {
    const topic = /^weir\.(raw|rows)\.v1-\d+$/.exec(partition)?.[1] as keyof TopicBytes | undefined;
    if (topic === undefined) continue;
    for (const file of readdirSync(join(dir, partition))) {
      if (file.endsWith('.log')) bytes[topic] += statSync(join(dir, partition, file)).size;
    }
  }
  return bytes;
}

/** Bytes of an item on ClickHouse's disk, with what the views made of it. */
export async function itemBytes(stack: TestStack, signal: LoadSignal): Promise<number> {
  const { table } = SIGNAL_TABLES[signal];
  const parts = `FROM system.parts WHERE active AND table IN ('${table}', '${table}_trace_id_ts')`;
  const sql = `SELECT sum(bytes_on_disk) / greatest(1, sumIf(rows, table = '${table}')) AS bytes ${parts}`;
  const [found] = await stack.query<{ bytes: number }>(sql);
  return Number(found?.bytes ?? 0);
}
