import { Engine } from '@weir/testkit';
import { expect, test } from 'vitest';
import { catchUpStatements } from './catch-up.ts';

test('on a cluster every replica of each table is waited for, in statements that ClickHouse can read', async () => {
  const statements = catchUpStatements({ database: 'weir', cluster: 'main' }, ['otel_logs', 'shadow_x_otel_logs']);
  expect(statements).toEqual([
    'SYSTEM SYNC REPLICA ON CLUSTER `main` `weir`.`otel_logs`',
    'SYSTEM SYNC REPLICA ON CLUSTER `main` `weir`.`shadow_x_otel_logs`',
  ]);
  const engine = await Engine.open();
  try {
    for (const sql of statements) expect(engine.select(`SELECT formatQuery('${sql}') AS read`)).toHaveLength(1);
    expect(() => engine.select("SELECT formatQuery('SYSTEM SYNC REPLICAS weir.otel_logs') AS read")).toThrow();
  } finally {
    engine.close();
  }
});

test('without a cluster there is nothing to wait for', () => {
  expect(catchUpStatements({ database: 'weir' }, ['otel_logs'])).toEqual([]);
});
