import { expect, test } from 'vitest';
import { describeStack } from './local-file.ts';
import { derivePorts } from './ports.ts';
import { summary } from './summary.ts';

const PORTS = derivePorts(5_000, ['v1']);
const STACK = { ca: '/data/tls/ca.pem', keys: { demo: { key: 'wk_1' } }, envoy: { routes: '/r', binary: '/e' } };
const STORES = [
  ['kafka', 1],
  ['clickhouse', 2],
] as const;

test('a newcomer is told where to send what with which key', () => {
  const local = describeStack(PORTS, STACK, new Map([...STORES, ['edge', 3], ['normalizer', 4], ['sink', 5]]));
  expect(Object.keys(local.services)).toEqual(['edge', 'normalizer', 'sink']);
  expect(summary(local, '/data')).toContain('OTLP/HTTP    https://localhost:5001');
});

test('of Kafka and ClickHouse alone no endpoint is told that nothing serves', () => {
  const local = describeStack(PORTS, STACK, new Map(STORES));
  expect(local.services).toEqual({});
  expect(summary(local, '/data')).not.toContain('OTLP');
  expect(summary(local, '/data')).toContain('Kafka        127.0.0.1:5003');
});
