import { appendUntilAcked } from '@weir/delivery';
import type { KafkaLog } from '@weir/kafka';
import { DependencyError } from '@weir/pipeline';
import { expect, test } from 'vitest';
import { WaitTeller } from './wait-teller.ts';

const NEVER = new AbortController().signal;
const INSERT = { table: 'weir_usage', frames: [], token: 't' } as const;
const down = (dependency: string, retryable = true) =>
  new DependencyError(dependency, 'unavailable', 'connect ECONNREFUSED', { retryable });

function teller(): { told: string[]; waits: WaitTeller } {
  const told: string[] = [];
  return { told, waits: new WaitTeller({ err: (text) => told.push(text) }) };
}

test('of what is tried until it succeeds the first failure is told, once for each dependency', async () => {
  const { told, waits } = teller();
  let left = 3;
  const append = async () => {
    if (left-- > 0) throw down('kafka');
    return 7;
  };
  const log = waits.log({ append } as unknown as KafkaLog);
  const soon = { sleep: async () => undefined, nowMs: () => 0, wallNs: () => 0n };
  expect(await appendUntilAcked(log, soon, 'topic', 0, [], NEVER)).toBe(7);
  const failing = waits.inserts({ insertBlocks: () => Promise.reject(down('clickhouse')) });
  for (let tries = 0; tries < 3; tries++) await expect(failing.insertBlocks(INSERT, NEVER)).rejects.toThrow('connect');
  const rest = 'Ctrl-C is safe: the same command, run again within the hour, goes on with it\n';
  expect(told).toEqual(
    ['Kafka', 'ClickHouse'].map(
      (name) => `${name} fails, and is tried until it answers: connect ECONNREFUSED\n${rest}`,
    ),
  );
});

test('what is not tried again, or was ended by the operator, is not told', async () => {
  const { told, waits } = teller();
  const refusing = waits.inserts({ insertBlocks: () => Promise.reject(down('clickhouse', false)) });
  await expect(refusing.insertBlocks(INSERT, NEVER)).rejects.toThrow('connect');
  const failing = waits.inserts({ insertBlocks: () => Promise.reject(down('clickhouse')) });
  await expect(failing.insertBlocks(INSERT, AbortSignal.abort())).rejects.toThrow('connect');
  expect(told).toEqual([]);
});
