import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MetricDeclaration } from '@weir/telemetry';
import { expect, test } from 'vitest';
import { docsPages, SERVICE_METRICS } from './docs-pages.ts';
import { REPOSITORY } from './tool-cache.ts';

test.each(docsPages())('$path is what the code says; `npm run docs` writes it', async ({ path, text }) => {
  expect(await readFile(join(REPOSITORY, path), 'utf8')).toBe(text);
});

test('a metric is named for its service, and a counter, and only a counter, ends in _total', () => {
  const wrong = SERVICE_METRICS.flatMap(({ service, table }) =>
    Object.values<MetricDeclaration>(table).filter(
      ({ name, type }) =>
        !new RegExp(`^weir_${service}(_[a-z]+)+$`).test(name) || name.endsWith('_total') !== (type === 'counter'),
    ),
  );
  expect(wrong).toEqual([]);
});
