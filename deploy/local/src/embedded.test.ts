import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { embeddedRefusal } from './embedded.ts';
import { ROOT } from './paths.ts';

const dir = mkdtempSync(join(tmpdir(), 'weir-embedded-'));

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function run(entry: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const all = { ...process.env, WEIR_ALLOW_EMBEDDED: undefined, ...env };
  return spawnSync(process.execPath, [join(ROOT, 'deploy/local/src', entry), ...args], { env: all, encoding: 'utf8' });
}

const LAUNCHER = ['start.ts', ['--data-dir', join(dir, 'stack'), '--port-base', '30100', '--detach']] as const;
const CLICKHOUSE = ['clickhouse/main.ts', [join(dir, 'data'), join(dir, 'tmp'), '0']] as const;

test.each([LAUNCHER, CLICKHOUSE])('%s refuses production with one line, and touches nothing', (entry, args) => {
  for (const allow of [undefined, 'false', '1', 'yes']) {
    const { status, stdout, stderr } = run(entry, args, { NODE_ENV: 'production', WEIR_ALLOW_EMBEDDED: allow });
    expect([allow, status, stdout]).toEqual([allow, 2, '']);
    expect(stderr).toMatch(
      /^weir: the embedded Kafka and ClickHouse are not for production.*WEIR_ALLOW_EMBEDDED=true.*\n$/,
    );
  }
  expect([join(dir, 'stack'), join(dir, 'data'), join(dir, 'tmp')].filter((path) => existsSync(path))).toEqual([]);
});

test('production is refused until it is allowed in so many words, and nothing else is', () => {
  expect(embeddedRefusal({ NODE_ENV: 'production' })).toContain('not for production');
  expect(embeddedRefusal({ NODE_ENV: 'production', WEIR_ALLOW_EMBEDDED: 'true' })).toBeUndefined();
  for (const NODE_ENV of [undefined, '', 'development', 'test']) expect(embeddedRefusal({ NODE_ENV })).toBeUndefined();
});
