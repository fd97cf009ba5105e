import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testCertificates } from '@weir/testkit';
import { afterAll, expect, test } from 'vitest';
import { CLICKHOUSE_CONFIG, clickhouseAccess, clickhouseConfigFaults } from './clickhouse-settings.ts';
import { loadConfig } from './config.ts';
import { KAFKA_CONFIG, kafkaAccess, kafkaConfigFaults } from './kafka-settings.ts';
import { tlsFromFiles } from './tls-files.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-settings-'));
const made = await testCertificates(dir);
const readFile = (path: string) => readFileSync(path, 'utf8');

afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Env = Record<string, string>;

function kafka(env: Env) {
  const source = { env: { WEIR_KAFKA_BROKERS: 'a:9092', ...env }, readFile };
  return loadConfig(KAFKA_CONFIG, source, kafkaConfigFaults);
}

function faultsOf(env: Env): readonly string[] {
  const loaded = kafka(env);
  return loaded.ok ? [] : loaded.faults;
}

const TLS = { WEIR_KAFKA_TLS: 'true' };
const USER = { WEIR_KAFKA_SASL_USER: 'weir', WEIR_KAFKA_SASL_PASSWORD: 'secret' };
const SCRAM = { WEIR_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', ...USER };

test('Kafka without more than its brokers is reached without TLS and without a user', () => {
  const loaded = kafka({});
  expect(loaded.ok && kafkaAccess(loaded.config)).toEqual({ brokers: ['a:9092'] });
});

test('Kafka is reached with TLS, a certificate and a user; the password may come from a file', () => {
  const { WEIR_KAFKA_SASL_PASSWORD: _, ...user } = SCRAM;
  const files = { WEIR_KAFKA_TLS_CERT_FILE: made.clientCert, WEIR_KAFKA_TLS_KEY_FILE: made.clientKey };
  const env = { ...TLS, ...files, ...user, WEIR_KAFKA_SASL_PASSWORD_FILE: '/password' };
  const source = {
    env: { WEIR_KAFKA_BROKERS: 'a:9092', WEIR_KAFKA_TLS_CA_FILE: made.ca, WEIR_KAFKA_TLS_SERVER_NAME: 'k', ...env },
    readFile: (path: string) => (path === '/password' ? 'from-a-file\n' : readFile(path)),
  };
  const loaded = loadConfig(KAFKA_CONFIG, source, kafkaConfigFaults);
  const access = loaded.ok ? kafkaAccess(loaded.config) : undefined;
  expect(access?.sasl).toEqual({ mechanism: 'SCRAM-SHA-512', username: 'weir', password: 'from-a-file' });
  expect(access?.tls?.serverName).toBe('k');
  const [ca, cert, key] = [made.ca, made.clientCert, made.clientKey].map(readFile);
  expect(access?.tls?.material()).toEqual({ ca, cert, key });
});

test.each<[string, Env, string]>([
  [
    'a CA without TLS',
    { WEIR_KAFKA_TLS_CA_FILE: made.ca },
    'WEIR_KAFKA_TLS_CA_FILE: means nothing without WEIR_KAFKA_TLS=true',
  ],
  [
    'a server name without TLS',
    { WEIR_KAFKA_TLS: 'false', WEIR_KAFKA_TLS_SERVER_NAME: 'k' },
    'WEIR_KAFKA_TLS_SERVER_NAME: means nothing without WEIR_KAFKA_TLS=true',
  ],
  [
    'a certificate without its key',
    { ...TLS, WEIR_KAFKA_TLS_CERT_FILE: made.clientCert },
    'WEIR_KAFKA_TLS_CERT_FILE, WEIR_KAFKA_TLS_KEY_FILE: set both, or neither',
  ],
  [
    'the key of another certificate',
    { ...TLS, WEIR_KAFKA_TLS_CERT_FILE: made.clientCert, WEIR_KAFKA_TLS_KEY_FILE: made.serverKey },
    'WEIR_KAFKA_TLS_KEY_FILE: is not the key of the certificate in WEIR_KAFKA_TLS_CERT_FILE',
  ],
  [
    'a CA that is not there',
    { ...TLS, WEIR_KAFKA_TLS_CA_FILE: join(dir, 'none') },
    'WEIR_KAFKA_TLS_CA_FILE: the file cannot be read',
  ],
  [
    'a key where the CA should be',
    { ...TLS, WEIR_KAFKA_TLS_CA_FILE: made.clientKey },
    'WEIR_KAFKA_TLS_CA_FILE: the file holds no certificate in PEM',
  ],
  ['a user without a mechanism', { WEIR_KAFKA_SASL_USER: 'weir' }, 'WEIR_KAFKA_SASL_USER: means nothing without'],
  ['a password without a mechanism', { WEIR_KAFKA_SASL_PASSWORD: 'x' }, 'WEIR_KAFKA_SASL_PASSWORD: means nothing'],
  [
    'a mechanism without a password',
    { WEIR_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256', WEIR_KAFKA_SASL_USER: 'weir' },
    'WEIR_KAFKA_SASL_PASSWORD: is required with WEIR_KAFKA_SASL_MECHANISM',
  ],
  [
    'a mechanism without a user',
    { WEIR_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256', WEIR_KAFKA_SASL_PASSWORD: 'x' },
    'WEIR_KAFKA_SASL_USER: is required with WEIR_KAFKA_SASL_MECHANISM',
  ],
  [
    'PLAIN on a connection that others can read',
    { ...USER, WEIR_KAFKA_SASL_MECHANISM: 'PLAIN' },
    'WEIR_KAFKA_SASL_MECHANISM: PLAIN sends the password as it is, so it needs WEIR_KAFKA_TLS=true',
  ],
  [
    'a mechanism that is not spoken',
    { ...USER, WEIR_KAFKA_SASL_MECHANISM: 'GSSAPI' },
    'WEIR_KAFKA_SASL_MECHANISM: must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512',
  ],
])('%s is refused with one line', (_what, env, line) => {
  const faults = faultsOf(env);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toContain(line);
});

test.each<Env>([
  TLS,
  SCRAM,
  { ...TLS, ...SCRAM },
  { ...TLS, ...USER, WEIR_KAFKA_SASL_MECHANISM: 'PLAIN' },
  { ...TLS, WEIR_KAFKA_TLS_CA_FILE: made.ca },
  { ...TLS, WEIR_KAFKA_TLS_CERT_FILE: made.clientCert, WEIR_KAFKA_TLS_KEY_FILE: made.clientKey },
])('%# of the right combinations is taken', (env) => {
  expect(faultsOf(env)).toEqual([]);
});

test('files that were replaced are read again, and one that is gone for a moment leaves what was read last', () => {
  const files: Record<string, string | undefined> = { ca: 'first' };
  const read = (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Error('gone');
    return text;
  };
  const settings = { caFile: 'ca', certFile: undefined, keyFile: undefined, serverName: undefined };
  const tls = tlsFromFiles(settings, read);
  expect(tls.material()).toEqual({ ca: 'first' });
  files.ca = 'second';
  expect(tls.material()).toEqual({ ca: 'second' });
  files.ca = undefined;
  expect(tls.material()).toEqual({ ca: 'second' });
});

test('ClickHouse over https takes its files, and over http refuses them', () => {
  const load = (env: Env) => loadConfig(CLICKHOUSE_CONFIG, { env, readFile }, clickhouseConfigFaults);
  const CA = { WEIR_CLICKHOUSE_TLS_CA_FILE: made.ca };
  const over = load({ WEIR_CLICKHOUSE_URL: 'https://ch:8443', ...CA });
  expect(over.ok && clickhouseAccess(over.config).tls?.material()).toEqual({ ca: readFile(made.ca) });
  const plain = load({ WEIR_CLICKHOUSE_URL: 'http://ch:8123' });
  expect(plain.ok && clickhouseAccess(plain.config)).toEqual({
    url: 'http://ch:8123',
    database: 'weir',
    username: 'default',
    password: '',
  });
  expect(load({ WEIR_CLICKHOUSE_URL: 'http://ch:8123', ...CA })).toEqual({
    ok: false,
    faults: ['WEIR_CLICKHOUSE_TLS_CA_FILE: means nothing without https in WEIR_CLICKHOUSE_URL'],
  });
  expect(load({ WEIR_CLICKHOUSE_URL: 'tcp://ch:9000' })).toEqual({
    ok: false,
    faults: ['WEIR_CLICKHOUSE_URL: must be a URL, http or https'],
  });
});
