import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  parseConformancePage,
  type RowResult,
  type RowTest,
  renderConformancePage,
  rowTestOf,
} from './conformance-page.ts';
import { CONFORMANCE_TABLES } from './conformance-rows.ts';
import { listConformanceTests } from './conformance-tests.ts';
import { REPOSITORY } from './tool-cache.ts';

const listing = listConformanceTests();

const sorted = (tests: readonly RowTest[]) =>
  tests
    .map(({ table, row, transport, place, behaviour }) => [table, row, transport, place, behaviour].join(' | '))
    .sort();

test('a title says its row, transport, place and behaviour', () => {
  expect(rowTestOf('over HTTP bad input 14 | HTTP/JSON | Envoy | GET is 405')).toEqual({
    table: 'bad input',
    row: 14,
    transport: 'HTTP/JSON',
    place: 'Envoy',
    behaviour: 'GET is 405',
  });
  expect(rowTestOf('conformance is a good thing')).toBeUndefined();
});

test('a page says what the results said, failures too', () => {
  const base = {
    table: 'conformance',
    row: 2,
    behaviour: 'a',
    place: 'edge',
    transport: 'gRPC',
    passed: true,
  } as const;
  const results: RowResult[] = [
    base,
    { ...base, place: 'Envoy', passed: false },
    { ...base, transport: 'HTTP/JSON', behaviour: 'b' },
    { ...base, table: 'bad input', row: 22, transport: 'TLS', place: 'edge' },
  ];
  const page = renderConformancePage(results);
  expect(page).toContain('Envoy **fails**');
  const read = parseConformancePage(page);
  expect(read).toHaveLength(results.length);
  expect(read).toEqual(expect.arrayContaining(results));
});

test('docs/CONFORMANCE.md lists exactly the tests that there are, and all passed; `npm run conformance` writes it', async () => {
  const page = parseConformancePage(await readFile(join(REPOSITORY, 'docs/CONFORMANCE.md'), 'utf8'));
  const { tests } = await listing;
  expect(new Set(sorted(tests)).size).toBe(tests.length);
  expect(sorted(page)).toEqual(sorted(tests));
  expect(page.filter(({ passed }) => !passed)).toEqual([]);
}, 150_000);

test('each row of the conformance table has a test', async () => {
  const { tests } = await listing;
  const missing = CONFORMANCE_TABLES[0].rows.flatMap((text, at) =>
    tests.some(({ table, row }) => table === 'conformance' && row === at + 1) ? [] : [text],
  );
  expect(missing).toEqual([]);
}, 150_000);
