import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runProgram } from '../../test/run-program.ts';
import { parseRoutes, renderRoutes, withShifts } from './routes-file.ts';

const NOWHERE = '127.0.0.1:1';
const BASE = readFileSync(join(import.meta.dirname, '../../../../deploy/envoy/routes/otlp.yaml'), 'utf8');
const ACME = { tenant: 'acme', to: 'v2', percent: 25, prefixes: ['0123abcd'] };
const SHIFTED = renderRoutes(withShifts(parseRoutes('otlp.yaml', BASE), [ACME]));
const NOT_ASKED = 'no Envoy was asked whether it has taken them: give --admin\n';

let envoy: Server;
let admin = '';

beforeAll(async () => {
  const configs = [{ version_info: SHIFTED.version, route_config: { name: 'otlp' } }];
  envoy = createServer((_, response) => response.end(JSON.stringify({ configs })));
  await new Promise<void>((resolve) => envoy.listen(0, '127.0.0.1', resolve));
  admin = `http://127.0.0.1:${(envoy.address() as AddressInfo).port}`;
});

afterAll(() => {
  envoy.closeAllConnections();
  envoy.close();
});

async function status(routes: string, ...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const readFile = (path: string) => {
    if (path === 'routes.yaml') return routes;
    throw Object.assign(new Error(path), { code: 'ENOENT' });
  };
  const all = ['rollout', 'status', '--routes', 'routes.yaml', '--brokers', NOWHERE, ...args];
  return runProgram(all, { readFile });
}

test('where tenants are shifted and no Envoy was asked, the state is not said to be well', async () => {
  const answer = await status(SHIFTED.text);
  expect(answer).toEqual({ status: 1, out: expect.stringContaining('acme'), err: NOT_ASKED });
  expect(await status(BASE)).toMatchObject({ status: 0, err: NOT_ASKED });
}, 20_000);

test('an Envoy that does not answer does not hide the others', async () => {
  const silent = `http://${NOWHERE}`;
  const answer = await status(SHIFTED.text, '--admin', silent, '--admin', admin);
  expect(answer).toMatchObject({ status: 3, out: expect.stringContaining(`Envoy at ${admin} has these routes`) });
  expect(answer.out).toContain(`Envoy at ${silent} does not say what it has`);
  expect(await status(SHIFTED.text, '--admin', admin)).toMatchObject({ status: 0, err: '' });
  expect(await status(BASE, '--admin', admin)).toMatchObject({
    status: 1,
    out: expect.stringContaining('has other routes'),
  });
}, 20_000);
