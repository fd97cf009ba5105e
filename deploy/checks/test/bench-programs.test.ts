import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY } from '../src/index.ts';

const scripts: Record<string, string> = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')).scripts;
const programs = Object.entries(scripts).flatMap(([name, command]) => {
  const [main] = command.match(/bench\/\w+\/src\/main\.ts/) ?? [];
  return main === undefined ? [] : [{ name, main }];
});

function run(main: string, option: string) {
  return spawnSync(process.execPath, [main, option], { cwd: REPOSITORY, encoding: 'utf8', timeout: 30_000 });
}

test.for(programs)('npm run $name says how it is used, and in one line what it does not know', ({ name, main }) => {
  const help = run(main, '--help');
  expect(help.stderr).toBe('');
  expect(help.status).toBe(0);
  expect(help.stdout).toContain(`npm run ${name}`);
  const wrong = run(main, '--no-such-option');
  expect(wrong.status).toBe(2);
  expect(wrong.stderr.trim().split('\n')).toHaveLength(1);
  expect(wrong.stderr).toContain('--no-such-option');
});
