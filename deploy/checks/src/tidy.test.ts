import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY, run } from './tool-cache.ts';

// The house rules that neither the linter nor the dependency rules can hold (CONTRIBUTING.md).

const listed = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard']);
const paths = listed.stdout.split('\n').filter((path) => path !== '');
const sources = await Promise.all(
  paths
    .filter((path) => path.endsWith('.ts') && !path.includes('/generated/') && !path.endsWith('tidy.test.ts'))
    .map(async (path) => ({ path, text: await readFile(join(REPOSITORY, path), 'utf8') })),
);
const isTest = (path: string) => path.endsWith('.test.ts') || path.includes('/test/');

/** Sources outside tests, in which a pattern is found. */
function holders(pattern: RegExp, where: RegExp): string[] {
  return sources
    .filter(({ path, text }) => !isTest(path) && where.test(path) && pattern.test(text))
    .map(({ path }) => path);
}

const PIPE = /^(services|packages\/(?!testkit|ingestctl))/;

test('only the entry of a process reads the environment or ends it', () => {
  const allowed = ['packages/process/src/service.ts', 'packages/ingestctl/src/main.ts'];
  expect(holders(/\bprocess\.(env|exit)\b/, /^(services|packages\/(?!testkit))/).sort()).toEqual(allowed.sort());
});

test('time and chance are injected', () => {
  const allowed = ['packages/kafka/src/kafka-log.ts', 'packages/pipeline/src/clock.ts'];
  expect(holders(/\bDate\.now\b|\bMath\.random\b|\bperformance\.now\b|\bnew Date\(\)/, PIPE).sort()).toEqual(allowed);
});

test('nothing decides by the text of a message', () => {
  expect(holders(/message\.(includes|match|startsWith|search)\(|\.test\(\w*\.?message\)/, /^/)).toEqual([]);
});

test('a package says name by name what it exports', () => {
  expect(holders(/^export \*/m, /^/)).toEqual([]);
});

test('no folder is a drawer for everything', () => {
  const drawers = new Set(['shared', 'common', 'utils', 'util', 'helpers', 'lib', 'misc']);
  const inside = paths.filter((path) => !path.includes('/generated/') && !path.startsWith('docs/examples'));
  expect(
    inside.filter((path) =>
      dirname(path)
        .split('/')
        .some((folder) => drawers.has(folder)),
    ),
  ).toEqual([]);
});

test('files are named in kebab-case', () => {
  const odd = sources.filter(({ path }) => !/^[a-z0-9]+(-[a-z0-9]+)*([.](test|config))?[.]ts$/.test(basename(path)));
  expect(odd.map(({ path }) => path)).toEqual([]);
});

test('each service has its five files, and a main.ts of at most 40 lines', () => {
  for (const service of ['edge', 'normalizer', 'sink']) {
    for (const file of ['main', 'app', 'config', 'limits', 'metrics']) {
      expect(paths).toContain(`services/${service}/src/${file}.ts`);
    }
    const main = sources.find(({ path }) => path === `services/${service}/src/main.ts`);
    expect(main!.text.split('\n').length).toBeLessThanOrEqual(41);
  }
});

test('no test is left out or alone', () => {
  const left = sources.filter(({ path, text }) => isTest(path) && /\b(test|describe)\.(only|skip|todo)\b/.test(text));
  expect(left.map(({ path }) => path)).toEqual([]);
});

test('the top level holds what it always held', () => {
  const known = ['services', 'packages', 'deploy', 'k8s', 'bench', 'docs', '.ci'];
  const folders = new Set(paths.filter((path) => path.includes('/')).map((path) => path.split('/')[0]!));
  expect([...folders].sort()).toEqual(known.sort());
});
