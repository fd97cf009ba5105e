import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { commandPaths } from '../src/index.ts';
import { Operator } from './operator.ts';

const stack = sharedStack();
const operator = new Operator(stack);
const scratch = mkdtempSync(join(tmpdir(), 'weir-json-'));
const TENANTS = join(scratch, 'tenants.yaml');
copyFileSync(join(stack.dataDir, 'tenants.yaml'), TENANTS);
const GONE = '20260101_000000_0000';

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Each command that does something, as it is run here, and the status that it ends with. */
const RUNS: Readonly<Record<string, readonly [args: string, status: number]>> = {
  '/topics/apply': ['--tracks v1,v2', 0],
  '/topics/status': ['--tracks v1,v2', 0],
  '/lag': ['', 0],
  '/audit': ['--tenant nobody', 0],
  '/dlq/list': ['--letters --all', 0],
  '/dlq/show': ['0:999999999', 1],
  '/dlq/redrive': ['--tenant nobody --yes', 0],
  '/dlq/purge': ['--tenant nobody --dry-run', 0],
  '/dlq/release': ['--all --as waiting --dry-run', 0],
  '/replay': ['--shadow --from 1h --to 0s --tenant nobody --dry-run', 1],
  '/replay/resume': [GONE, 1],
  '/shadow/list': ['', 0],
  '/shadow/compare': [GONE, 1],
  '/shadow/promote': [`${GONE} --yes`, 1],
  '/shadow/drop': [`${GONE} --yes`, 1],
  '/schema/apply': ['', 0],
  '/schema/status': ['', 0],
  '/tenants/apply': [`-f ${TENANTS} --dry-run`, 0],
  '/tenants/list': ['', 0],
  '/tenants/show': ['demo --effective', 0],
  '/keys/create': ['', 0],
  '/keys/list': ['--tenant demo', 0],
  '/keys/rotate': [`nobody -f ${TENANTS}`, 2],
  '/keys/revoke': [`00000000 -f ${TENANTS}`, 2],
  '/status': ['--interval 0.2', 0],
  '/config': ['', 0],
  '/rollout/set': ['demo --to v2 --dry-run', 0],
  '/rollout/back': ['demo --dry-run', 0],
  '/rollout/status': ['', 0],
};
/** They print a script for a shell. */
const SCRIPTS = /^\/completion/;

test('every command is looked at', () => {
  const paths = commandPaths().map((path) => `/${path.replaceAll(' ', '/')}`);
  expect(Object.keys(RUNS).sort()).toEqual(paths.filter((path) => !SCRIPTS.test(path)).sort());
});

test.each(Object.entries(RUNS))(
  '%s --json prints JSON, and nothing else, on its standard output',
  async (path, [text, wanted]) => {
    const args = [...path.split('/').slice(1), ...text.split(' ').filter((word) => word !== '')];
    const { status, out, err } = await operator.run('--json', ...args);
    expect({ args, status, err }).toMatchObject({ args, status: wanted });
    if (wanted === 0) expect(out).toMatch(/^[[{]/);
    // What is refused is said in one line.
    else expect([out, err.trimEnd().split('\n')]).toEqual(['', [expect.stringMatching(/./)]]);
    if (out !== '') expect(documents(out)).not.toEqual([]);
  },
);

/** One document, or one a line. */
function documents(out: string): unknown[] {
  try {
    return [JSON.parse(out)];
  } catch {
    return out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  }
}
