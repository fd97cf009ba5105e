import { createClickHouse } from '@weir/clickhouse';
import { systemClock } from '@weir/pipeline';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { type BooksDifferences, createBooksWatch } from '../src/books/books-watch.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const { url, database } = stack.local.clickhouse;
const clickhouse = createClickHouse({ url, database, username: 'default', password: '' });
const { signal } = new AbortController();

afterAll(() => Promise.all([client.close(), clickhouse.close()]));

/** One comparison of the stack's books with its tables. */
async function compare(): Promise<BooksDifferences> {
  const faults: unknown[] = [];
  const said: BooksDifferences[] = [];
  const parts = { clickhouse, clock: systemClock, database, everyMs: 5_000, isMine: () => true };
  const onFault = (error: unknown) => faults.push(error);
  const watch = createBooksWatch({ ...parts, onFault }, (differences) => said.push(differences!));
  await watch.start(signal);
  while (said.length + faults.length === 0) await pause(50);
  await watch.stop(signal);
  expect(faults).toEqual([]);
  return said[0]!;
}

test('rows that are gone are missing by their number, and so is what the books have of nobody', async () => {
  const tenant = stack.freshTenant();
  const logRecords = Array.from({ length: 7 }, () => ({ timeUnixNano: BigInt(Date.now()) * 1_000_000n }));
  const body = Buffer.from(encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
  expect((await client.export('logs', body, { key: stack.key(tenant) })).status).toBe(200);
  const stored = `SELECT sum(Items) AS n FROM weir_usage WHERE TenantId = '${tenant}' AND Outcome = 'stored'`;
  await stack.until<{ n: string }>(stored, ({ n }) => Number(n) === 7);
  const rows = `SELECT count() AS n FROM otel_logs WHERE TenantId = '${tenant}'`;
  await stack.until<{ n: string }>(rows, ({ n }) => Number(n) === 7);

  // Other tests of the run may have left a difference of their own, of rows too many or too few.
  const before = await compare();
  const lacking = ({ missing, extra }: BooksDifferences) => missing - extra;
  await stack.query(`ALTER TABLE otel_logs DELETE WHERE TenantId = '${tenant}' SETTINGS mutations_sync = 2`);
  expect(lacking(await compare()) - lacking(before)).toBe(7);
  const back = (outcome: string, items: number) =>
    stack.query(`INSERT INTO weir_usage VALUES ('${tenant}', 'logs', now(), '${outcome}', '', ${items}, 0)`);
  await back('stored', -7);
  expect((await compare()).accepted - before.accepted).toBe(7);
  await back('accepted', -7);
  expect(await compare()).toEqual(before);
});
