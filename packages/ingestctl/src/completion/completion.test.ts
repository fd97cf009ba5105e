import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Ran, runProgram } from '../../test/run-program.ts';
import type { Outside } from '../outside.ts';
import { buildProgram } from '../program.ts';
import { allCommands, commandTree } from './command-tree.ts';

const scratch = mkdtempSync(join(tmpdir(), 'weir-completion-'));
const has = (shell: string) => spawnSync(shell, ['-c', 'exit 0']).status === 0;

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function script(shell: string): Promise<Ran> {
  return runProgram(['completion', shell]);
}

const quiet: Outside = {
  env: {},
  readFile: () => '',
  writeFile: () => undefined,
  out: () => undefined,
  err: () => undefined,
  terminal: false,
};
const tree = commandTree(buildProgram(quiet, {}, async () => undefined));

test('the tree has every command with its options, and says what is wanted where a value is', () => {
  const paths = allCommands(tree).map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(['', '/topics', '/topics/apply', '/keys/rotate', '/completion']));
  const find = (path: string) => allCommands(tree).find((node) => node.path === path)?.options ?? [];
  const apply = find('/tenants/apply').find(({ flags }) => flags.includes('--file'));
  expect(apply).toMatchObject({ flags: ['--file', '-f'], value: 'file' });
  expect(find('').find(({ flags }) => flags.includes('--data-dir'))).toMatchObject({ value: 'directory' });
  expect(find('/topics/apply').find(({ flags }) => flags.includes('--tracks'))).toMatchObject({ value: 'text' });
  expect(find('/tenants/apply').find(({ flags }) => flags.includes('--dry-run'))).not.toHaveProperty('value');
});

test.each(['bash', 'zsh', 'fish'])('the script for %s names every command and every option', async (shell) => {
  const { status, out, err } = await script(shell);
  expect([status, err]).toEqual([0, '']);
  for (const { name, options } of allCommands(tree)) {
    expect(out).toContain(name);
    for (const flag of options.flatMap(({ flags }) => flags)) {
      expect(out).toContain(
        shell === 'fish' && flag.startsWith('--') ? `-l ${flag.slice(2)}` : flag.replace(/^-(?=\w$)/, ''),
      );
    }
  }
});

test('another shell is refused, and the known ones are named', async () => {
  const { status, err } = await script('tcsh');
  expect([status, err]).toEqual([2, expect.stringContaining('bash, zsh, fish')]);
});

describe.skipIf(!has('bash'))('in bash', async () => {
  const { out } = await script('bash');

  /** What bash offers for the last word. */
  function offers(...words: string[]): string[] {
    const line = ['ingestctl', ...words].map((word) => `'${word}'`).join(' ');
    const asked = `${out}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _ingestctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const ran = spawnSync('bash', ['--norc', '-u', '-c', asked], { cwd: scratch, encoding: 'utf8' });
    expect(ran.stderr).toBe('');
    return ran.stdout.split('\n').filter((word) => word !== '');
  }

  test.each<[string[], string[]]>([
    [['to'], ['topics']],
    [
      ['topics', ''],
      ['apply', 'status'],
    ],
    [['topics', 'ap'], ['apply']],
    [['topics', 'apply', '--part'], ['--partitions']],
    [['--brokers', 'a:1', 'sche'], ['schema']],
    [['--brokers', 'topics', 'sche'], ['schema']],
    [['--json', 'keys', 'ro'], ['rotate']],
    [['completion', '--bro'], ['--brokers']],
    [['topics', 'apply', '--tracks', ''], []],
    [['nonsense', 'to'], ['topics']],
  ])('%j is completed', (words, wanted) => {
    const found = offers(...words);
    expect(
      wanted.length === 0 ? found : found.filter((word) => !word.startsWith('-') || words.at(-1)?.startsWith('-')),
    ).toEqual(wanted);
  });

  test('a file is offered where one is wanted', () => {
    writeFileSync(join(scratch, 'tenants.yaml'), '');
    expect(offers('tenants', 'apply', '-f', 'ten')).toEqual(['tenants.yaml']);
    expect(offers('--config', 'ten')).toEqual(['tenants.yaml']);
    expect(offers('tenants', 'apply', '-f', 'tenants.yaml', '--dr')).toEqual(['--dry-run']);
  });
});
