import type { KafkaLog } from '@weir/kafka';
import { CONTROL_TOPICS } from '@weir/records';
import { ReadPlace, TenantDirectory } from '@weir/tenancy';

const PARTITION = 0;
const READ_BYTES_MAX = 1024 ** 2;

/** Reads all tenants out of the topic. */
export async function readDirectory(log: KafkaLog, signal: AbortSignal): Promise<TenantDirectory> {
  const directory = new TenantDirectory('');
  const { start, end } = await log.bounds(CONTROL_TOPICS.tenants, PARTITION, signal);
  const place = new ReadPlace(start);
  while (place.offset < end) {
    const wait = { maxBytes: READ_BYTES_MAX, maxWaitMs: place.waitMs };
    const page = await log.read(CONTROL_TOPICS.tenants, PARTITION, place.offset, wait, signal);
    for (const record of page.records) directory.apply(record.key?.toString('utf8') ?? '', record.value);
    place.move(page);
  }
  directory.markComplete();
  return directory;
}

/** What is to be written for a tenant; null removes it. */
export interface TenantRecord {
  readonly tenant: string;
  readonly value: Buffer | null;
}

export async function writeTenants(
  log: KafkaLog,
  records: readonly TenantRecord[],
  signal: AbortSignal,
): Promise<void> {
  const made = records.map(({ tenant, value }) => ({ key: Buffer.from(tenant), value, meta: null }));
  await log.append(CONTROL_TOPICS.tenants, PARTITION, made, signal);
}
