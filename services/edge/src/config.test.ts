import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@weir/process';
import { testCertificates } from '@weir/testkit';
import { afterAll, expect, test } from 'vitest';
import { EDGE_CONFIG, edgeConfigFaults } from './config.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-edge-settings-'));
const made = await testCertificates(dir);
const readFile = (path: string) => readFileSync(path, 'utf8');

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const REQUIRED = {
  WEIR_TLS_CERT_FILE: made.serverCert,
  WEIR_TLS_KEY_FILE: made.serverKey,
  WEIR_KEY_PEPPER: 'kP2vQ8sT1xZ7bN4mR9wC5yF3gH6jL0dA',
  WEIR_KAFKA_BROKERS: 'kafka:9092',
};

const faultsOf = (env: Record<string, string>) => {
  const source = { env: { ...REQUIRED, ...env }, readFile };
  const loaded = loadConfig(EDGE_CONFIG, source, edgeConfigFaults);
  return loaded.ok ? [] : loaded.faults;
};

test('the defaults are a valid configuration', () => {
  expect(faultsOf({})).toEqual([]);
});

test.each([
  ['WEIR_EDGE_GRPC_RECEIVE_MIB', ['1', '64'], ['0', '257', '1.5'], 'must be a whole number from 1 to 256'],
  ['WEIR_EDGE_HTTP2_STREAMS_MAX', ['1', '1000000'], ['0', '1000001'], 'must be a whole number from 1 to 1000000'],
  ['WEIR_EDGE_HEADER_BYTES_MAX', ['4KiB', '256KiB'], ['4095B', '1MiB'], 'must be from 4KiB to 256KiB'],
  ['WEIR_EDGE_BODY_BYTES_MAX', ['1KiB', '64MiB'], ['1023B', '257MiB'], 'must be from 1KiB to 256MiB'],
  ['WEIR_EDGE_GRPC_KEEPALIVE_TIME', ['1s', '1d'], ['999ms', '25h'], 'must be from 1s to 1d'],
  ['WEIR_EDGE_GRPC_KEEPALIVE_TIMEOUT', ['100ms', '10m'], ['99ms', '11m'], 'must be from 100ms to 10m'],
  ['WEIR_EDGE_GRPC_PING_INTERVAL_MIN', ['10ms', '1h'], ['9ms', '2h'], 'must be from 10ms to 1h'],
  ['WEIR_EDGE_GRPC_CONNECTION_IDLE_MAX', ['1s', '1d'], ['0s', '25h'], 'must be from 1s to 1d'],
  ['WEIR_EDGE_GRPC_CONNECTION_AGE_MAX', ['1s', '7d'], ['0s', '8d'], 'must be from 1s to 7d'],
  ['WEIR_EDGE_GRPC_CONNECTION_AGE_GRACE', ['1s', '1h'], ['0s', '61m'], 'must be from 1s to 1h'],
])('%s has bounds, which are checked', (name, good, bad, fault) => {
  for (const value of good) expect(faultsOf({ [name]: value })).toEqual([]);
  for (const value of bad) expect(faultsOf({ [name]: value })).toEqual([`${name}: ${fault}`]);
});

test('a gRPC message may not be larger than a body', () => {
  const env = { WEIR_EDGE_BODY_BYTES_MAX: '8MiB', WEIR_EDGE_GRPC_RECEIVE_MIB: '8' };
  expect(faultsOf(env)).toEqual([]);
  expect(faultsOf({ ...env, WEIR_EDGE_GRPC_RECEIVE_MIB: '9' })).toEqual([
    'WEIR_EDGE_GRPC_RECEIVE_MIB: must be no more than WEIR_EDGE_BODY_BYTES_MAX, here 8388608B: ' +
      'what is larger would be received and then refused',
  ]);
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
  const loaded = loadConfig(EDGE_CONFIG, { env: without, readFile }, edgeConfigFaults);
  expect(loaded.ok ? [] : loaded.faults.join()).toContain('WEIR_KEY_PEPPER');
  for (const pepper of ['', 'short', 'change-me-change-me-change-me-change-me', 'ab'.repeat(32)]) {
    const faults = faultsOf({ WEIR_KEY_PEPPER: pepper });
    expect(faults.join()).toContain('WEIR_KEY_PEPPER');
    if (pepper !== '') expect(faults.join()).not.toContain(pepper);
  }
});

test('where a client must show a certificate there is an authority that it must be signed by', () => {
  expect(faultsOf({ WEIR_TLS_CLIENT_REQUIRED: 'true', WEIR_TLS_CLIENT_CA_FILE: made.ca })).toEqual([]);
  expect(faultsOf({ WEIR_TLS_CLIENT_REQUIRED: 'true' })).toEqual([
    'WEIR_TLS_CLIENT_REQUIRED: needs WEIR_TLS_CLIENT_CA_FILE: without it no certificate is asked for',
  ]);
});

test.each([
  ['WEIR_TLS_CERT_FILE', '/nowhere', 'the file cannot be read'],
  ['WEIR_TLS_KEY_FILE', made.ca, 'the file holds no private key without a passphrase in PEM'],
  ['WEIR_TLS_KEY_FILE', made.clientKey, 'is not the key of the certificate in WEIR_TLS_CERT_FILE'],
  ['WEIR_TLS_CLIENT_CA_FILE', made.serverKey, 'the file holds no certificate in PEM'],
])('a file of %s that is of no use is told', (name, path, fault) => {
  expect(faultsOf({ [name]: path })).toEqual([`${name}: ${fault}`]);
});
