import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UsageError } from '../context.ts';
import { parseRoutes, renderRoutes, shiftsIn, tracksIn, versionOf, withShifts } from './routes-file.ts';

const PATH = join(import.meta.dirname, '../../../../deploy/envoy/routes/otlp.yaml');
const BASE = parseRoutes('otlp.yaml', readFileSync(PATH, 'utf8'));
const ACME = { tenant: 'acme', to: 'v2', percent: 25, prefixes: ['0123abcd', '89abcdef'] };
const GLOBEX = { tenant: 'globex', to: 'v2', percent: 100, prefixes: ['aaaaaaaa'] };

function routes(file: typeof BASE) {
  return file.resources[0].virtual_hosts[0].routes;
}

test('the file that Envoy begins with shifts nobody and has the tracks v2 and v1', () => {
  expect([shiftsIn(BASE), tracksIn(BASE), versionOf(BASE)]).toEqual([[], ['v2', 'v1'], undefined]);
});

test('who is shifted is read back from what is written, and taking all back gives the routes of the beginning', () => {
  const { text, version } = renderRoutes(withShifts(BASE, [GLOBEX, ACME]));
  const read = parseRoutes('otlp.yaml', text);
  expect([shiftsIn(read), tracksIn(read), versionOf(read)]).toEqual([[ACME, GLOBEX], ['v2', 'v1'], version]);
  expect(withShifts(read, [])).toEqual({ ...BASE, version_info: version });
  expect(renderRoutes(withShifts(read, [])).version).toBe(renderRoutes(BASE).version);
  expect(renderRoutes(withShifts(read, [{ ...ACME, percent: 26 }])).version).not.toBe(version);
});

test('shifted routes stand behind those of clients that say where they go, and before all others', () => {
  const names = routes(withShifts(BASE, [GLOBEX])).map(({ name }) => name);
  expect(names).toEqual([
    'v2-grpc',
    'v2-http',
    'v2-grpc-globex-aaaaaaaa-authorization',
    'v2-grpc-globex-aaaaaaaa-x-api-key',
    'v2-http-globex-aaaaaaaa-authorization',
    'v2-http-globex-aaaaaaaa-x-api-key',
    'v1-grpc',
    'v1-http',
  ]);
});

test('a shifted route goes by the key, not where the client says a version, and for a part of all by chance', () => {
  const [, , first] = routes(withShifts(BASE, [ACME]));
  expect(first).toMatchObject({
    match: {
      prefix: '/opentelemetry.proto.collector.',
      grpc: {},
      headers: [
        { name: 'x-ingest-version', present_match: true, invert_match: true },
        { name: 'authorization', string_match: { prefix: 'Bearer wk_0123abcd_', ignore_case: true } },
      ],
      runtime_fraction: { default_value: { numerator: 25, denominator: 'HUNDRED' } },
    },
    route: { cluster: 'edge-v2-grpc' },
    request_headers_to_add: [{ header: { key: 'x-ingest-version', value: 'v2' } }],
  });
  expect(routes(withShifts(BASE, [GLOBEX]))[2]!.match).not.toHaveProperty('runtime_fraction');
});

test.each([
  ['a: [', 'is not YAML'],
  ['resources: []', "is not Envoy's file of routes"],
  [renderRoutes(withShifts(BASE, [ACME])).text.replace('percent: 25', 'percent: 250'), 'percent'],
])('what is no file of routes is refused: %.20s', (text, said) => {
  expect(() => parseRoutes('otlp.yaml', text)).toThrow(UsageError);
  expect(() => parseRoutes('otlp.yaml', text)).toThrow(said);
});
