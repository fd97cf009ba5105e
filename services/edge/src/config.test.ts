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

test('there is no pepper by default, and one that looks like a placeholder is refused', () => {
  const { WEIR_KEY_PEPPER: _, ...without } = REQUIRED;
  const loaded = loadConfig(EDGE_CONFIG, { env: without, readFile: () => '' }, edgeConfigFaults);
  expect(loaded.ok ? [] : loaded.faults.join()).toContain('WEIR_KEY_PEPPER');
  for (const pepper of ['', 'short', 'change-me-change-me-change-me-change-me', 'ab'.repeat(32)]) {
    const faults = faultsOf({ WEIR_KEY_PEPPER: pepper });
    expect(faults.join()).toContain('WEIR_KEY_PEPPER');
    if (pepper !== '') expect(faults.join()).not.toContain(pepper);
  }
});
