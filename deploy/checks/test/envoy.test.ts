import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare } from '@weir/docker-prepare';
import { installEnvoy } from '@weir/local';
import { createKey } from '@weir/tenancy';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ran, REPOSITORY, run } from '../src/tool-cache.ts';

const ROUTES = join(REPOSITORY, 'deploy/envoy/routes');
let envoy = '';
let scratch = '';

beforeAll(async () => {
  envoy = await installEnvoy();
  scratch = await mkdtemp(join(tmpdir(), 'weir-envoy-'));
  const config = { directory: scratch, hostnames: ['localhost'], demoKey: createKey().key, pepper: 'a5'.repeat(32) };
  expect(await prepare(config, new Date())).toMatchObject({ ok: true });
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** Lets the real Envoy read a configuration, with certificates of the very names and kinds that it asks for. */
async function validate(text: string): Promise<Ran> {
  const file = join(scratch, 'envoy.yaml');
  await writeFile(file, text);
  return run(envoy, ['--mode', 'validate', '--config-path', file, '--log-level', 'warning']);
}

test("Docker Compose's Envoy accepts deploy/envoy/envoy.yaml as it is", async () => {
  const text = await readFile(join(REPOSITORY, 'deploy/envoy/envoy.yaml'), 'utf8');
  const ran = await validate(text.replaceAll('/prepared', scratch).replaceAll('/etc/weir/routes', ROUTES));
  expect(ran.stderr).toBe('');
  expect(ran.stdout).toContain('OK');
  expect(ran.status).toBe(0);
});

test("Kubernetes's Envoy accepts k8s/base/envoy/envoy.yaml", async () => {
  const text = await readFile(join(REPOSITORY, 'k8s/base/envoy/envoy.yaml'), 'utf8');
  const moved = text
    .replaceAll('/etc/weir/server/tls', join(scratch, 'server'))
    .replaceAll('/etc/weir/client/tls', join(scratch, 'client'))
    .replaceAll('/etc/weir/client/ca.crt', join(scratch, 'ca.crt'))
    .replaceAll(/\/etc\/weir\/(server|client)$/gm, scratch)
    .replaceAll('/etc/weir/routes', ROUTES);
  const ran = await validate(moved);
  expect(ran.stderr).toBe('');
  expect(ran.status).toBe(0);
});

test('a configuration with an unknown field is refused', async () => {
  const text = await readFile(join(REPOSITORY, 'deploy/envoy/envoy.yaml'), 'utf8');
  const wrong = text
    .replaceAll('/prepared', scratch)
    .replaceAll('/etc/weir/routes', ROUTES)
    .replace('max_concurrent_streams', 'max_concurrent_stream');
  expect((await validate(wrong)).status).not.toBe(0);
});
