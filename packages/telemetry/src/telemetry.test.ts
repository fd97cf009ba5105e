import { expect, test } from 'vitest';
import { createAdmin, createLogger, createMetrics, createTopLabels, type MetricTable, Registry } from './index.ts';

const TABLE = {
  received: { type: 'counter', name: 'weir_t_received_items_total', help: 'Items.', labels: ['signal'] },
  seconds: { type: 'histogram', name: 'weir_t_seconds', help: 'Time.', labels: [], buckets: [1, 2] },
} as const satisfies MetricTable;

test('a metric table becomes metrics of its own registry', async () => {
  const registry = new Registry();
  const metrics = createMetrics(TABLE, registry);
  metrics.received.inc({ signal: 'traces' }, 3);
  metrics.seconds.observe(1.5);
  const text = await registry.metrics();
  expect(text).toContain('weir_t_received_items_total{signal="traces"} 3');
  expect(text).toContain('weir_t_seconds_bucket{le="2"} 1');
});

test('a top label keeps its first values and folds the rest', () => {
  const label = createTopLabels(2);
  expect(['a', 'b', 'c', 'a', 'd'].map(label)).toEqual(['a', 'b', 'other', 'a', 'other']);
});

test('the admin endpoint tells health, readiness with its reasons, and metrics', async () => {
  const registry = new Registry();
  createMetrics(TABLE, registry);
  let reasons: string[] = [];
  const port = 14_950;
  const admin = createAdmin({
    listen: { host: '127.0.0.1', port },
    registry,
    readiness: () => reasons,
    liveness: () => [],
  });
  await admin.start(new AbortController().signal);
  try {
    const get = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
      return { status: response.status, body: await response.text() };
    };
    expect(await get('/healthz')).toEqual({ status: 200, body: 'ok\n' });
    expect((await get('/readyz')).status).toBe(200);
    reasons = ['kafka is not reachable', 'tenants are not loaded'];
    expect(await get('/readyz')).toEqual({ status: 503, body: 'kafka is not reachable\ntenants are not loaded\n' });
    expect((await get('/metrics')).body).toContain('weir_t_seconds');
    expect((await get('/nothing')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);
  } finally {
    await admin.stop(new AbortController().signal);
    await admin.stop(new AbortController().signal);
  }
});

test('a log line cannot be forged by a value with a line break', () => {
  const lines: string[] = [];
  const logger = createLogger(
    { service: 'edge', version: '0', instance: 'i', level: 'info' },
    { write: (line: string) => lines.push(line) },
  );
  logger.info({ path: 'a\r\n{"level":"fatal"}' }, 'seen');
  expect(lines).toHaveLength(1);
  expect(lines[0]?.trimEnd()).not.toContain('\n');
});
