import { expect, test } from 'vitest';
import { load } from './load.ts';

async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const status = await load(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
  });
  return { status, out, err };
}

const ENDPOINT = ['--endpoint', 'http://127.0.0.1:1', '--key', 'k'];

test('--help has examples and the exit statuses', async () => {
  const { status, out } = await run('--help');
  expect(status).toBe(0);
  expect(out).toContain('npm run load -- --producers 200 --rate 50 --seconds 30 --verify');
  expect(out).toContain('Exit status:');
});

test.each([
  [['--data-dir', '/nowhere'], '/nowhere/local.json cannot be read'],
  [['--endpoint', 'http://127.0.0.1:1'], 'an endpoint needs --key'],
  [['--endpoint', 'nonsense', '--key', 'k'], 'nonsense is not a URL'],
  [[...ENDPOINT, '--verify'], '--verify needs --clickhouse'],
  [[...ENDPOINT, '--rate', 'fast'], '--rate must be a number'],
  [[...ENDPOINT, '--items-per-export', '0'], '--items-per-export must be a number from 1'],
  [[...ENDPOINT, '--transport', 'grpc'], '--transport must be http, http-json or mixed'],
  [[...ENDPOINT, '--signal', 'profiles'], '--signal must be traces, logs, metrics or mixed'],
  [['--nonsense'], "unknown option '--nonsense'"],
])('wrong usage ends with 2 and says why: %j', async (args, why) => {
  const { status, out, err } = await run(...args);
  expect({ status, out }).toEqual({ status: 2, out: '' });
  expect(err).toContain(why);
});

test('an endpoint that does not answer is counted, not an error', async () => {
  const { status, out } = await run(...ENDPOINT, '--producers', '2', '--seconds', '0.3', '--rate', '500', '--json');
  expect(status).toBe(0);
  const summary = JSON.parse(out) as { sentItems: number; unknownItems: number; reasons: object };
  expect(summary.sentItems).toBeGreaterThan(0);
  expect(summary.unknownItems).toBe(summary.sentItems);
  expect(Object.keys(summary.reasons)).toEqual(['ECONNREFUSED']);
});
