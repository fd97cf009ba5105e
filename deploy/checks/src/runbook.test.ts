import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandFault } from '@weir/ingestctl';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { RUNBOOK_PARTS, readRunbook } from './runbook.ts';
import { seriesFaults } from './series.ts';
import { REPOSITORY } from './tool-cache.ts';

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert?: string }[] }[];
}

const { alerts: ofAlerts, incidents } = readRunbook(await readFile(join(REPOSITORY, 'docs/RUNBOOK.md'), 'utf8'));
const entries = [...ofAlerts, ...incidents];
const rules = parse(await readFile(join(REPOSITORY, 'deploy/prometheus/rules/pipe.yml'), 'utf8')) as Rules;

test('the runbook has an entry for each alert, and no other', () => {
  const alerts = rules.groups.flatMap((group) => group.rules.flatMap(({ alert }) => alert ?? []));
  expect(alerts.length).toBeGreaterThan(10);
  expect(ofAlerts.map(({ name }) => name)).toEqual(alerts);
  expect(incidents.length).toBeGreaterThan(0);
});

test.each(entries)('$name: what it means, how to see it, what to do, how to know that it is over', (entry) => {
  expect(entry.parts).toEqual(RUNBOOK_PARTS);
  expect(entry.blocks.sh.length + entry.blocks.promql.length).toBeGreaterThan(0);
});

test.each(entries)('$name: every command is one of ingestctl', async ({ blocks }) => {
  for (const line of blocks.sh) {
    const [program, ...args] = line.split(' ');
    expect([line, program, await commandFault(args)]).toEqual([line, 'ingestctl', undefined]);
  }
});

test.each(entries)('$name: every expression reads series that a service has', ({ blocks }) => {
  for (const expression of blocks.promql) expect([expression, seriesFaults(expression)]).toEqual([expression, []]);
});

test.each(entries)("$name: lines of Kafka's own tools add settings to a topic that is there", ({ blocks }) => {
  const options =
    '--bootstrap-server BROKERS --command-config ADMIN.properties --alter --entity-type topics --entity-name';
  const line = new RegExp(
    `^kafka-configs\\.sh ${options} (weir\\.(?:raw|rows)\\.v1) --add-config retention\\.ms=(\\d+)$`,
  );
  for (const text of blocks.bash) {
    const [, topic, retentionMs] = line.exec(text) ?? [];
    expect([text, topic]).toEqual([text, expect.any(String)]);
    // Longer than what `ingestctl topics apply` sets.
    expect(Number(retentionMs)).toBeGreaterThan(72 * 3_600_000);
  }
});

test('WeirRetentionNear has the lines that gain time, and WeirTenantOverQuota the question who', () => {
  const blocksOf = (name: string) => ofAlerts.find((entry) => entry.name === name)!.blocks;
  expect(blocksOf('WeirRetentionNear').bash.length).toBe(2);
  expect(blocksOf('WeirTenantOverQuota').sql.length).toBe(1);
});

test('a command or expression that is not there is found', async () => {
  const [entry] = readRunbook(
    '# R\n\n## A\n\n**What it means.** x\n\n```sh\n# why\ningestctl lags\n```\n\n```promql\nweir_none\n```\n',
  ).alerts;
  expect(entry).toEqual({
    name: 'A',
    parts: ['What it means.'],
    blocks: { sh: ['ingestctl lags'], promql: ['weir_none'], sql: [], bash: [] },
  });
  expect(await commandFault(['lags'])).toContain('lags');
  expect(seriesFaults('weir_none')).not.toEqual([]);
});
