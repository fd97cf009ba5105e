import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createProgram } from '@weir/ingestctl';
import { stackPaths } from '@weir/local';
import { sharedStack } from '@weir/testkit/vitest';
import { expect, test } from 'vitest';
import { readRunbook } from '../src/runbook.ts';
import { REPOSITORY } from '../src/tool-cache.ts';

const stack = sharedStack();
const entries = readRunbook(await readFile(join(REPOSITORY, 'docs/RUNBOOK.md'), 'utf8'));
const commands = [...new Set(entries.flatMap(({ blocks }) => blocks.sh))].sort();

/** Runs a command of the runbook on the stack as an operator would, with its own tenant and its own tenants.yaml. */
async function run(line: string): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const program = createProgram({
    env: { HOME: stack.dataDir },
    readFile: (path) => readFileSync(path, 'utf8'),
    writeFile: () => {
      throw new Error('no command of the runbook writes a file');
    },
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
  });
  const [, ...words] = line.split(' ');
  const own: Readonly<Record<string, string>> = { TENANT: 'demo', 'tenants.yaml': stackPaths(stack.dataDir).tenants };
  const args = words.map((word) => own[word] ?? word);
  return { status: await program.run(['--data-dir', stack.dataDir, ...args]), out, err };
}

test.each(commands)('%s does what it says on a stack that is well', async (line) => {
  const { status, out, err } = await run(line);
  expect([line, status, err]).toEqual([line, 0, '']);
  expect(out.trim()).not.toBe('');
});
