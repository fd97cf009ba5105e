import { expect, test } from 'vitest';
import { oldestReceivedAtNs, type RowsEntry } from './batches.ts';

const entry = (oldest?: bigint) =>
  ({ meta: oldest === undefined ? undefined : { oldestReceivedAtNs: oldest } }) as RowsEntry;

test('the age of a batch is that of its first export, whatever stands before it', () => {
  expect(oldestReceivedAtNs({ entries: [entry(), entry(0n), entry(7n), entry(8n)] })).toBe(7n);
  expect(oldestReceivedAtNs({ entries: [entry(), entry(0n)] })).toBeUndefined();
});
