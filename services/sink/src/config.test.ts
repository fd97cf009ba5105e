import { loadConfig } from '@weir/process';
import { expect, test } from 'vitest';
import { SINK_CONFIG, sinkConfigFaults } from './config.ts';

const REQUIRED = { WEIR_KAFKA_BROKERS: 'kafka:9092', WEIR_CLICKHOUSE_URL: 'http://clickhouse:8123' };

function faultsOf(env: Record<string, string>): readonly string[] {
  const loaded = loadConfig(SINK_CONFIG, { env: { ...REQUIRED, ...env }, readFile: () => '' }, sinkConfigFaults);
  return loaded.ok ? [] : loaded.faults;
}

test('the defaults are a valid configuration', () => {
  expect(faultsOf({})).toEqual([]);
});

// With nothing in a batch nothing would ever be read.
test.each([
  ['WEIR_SINK_BATCH_BYTES', ['1KiB', '240MiB'], ['0B', '1023B', '241MiB'], 'must be from 1KiB to 240MiB'],
  ['WEIR_SINK_BUFFER_BYTES', ['1KiB', '64MiB'], ['0B'], 'must be from 1KiB to 1TiB'],
  ['WEIR_SINK_BACKLOG_BYTES_MAX', ['256KiB', '4TiB'], ['0B'], 'must be from 1KiB to 1024TiB'],
  ['WEIR_SINK_BATCH_ROWS', ['1000', '1000000'], ['0', '1000001'], 'must be a whole number from 1000 to 1000000'],
])('%s has bounds, which are checked', (name, good, bad, fault) => {
  for (const value of good) expect(faultsOf({ [name]: value })).toEqual([]);
  for (const value of bad) expect(faultsOf({ [name]: value })).toEqual([`${name}: ${fault}`]);
});
