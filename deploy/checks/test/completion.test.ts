import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgram } from '@weir/ingestctl';
import { afterAll, expect, test } from 'vitest';
import { debianTree, run } from '../src/tool-cache.ts';

const scratch = mkdtempSync(join(tmpdir(), 'weir-completion-'));
const zsh = await debianTree('zsh', ['zsh', 'zsh-common'], 'bin/zsh');
const fish = await debianTree('fish', ['fish', 'fish-common', 'libpcre2-32-0'], 'usr/bin/fish');

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Writes what `ingestctl completion` prints for a shell. */
async function script(shell: string): Promise<string> {
  let out = '';
  const nothing = () => undefined;
  const program = createProgram({
    env: {},
    readFile: () => '',
    writeFile: nothing,
    out: (text) => {
      out += text;
    },
    err: nothing,
    terminal: false,
  });
  expect(await program.run(['completion', shell])).toBe(0);
  const path = join(scratch, `ingestctl.${shell}`);
  writeFileSync(path, out);
  return path;
}

/** All directories of a tree. */
function directories(root: string): string[] {
  const all = readdirSync(root, { recursive: true, withFileTypes: true }).filter((each) => each.isDirectory());
  return all.map(({ parentPath, name }) => join(parentPath, name));
}

test.skipIf(zsh === undefined)('zsh takes its script, and is offered commands and options', async () => {
  const path = await script('zsh');
  const shell = join(zsh!, 'bin/zsh');
  expect(await run(shell, ['-n', path])).toEqual({ status: 0, stdout: '', stderr: '' });
  const [modules] = directories(join(zsh!, 'usr/lib')).filter((directory) => /\/zsh\/[\d.]+$/.test(directory));
  const lines = [
    `module_path=(${modules}); fpath=(${directories(join(zsh!, 'usr/share/zsh/functions')).join(' ')})`,
    'autoload -Uz compinit; compinit -D -u',
    `source ${path}; print $_comps[ingestctl]`,
    // Outside of a line that is typed: the words are given, and what is offered is printed.
    `_describe() { local name=$argv[-1]; print -l -- ${'$'}{(P)name} }`,
    "words=(ingestctl topics ''); CURRENT=3; _ingestctl",
  ];
  const { status, stdout, stderr } = await run(shell, ['-fc', lines.join('\n')]);
  expect([status, stderr]).toEqual([0, '']);
  const offered = stdout.split('\n').map((line) => line.split(':', 1)[0]);
  expect(offered).toEqual(expect.arrayContaining(['_ingestctl', 'apply', 'status', '--json', '--brokers']));
  expect(offered).not.toContain('redrive');
});

test.skipIf(fish === undefined)('fish takes its script, and offers commands and options', async () => {
  const path = await script('fish');
  const [library] = directories(join(fish!, 'usr/lib')).filter((directory) => directory.endsWith('-linux-gnu'));
  const asked = `source ${path}; complete -C 'ingestctl topics '; complete -C 'ingestctl topics apply --part'`;
  const env = { PATH: process.env.PATH ?? '', HOME: scratch, LD_LIBRARY_PATH: library ?? '' };
  const ran = await run(join(fish!, 'usr/bin/fish'), ['--no-config', '-c', asked], { env });
  expect(ran).toMatchObject({ status: 0, stderr: '' });
  const offered = ran.stdout.split('\n').map((line) => line.split('\t', 1)[0]);
  expect(offered).toEqual(['apply', 'status', '--partitions', '']);
});
