import { loadConfig } from '@weir/process';
import { expect, test } from 'vitest';
import { EDGE_CONFIG, edgeConfigFaults } from './config.ts';

const REQUIRED = {
  WEIR_TLS_CERT_FILE: '/tls.crt',
  WEIR_TLS_KEY_FILE: '/tls.key',
  WEIR_KEY_PEPPER: 'kP2vQ8sT1xZ7bN4mR9wC5yF3gH6jL0dA',
  WEIR_KAFKA_BROKERS: 'kafka:9092',
};

const faultsOf = (env: Record<string, string>) => {
  const source = { env: { ...REQUIRED, ...env }, readFile: () => '' };
  const loaded = loadConfig(EDGE_CONFIG, source, edgeConfigFaults);
  return loaded.ok ? [] : loaded.faults;
};

test('the defaults are a valid configuration', () => {
  expect(faultsOf({})).toEqual([]);
});

test('a queue must have room for the largest body and its pieces', () => {
  expect(faultsOf({ WEIR_EDGE_BODY_BYTES_MAX: '8MiB', WEIR_EDGE_QUEUE_BYTES_MAX: '24MiB' })).toEqual([]);
  expect(faultsOf({ WEIR_EDGE_QUEUE_BYTES_MAX: '64MiB' })).toEqual([
    'WEIR_EDGE_QUEUE_BYTES_MAX: must be at least 3 times WEIR_EDGE_BODY_BYTES_MAX, here 201326592B: ' +
      'a body as large as is allowed, and the pieces it is split into, would never be taken',
  ]);
});
