import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sharedStack } from '@weir/testkit/vitest';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readPromql } from '../src/promql.ts';
import { seriesFaults } from '../src/series.ts';
import { REPOSITORY } from '../src/tool-cache.ts';

const DIRECTORY = join(REPOSITORY, 'deploy/grafana');
const stack = sharedStack();

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly title: string;
    readonly datasource?: { readonly uid: string };
    readonly targets?: readonly { readonly expr?: string; readonly rawSql?: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly query?: { readonly rawSql?: string } }[] };
}

const files = (await readdir(join(DIRECTORY, 'dashboards'))).sort();
const dashboards: Dashboard[] = await Promise.all(
  files.map(async (file) => JSON.parse(await readFile(join(DIRECTORY, 'dashboards', file), 'utf8'))),
);
const targets = dashboards.flatMap(({ uid, panels }) =>
  panels.flatMap(({ title, targets }) => (targets ?? []).map((target) => ({ uid, title, ...target }))),
);

function seriesOf(expression: string): string[] {
  return readPromql(expression).selectors.map(({ metric }) => metric);
}

/** What the datasource's macros and the variables stand for, written out. */
function writeOut(sql: string): string {
  return sql
    .replaceAll(/\$__timeFilter\((\w+)\)/g, '$1 >= now() - INTERVAL 1 HOUR')
    .replaceAll(/\$__timeInterval\((\w+)\)/g, 'toStartOfInterval($1, INTERVAL 10 SECOND)')
    .replaceAll('$__interval_s', '10')
    .replaceAll(/\$(tenant|service)/g, "'demo'");
}

test("Grafana's home is one of the dashboards, and each panel names a datasource that is provisioned", async () => {
  const compose = await readFile(join(REPOSITORY, 'docker-compose.yml'), 'utf8');
  const home = /GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: \S+\/(\S+)/.exec(compose)?.[1];
  expect(files).toContain(home);
  const { datasources } = parse(await readFile(join(DIRECTORY, 'provisioning/datasources/weir.yaml'), 'utf8'));
  const known = datasources.map(({ uid }: { uid: string }) => uid);
  const named = new Set(dashboards.flatMap(({ panels }) => panels.flatMap(({ datasource }) => datasource?.uid ?? [])));
  for (const uid of named) expect(known).toContain(uid);
  expect(named.size).toBe(2);
});

test.each(targets.filter(({ expr }) => expr !== undefined))('$uid, $title: reads series that exist', ({ expr }) => {
  expect(seriesFaults(expr!)).toEqual([]);
});

test('the dashboards show every series that an alert reads', async () => {
  const { groups } = parse(await readFile(join(REPOSITORY, 'deploy/prometheus/rules/pipe.yml'), 'utf8'));
  const read = groups.flatMap(({ rules }: { rules: { expr: string }[] }) =>
    rules.flatMap(({ expr }) => seriesOf(expr)),
  );
  const shown = targets.flatMap(({ expr }) => (expr === undefined ? [] : seriesOf(expr)));
  expect(read.filter((metric: string) => metric !== 'up' && !shown.includes(metric))).toEqual([]);
});

test.each(targets.filter(({ rawSql }) => rawSql !== undefined))('$uid, $title: ClickHouse runs it', async (target) => {
  await expect(stack.query(writeOut(target.rawSql!))).resolves.toBeInstanceOf(Array);
});

test('ClickHouse runs the queries of the variables', async () => {
  const queries = dashboards.flatMap(({ templating }) => templating.list.flatMap(({ query }) => query?.rawSql ?? []));
  expect(queries.length).toBeGreaterThan(0);
  for (const sql of queries) await expect(stack.query(writeOut(sql))).resolves.toBeInstanceOf(Array);
});
