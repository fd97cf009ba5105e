import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandFault, commandPaths } from '@weir/ingestctl';
import { expect, test } from 'vitest';
import { shellLines } from './runbook.ts';
import { REPOSITORY } from './tool-cache.ts';

const page = await readFile(join(REPOSITORY, 'docs/INGESTCTL.md'), 'utf8');
const lines = shellLines(page);

test.each(lines)('docs/INGESTCTL.md: %s is a command', async (line) => {
  const [program, ...args] = line.split(' ');
  expect([program, await commandFault(args)]).toEqual(['ingestctl', undefined]);
});

test('every command about replays, shadows, letters and rollouts has an example', () => {
  const paths = commandPaths().filter((path) => /^(replay|shadow|dlq|rollout)\b/.test(path));
  expect(paths.length).toBeGreaterThan(12);
  expect(
    paths.filter(
      (path) => !lines.some((line) => line.startsWith(`ingestctl ${path} `) || line === `ingestctl ${path}`),
    ),
  ).toEqual([]);
});
