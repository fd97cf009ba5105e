import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REFUSALS } from '@weir/pipeline';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { seriesFaults } from '../src/series.ts';
import { promtool, REPOSITORY, run } from '../src/tool-cache.ts';

const DIRECTORY = join(REPOSITORY, 'deploy/prometheus');
const readYaml = async (path: string) => parse(await readFile(join(REPOSITORY, path), 'utf8'), { merge: true });

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const rules: Rule[] = (await readYaml('deploy/prometheus/rules/pipe.yml')).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
);
const tool = await promtool();

test.each(rules)('$alert reads only series that a service has', ({ expr }) => {
  expect(seriesFaults(expr)).toEqual([]);
});

test('every alert says how urgent it is and what has happened', () => {
  for (const rule of rules) {
    expect(['page', 'warn']).toContain(rule.labels.severity);
    expect(rule.annotations.summary.length).toBeGreaterThan(10);
  }
});

test('reasons that alerts match on are reasons that the edge gives', () => {
  const named = rules.flatMap(({ expr }) => [...expr.matchAll(/reason=~?"([^"]+)"/g)].flatMap((m) => m[1]!.split('|')));
  expect(named.length).toBeGreaterThan(0);
  for (const reason of named) expect(Object.keys(REFUSALS)).toContain(reason);
});

test('Prometheus scrapes every container of the services of docker-compose.yml at its admin port', async () => {
  const jobs: { job_name: string; dns_sd_configs?: object[] }[] = (await readYaml('deploy/prometheus/prometheus.yml'))
    .scrape_configs;
  const { services } = await readYaml('docker-compose.yml');
  for (const service of ['edge', 'normalizer', 'sink']) {
    const job = jobs.find((job) => job.job_name === service);
    expect(job?.dns_sd_configs).toEqual([{ names: [service], type: 'A', port: 9464 }]);
    expect(services[service].networks).toContain('watch');
  }
});

test.skipIf(tool === undefined)('promtool accepts the configuration and its rules', async () => {
  const ran = await run(tool!, ['check', 'config', 'prometheus.yml'], { cwd: DIRECTORY });
  expect(ran.stdout + ran.stderr).toContain(`${rules.length} rules found`);
  expect(ran.status).toBe(0);
});

test.skipIf(tool === undefined)('each alert fires by its fault and is quiet without it', async () => {
  const cases = await readFile(join(DIRECTORY, 'tests/pipe.yml'), 'utf8');
  for (const { alert } of rules) {
    expect(cases).toContain(`${alert} fires`);
    expect(cases).toContain(`${alert} is quiet`);
  }
  const ran = await run(tool!, ['test', 'rules', 'tests/pipe.yml'], { cwd: DIRECTORY });
  expect(ran.stdout + ran.stderr).toContain('SUCCESS');
  expect(ran.status).toBe(0);
});
