import { expect, test } from 'vitest';
import { runProgram } from '../../test/run-program.ts';
import type { Outside } from '../outside.ts';

interface Given {
  readonly env?: Outside['env'];
  readonly files?: Readonly<Record<string, string>>;
}

async function ingestctl(args: readonly string[], { env = {}, files = {} }: Given = {}) {
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    return text;
  };
  return runProgram(args, { env, readFile });
}

interface Shown {
  readonly kafka: Readonly<Record<string, unknown>>;
  readonly clickhouse: Readonly<Record<string, unknown>>;
  readonly admins: Readonly<Record<string, string>>;
  readonly from: Readonly<Record<string, string>>;
}

async function config(args: readonly string[], given: Given): Promise<Shown> {
  const { status, out, err } = await ingestctl(['config', '--json', ...args], given);
  expect([status, err]).toEqual([0, '']);
  return JSON.parse(out) as Shown;
}

const FILE = `
track: v2
kafka:
  brokers: [file-1:9093, file-2:9093]
  partitions: 16
  tls: { enabled: true, caFile: tls/ca.pem }
  sasl: { mechanism: SCRAM-SHA-512, user: weir, passwordFile: /run/secrets/kafka }
clickhouse:
  url: https://file:8443
  password: hunter2
  cluster: main
admins: { edge-1: http://10.0.0.1:9464 }
`;

test('what the file says is used, with where it was said; its paths are relative to its folder, and secrets stay hidden', async () => {
  const files = { 'conf/weir.yaml': FILE, '/run/secrets/kafka': 'sesame\n' };
  const shown = await config(['--config', 'conf/weir.yaml'], { files });
  expect(shown.kafka).toMatchObject({
    brokers: ['file-1:9093', 'file-2:9093'],
    tls: 'true',
    caFile: 'conf/tls/ca.pem',
    mechanism: 'SCRAM-SHA-512',
    user: 'weir',
    password: 'set',
  });
  expect(shown.clickhouse).toMatchObject({
    url: 'https://file:8443/',
    database: 'weir',
    cluster: 'main',
    password: 'set',
  });
  expect(shown.admins).toEqual({ 'edge-1': 'http://10.0.0.1:9464' });
  expect(shown.from).toMatchObject({
    'kafka.brokers': 'conf/weir.yaml: kafka.brokers',
    'kafka.password': 'conf/weir.yaml: kafka.sasl.passwordFile',
    'clickhouse.database': 'default',
  });
  const text = await ingestctl(['config', '--config', 'conf/weir.yaml'], { files });
  expect(text.out).toMatch(/kafka\.brokers +file-1:9093,file-2:9093 +conf\/weir\.yaml: kafka\.brokers/);
  expect(JSON.stringify(shown) + text.out).not.toMatch(/hunter2|sesame/);
});

test('options come before the environment, the environment before the file, the file before the local stack', async () => {
  const local = JSON.stringify({
    kafka: { brokers: ['local:1'] },
    clickhouse: { url: 'http://local:2', database: 'here' },
  });
  const files = {
    'weir.yaml': 'kafka: { brokers: "file:1" }\nclickhouse: { url: "http://file:2" }\n',
    '.weir/local.json': local,
  };
  const from = async (args: string[], env: Outside['env'] = {}) => {
    const shown = await config(args, { env, files });
    return [
      shown.kafka.brokers,
      shown.from['kafka.brokers'],
      shown.clickhouse.database,
      shown.from['clickhouse.database'],
    ];
  };
  expect(await from([])).toEqual([['file:1'], 'weir.yaml: kafka.brokers', 'here', '.weir/local.json']);
  const env = { WEIR_KAFKA_BROKERS: 'env:1' };
  expect(await from([], env)).toEqual([['env:1'], 'WEIR_KAFKA_BROKERS', 'here', '.weir/local.json']);
  expect(await from(['--brokers', 'flag:1'], env)).toEqual([['flag:1'], '--brokers', 'here', '.weir/local.json']);
});

test('the file is the one that is named, else ./weir.yaml, else that of the user', async () => {
  const file = (name: string) => `kafka: { brokers: "${name}:1" }\n`;
  const files = {
    'named.yaml': file('named'),
    'said.yaml': file('said'),
    'weir.yaml': file('here'),
    '/xdg/weir/config.yaml': file('xdg'),
    '/home/op/.config/weir/config.yaml': file('home'),
  };
  const { 'weir.yaml': _, ...elsewhere } = files;
  const broker = async (args: string[], given: Given) => (await config(args, given)).kafka.brokers;
  const env = { WEIR_CONFIG: 'said.yaml', XDG_CONFIG_HOME: '/xdg', HOME: '/home/op' };
  expect(await broker(['--config', 'named.yaml'], { env, files })).toEqual(['named:1']);
  expect(await broker([], { env, files })).toEqual(['said:1']);
  expect(await broker([], { env: { ...env, WEIR_CONFIG: '' }, files })).toEqual(['here:1']);
  expect(await broker([], { env: { ...env, WEIR_CONFIG: '' }, files: elsewhere })).toEqual(['xdg:1']);
  expect(await broker([], { env: { HOME: '/home/op' }, files: elsewhere })).toEqual(['home:1']);
});

test.each([
  ['kafka: { borkers: "a:1" }', 'weir.yaml: unknown key kafka.borkers'],
  ['kafka: { tls: { ca: x } }\nclickhose: {}', 'unknown key clickhose'],
  ['kafka: { brokers: 7 }', 'kafka.brokers: must be HOST:PORT, or a list of these'],
  ['kafka: {', 'weir.yaml: is not YAML'],
  ['admins: { edge: here }', 'admins.edge: must be a URL'],
])('a file with %j is refused in one line that names the key', async (text, line) => {
  const { status, out, err } = await ingestctl(['config'], { files: { 'weir.yaml': text } });
  expect([status, out]).toEqual([2, '']);
  expect(err).toContain(line);
  expect(err.trim().split('\n')).toHaveLength(1);
});

test('a file that is named must be there', async () => {
  const missing = { status: 2, err: 'ingestctl: none.yaml cannot be read\n' };
  expect(await ingestctl(['config', '--config', 'none.yaml'])).toMatchObject(missing);
  expect(await ingestctl(['config'], { env: { WEIR_CONFIG: 'none.yaml' } })).toMatchObject(missing);
});

test('the track, partitions and copies of the file are the defaults of options', async () => {
  const files = { 'weir.yaml': 'track: v2\nkafka: { partitions: 16, replicationFactor: 3 }\n' };
  const help = async (env: Outside['env']) => (await ingestctl(['topics', 'apply', '--help'], { env, files })).out;
  expect(await help({})).toMatch(/"v2".*"16".*"3"/s);
  expect(await help({ WEIR_TRACK: 'v3' })).toMatch(/"v3".*"16".*"3"/s);
});

test('a wrong combination is refused in the words in which it was said', async () => {
  const file =
    'kafka: { brokers: "a:1", tls: { caFile: /ca.pem }, sasl: { mechanism: PLAIN, user: u, password: p } }\n';
  const said = await ingestctl(['lag'], { files: { 'weir.yaml': file } });
  expect(said.status).toBe(2);
  expect(said.err).toContain('weir.yaml: kafka.tls.caFile: means nothing without WEIR_KAFKA_TLS=true');
  expect(said.err).toContain('weir.yaml: kafka.sasl.mechanism: PLAIN sends the password as it is');
  const env = { WEIR_KAFKA_BROKERS: 'a:1', WEIR_KAFKA_SASL_USER: 'u' };
  expect(await ingestctl(['lag'], { env })).toMatchObject({
    status: 2,
    err: 'ingestctl: WEIR_KAFKA_SASL_USER: means nothing without WEIR_KAFKA_SASL_MECHANISM\n',
  });
});

test("a local stack's user and password are for its own brokers alone", async () => {
  const security = {
    ca: '/ca',
    certFile: '/c',
    keyFile: '/k',
    mechanism: 'SCRAM-SHA-512',
    user: 'weir',
    passwordFile: '/p',
  };
  const files = { '.weir/local.json': JSON.stringify({ kafka: { brokers: ['local:1'], security } }), '/p': 'sesame' };
  const own = await config([], { files });
  expect(own.kafka).toMatchObject({ brokers: ['local:1'], tls: 'true', user: 'weir', password: 'set' });
  const other = await config(['--brokers', 'other:1'], { files });
  expect(other.kafka).toMatchObject({ brokers: ['other:1'], tls: 'false', user: null, password: 'not set' });
});
