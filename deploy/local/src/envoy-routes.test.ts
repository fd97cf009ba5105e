import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { writeRoutes } from './envoy-routes.ts';
import { derivePorts } from './ports.ts';

const scratch = mkdtempSync(join(tmpdir(), 'weir-routes-'));
const path = join(scratch, 'envoy-routes/otlp.yaml');

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface RoutesFile {
  resources: [{ virtual_hosts: [{ routes: { name: string; metadata?: object }[] }] }];
}

const read = () => parse(readFileSync(path, 'utf8')) as RoutesFile;
const names = () => read().resources[0].virtual_hosts[0].routes.map(({ name }) => name);
const OWN = ['v2-grpc', 'v2-http', 'v1-grpc', 'v1-http'];

test('a stack has the routes of the tracks that it runs, and whom ingestctl shifted stays so when it starts again', () => {
  writeRoutes(path, derivePorts(5_000, ['v1', 'v2']));
  expect(names()).toEqual(OWN);
  const file = read();
  const { routes } = file.resources[0].virtual_hosts[0];
  const mark = { tenant: 'acme', to: 'v2', percent: 25, prefix: '0123abcd' };
  routes.splice(2, 0, { ...routes[0]!, name: 'shifted', metadata: { filter_metadata: { 'weir.rollout': mark } } });
  writeFileSync(path, stringify(file));
  writeRoutes(path, derivePorts(5_000, ['v1', 'v2']));
  expect(names()).toEqual([...OWN.slice(0, 2), 'shifted', ...OWN.slice(2)]);
  writeRoutes(path, derivePorts(5_000, ['v1']));
  expect(names()).toEqual(['v1-grpc', 'v1-http']);
});

test('a file that cannot be read is replaced', () => {
  writeFileSync(path, 'resources: [');
  writeRoutes(path, derivePorts(5_000, ['v1', 'v2']));
  expect(names()).toEqual(OWN);
});
