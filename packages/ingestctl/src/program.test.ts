import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { allCommands, commandTree } from './completion/command-tree.ts';
import type { Outside } from './context.ts';
import { buildProgram, commandFault, createProgram } from './program.ts';

interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

const NOBODY: Outside = {
  env: {},
  readFile: () => '',
  writeFile: () => undefined,
  out: () => undefined,
  err: () => undefined,
  terminal: false,
};
const NOWHERE = '127.0.0.1:1';
const PEPPER = 'b7c1f09e5a3d4826917fe0cc6d2b8a45e9';

async function ingestctl(
  args: readonly string[],
  given: { env?: Outside['env']; files?: Record<string, string> } = {},
): Promise<Run> {
  let out = '';
  let err = '';
  const outside: Outside = {
    env: given.env ?? {},
    readFile: (path) => {
      const text = given.files?.[path];
      if (text === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
      return text;
    },
    writeFile: () => {
      throw new Error('nothing is written here');
    },
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
  };
  const status = await createProgram(outside).run(args);
  return { status, out, err };
}

/** Every command and group there is, as it is written. */
const COMMANDS = allCommands(commandTree(buildProgram(NOBODY, {}, async () => undefined))).map(({ path }) =>
  path.split('/').slice(1),
);

test('what a local stack says of itself is read in the world that the command is given, and must be readable', async () => {
  const local = JSON.stringify({ clickhouse: { url: 'http://127.0.0.1:4711' } });
  const found = await ingestctl(['config'], { files: { '.weir/local.json': local } });
  expect(found).toMatchObject({ status: 0, out: expect.stringContaining('http://127.0.0.1:4711') });
  const torn = await ingestctl(['config'], { files: { '.weir/local.json': '{' } });
  expect(torn).toMatchObject({ status: 2, err: expect.stringContaining('.weir/local.json cannot be read') });
});

test.each(COMMANDS.map((command) => [command]))('%j --help has an example and ends with 0', async (command) => {
  const { status, out } = await ingestctl([...command, '--help']);
  expect(status).toBe(0);
  expect(out).toMatch(/Examples?:\n {2}.*ingestctl/);
  expect(out).toContain(`Usage: ${['ingestctl', ...command].join(' ')}`);
});

test.each(['topics apply', 'topics status', 'lag', 'status'])(
  '%s is about the track of the environment',
  async (command) => {
    const shown = async (env: Outside['env']) => (await ingestctl([...command.split(' '), '--help'], { env })).out;
    expect(await shown({})).toContain('(default: "v1")');
    expect(await shown({ WEIR_TRACK: 'v2' })).toContain('(default: "v2")');
  },
);

test('partitions and copies come from the environment where they are not given', async () => {
  const env = { WEIR_KAFKA_PARTITIONS: '16', WEIR_KAFKA_REPLICATION_FACTOR: '3' };
  const { out } = await ingestctl(['topics', 'apply', '--help'], { env });
  expect(out).toMatch(/--partitions[^-]*\(default:\s+"16"\)/);
  expect(out).toMatch(/--replication-factor[^-]*\(default:\s+"3"\)/);
  const wrong = await ingestctl(['topics', 'apply', '--brokers', NOWHERE], { env: { WEIR_KAFKA_PARTITIONS: 'many' } });
  expect(wrong).toMatchObject({ status: 2, err: expect.stringContaining('WEIR_KAFKA_PARTITIONS') });
});

test.each(COMMANDS.map((command) => [command]))('the examples of %j --help are commands', async (command) => {
  const { out } = await ingestctl([...command, '--help']);
  const examples = [...out.matchAll(/^ {2}(?:[A-Z_]+=\S+ )?ingestctl (.*)$/gm)].map((match) => match[1]!);
  expect(examples).not.toEqual([]);
  for (const example of examples)
    expect([example, await commandFault(example.split(/ [>|] /)[0]!.split(' '))]).toEqual([example, undefined]);
});

test('--help documents the exit statuses', async () => {
  const { status, out } = await ingestctl(['--help']);
  expect(status).toBe(0);
  expect(out).toContain(
    'Exit status: 0 done, 1 the answer is no (or a tenants file has faults), 2 wrong usage, 3 a dependency',
  );
});

test.each([
  [['nonsense']],
  [['topics', 'apply', '--nonsense']],
  [['tenants', 'apply']],
  [['lag', '--tracks', 'first', '--brokers', NOWHERE]],
  [['topics', 'apply', '--partitions', '0', '--brokers', NOWHERE]],
  [['topics', 'status', '--replication-factor', 'two', '--brokers', NOWHERE]],
  [['status', '--interval', '0', '--brokers', NOWHERE]],
  [['status', '--admin', 'edge', '--brokers', NOWHERE]],
  [['lag', '--data-dir', '/nowhere']],
  [['tenants', 'apply', '-f', 'missing.yaml', '--brokers', NOWHERE]],
  [['keys', 'create']],
  [['dlq', 'list', '--reason', 'bad_luck', '--brokers', NOWHERE]],
  [['dlq', 'list', '--signal', 'profiles', '--brokers', NOWHERE]],
  [['dlq', 'list', '--limit', '0', '--brokers', NOWHERE]],
  [['dlq', 'redrive', '--from', 'yesterday', '--brokers', NOWHERE]],
  [['dlq', 'redrive', '--from', '1h', '--to', '2h', '--brokers', NOWHERE]],
  [['dlq', 'redrive', '--track', 'first', '--brokers', NOWHERE]],
  [['dlq', 'redrive', '--rate', '0', '--brokers', NOWHERE]],
  [['dlq', 'release', '--all', '--brokers', NOWHERE]],
  [['dlq', 'release', '--as', 'waiting', '--brokers', NOWHERE]],
  [['dlq', 'release', '0:1', '--all', '--as', 'sent', '--brokers', NOWHERE]],
  [['rollout', 'status']],
  [['rollout', 'set', 'acme', '--to', 'v2', '--percent', '101']],
  [['rollout', 'back', 'acme', '--routes', 'missing.yaml']],
  [['rollout', 'back', 'acme', '--output', 'yaml']],
  [['dlq', 'purge', '--yes', '--brokers', NOWHERE]],
  [['replay', '--from', '1', '--to', '2', '--brokers', NOWHERE]],
  [['replay', '--shadow', '--from', '1', '--brokers', NOWHERE]],
  [['replay', '--shadow', '--from', '2', '--to', '1', '--brokers', NOWHERE]],
  [['replay', '--shadow', '--from', 'yesterday', '--to', '1', '--brokers', NOWHERE]],
  [['replay', '--shadow', '--from', '1', '--to', '2', '--rate', '0', '--brokers', NOWHERE]],
  [['replay', '--shadow', '--from', '1', '--to', '2', '--signal', 'profiles', '--brokers', NOWHERE]],
  [['replay', '--shadow', '--from', '1', '--to', '2', '--track', 'first', '--brokers', NOWHERE]],
  [['shadow', 'compare', '20261121_101500_3fa9', '--examples', 'foo', '--clickhouse', `http://${NOWHERE}`]],
  [['shadow', 'compare', '20261121_101500_3fa9', '--examples', '101', '--clickhouse', `http://${NOWHERE}`]],
  [['replay', 'resume', 'x', '--rate', 'fast', '--clickhouse', 'http://127.0.0.1:1']],
])('wrong usage ends with 2 and says why: %j', async (args) => {
  const { status, out, err } = await ingestctl(args);
  expect(status).toBe(2);
  expect(out).toBe('');
  expect(err.trim()).not.toBe('');
});

test.each([
  [['dlq', 'redrive', '--brokers', NOWHERE]],
  [['dlq', 'purge', '--all', '--brokers', NOWHERE]],
  [['dlq', 'release', '--all', '--as', 'waiting', '--brokers', NOWHERE]],
  [['replay', '--shadow', '--from', '2h', '--to', '1h', '--brokers', NOWHERE]],
  [['rollout', 'set', 'acme', '--to', 'v2', '--routes', 'missing.yaml']],
  [['rollout', 'back', 'acme', '--routes', 'missing.yaml']],
])('what is asked for first ends with 2 where nobody can be asked, before anything is looked at: %j', async (args) => {
  const silent = await ingestctl(args);
  expect(silent).toEqual({
    status: 2,
    out: '',
    err: 'ingestctl: there is nobody to ask, without a terminal: say --yes\n',
  });
  const json = await ingestctl([...args, '--json']);
  expect(json).toEqual({ status: 2, out: '', err: 'ingestctl: there is nobody to ask, with --json: say --yes\n' });
});

test('a dependency that does not answer ends with 3 and one line', async () => {
  for (const args of [
    ['lag', '--brokers', NOWHERE],
    ['dlq', 'list', '--brokers', NOWHERE],
    ['replay', '--shadow', '--from', '1', '--to', '2', '--dry-run', '--brokers', NOWHERE],
    ['topics', 'apply', '--brokers', NOWHERE],
    ['schema', 'status', '--clickhouse', `http://${NOWHERE}`],
  ]) {
    const { status, err } = await ingestctl(args);
    expect({ args, status }).toEqual({ args, status: 3 });
    expect(err).toMatch(/^ingestctl: .*\n$/);
  }
}, 60_000);

test('every fault of a tenants file is shown with its line before anything is asked of Kafka', async () => {
  const text = [
    'version: 1',
    'tenants:',
    '  acme:',
    '    keys: []',
    '    limits: { items: { perSecond: -1, burst: 5 } }',
    '  globex:',
    '    retention: 5',
    '',
  ].join('\n');
  const { status, err } = await ingestctl(['tenants', 'apply', '-f', 'tenants.yaml', '--brokers', NOWHERE], {
    files: { 'tenants.yaml': text },
  });
  expect(status).toBe(1);
  expect(err).toMatch(/^tenants\.yaml:5:\d+: tenants\.acme\.limits\.items\.perSecond: /m);
  expect(err).toMatch(/^tenants\.yaml:7:\d+: tenants\.globex/m);
});

test('a file that is not YAML is a fault with its line', async () => {
  const { status, err } = await ingestctl(['tenants', 'apply', '-f', 't.yaml', '--brokers', NOWHERE], {
    files: { 't.yaml': 'version: 1\ntenants: {\n' },
  });
  expect(status).toBe(1);
  expect(err).toMatch(/^t\.yaml:\d+:\d+: /);
});

test('keys create shows the key once beside the entry that holds only its hash', async () => {
  const { status, out } = await ingestctl(['keys', 'create', '--json'], {
    env: { WEIR_KEY_PEPPER_FILE: '/pepper' },
    files: { '/pepper': `${PEPPER}\n` },
  });
  expect(status).toBe(0);
  const { key, entry } = JSON.parse(out) as { key: string; entry: { prefix: string; hash: string } };
  expect(key).toMatch(new RegExp(`^wk_${entry.prefix}_`));
  expect(entry.hash).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  expect(entry.hash).not.toContain(key);
});

test('options come before the environment, and the environment before the local stack', async () => {
  const files = {
    'stack/local.json': JSON.stringify({
      kafka: { brokers: ['local:1'] },
      clickhouse: { url: 'http://local:2', database: 'here' },
    }),
  };
  const read = async (args: string[], env: Outside['env']) => {
    const { out } = await ingestctl(['config', '--json', '--data-dir', 'stack', ...args], { env, files });
    const { kafka, clickhouse } = JSON.parse(out) as {
      kafka: { brokers: string[] };
      clickhouse: { url: string; database: string };
    };
    return [kafka.brokers, clickhouse.url, clickhouse.database];
  };
  expect(await read([], {})).toEqual([['local:1'], 'http://local:2/', 'here']);
  const env = { WEIR_KAFKA_BROKERS: 'env:1, env:2', WEIR_CLICKHOUSE_URL: 'http://env:3' };
  expect(await read([], env)).toEqual([['env:1', 'env:2'], 'http://env:3/', 'here']);
  expect(await read(['--brokers', 'flag:1', '--database', 'there'], env)).toEqual([
    ['flag:1'],
    'http://env:3/',
    'there',
  ]);
});

test('config shows no secret', async () => {
  const { status, out } = await ingestctl(['config', '--clickhouse', 'http://u:hunter2@ch:8123/?password=hunter2'], {
    env: { WEIR_KEY_PEPPER: PEPPER, WEIR_CLICKHOUSE_PASSWORD: 'hunter2' },
  });
  expect(status).toBe(0);
  expect(out).toMatch(/clickhouse\.password +set +WEIR_CLICKHOUSE_PASSWORD/);
  expect(out).toMatch(/pepper +set +WEIR_KEY_PEPPER/);
  expect(out).not.toContain('hunter2');
  expect(out).not.toContain(PEPPER);
});

test.each([
  ['WEIR_CLICKHOUSE_PASSWORD', 'clickhouse.password'],
  ['WEIR_KAFKA_SASL_PASSWORD', 'kafka.password'],
  ['WEIR_KEY_PEPPER', 'pepper'],
])('%s may come from the file that its _FILE names', async (name, shown) => {
  const given = { env: { [`${name}_FILE`]: '/secret' }, files: { '/secret': `${PEPPER}\n` } };
  expect((await ingestctl(['config'], given)).out).toMatch(new RegExp(`${shown} +set +${name}_FILE`));
  const both = { ...given, env: { ...given.env, [name]: PEPPER } };
  expect(await ingestctl(['config'], both)).toMatchObject({ status: 2, err: expect.stringContaining('not both') });
  const missing = await ingestctl(['config'], { env: { [`${name}_FILE`]: '/nowhere' } });
  expect(missing).toMatchObject({ status: 2, err: expect.stringContaining(`/nowhere, which ${name}_FILE names`) });
});

test('ClickHouse is asked with the password of the file', async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(403, { 'x-clickhouse-exception-code': '516' }).end('Code: 516. DB::Exception: no');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    await ingestctl(['schema', 'status', '--clickhouse', `http://127.0.0.1:${port}`], {
      env: { WEIR_CLICKHOUSE_USER: 'weir', WEIR_CLICKHOUSE_PASSWORD_FILE: '/secret' },
      files: { '/secret': 'hunter2\n' },
    });
  } finally {
    server.close();
  }
  expect(asked[0]).toBe(`Basic ${Buffer.from('weir:hunter2').toString('base64')}`);
});

test('a command line is judged without being carried out', async () => {
  expect(await commandFault(['tenants', 'apply', '-f', 'tenants.yaml', '--dry-run'])).toBeUndefined();
  expect(await commandFault(['status', '--json', '--brokers', 'a:1'])).toBeUndefined();
  expect(await commandFault(['tenants', 'apply'])).toContain('--file');
  expect(await commandFault(['topics', 'make'])).toContain('make');
  expect(await commandFault(['lag', '--track', 'v1'])).toContain('--track');
});

test.each(['promote', 'drop'])('shadow %s says at once that there is nobody to ask', async (command) => {
  const { status, err } = await ingestctl(['shadow', command, '20261121_101500_3fa9']);
  expect({ status, err }).toMatchObject({ status: 2, err: expect.stringContaining('say --yes') });
});
