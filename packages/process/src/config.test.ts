import { expect, test } from 'vitest';
import { z } from 'zod';
import { type ConfigOf, defineConfig, describeConfig, loadConfig, setting } from './config.ts';
import { byteSize, durationMs, flag, hostPort, wholeNumber } from './parsers.ts';

const SPEC = defineConfig({
  track: setting('W_TRACK', z.string().default('v1'), 'The track.'),
  edge: {
    listen: setting('W_LISTEN', hostPort, 'Where to listen.'),
    bodyBytesMax: setting('W_BODY', z.string().default('64MiB').pipe(byteSize), 'Largest body.'),
  },
  pepper: setting('W_PEPPER', z.string().min(4, 'must have 4 characters'), 'A secret.', { secret: true }),
});

const readFile = (path: string): string => {
  if (path !== '/pepper') throw new Error('no such file');
  return 'from-a-file\n';
};

test('a configuration is nested, typed, defaulted and frozen', () => {
  const loaded = loadConfig(SPEC, { env: { W_LISTEN: '[::1]:4317', W_PEPPER: 'long enough' }, readFile });
  expect(loaded).toEqual({
    ok: true,
    config: {
      track: 'v1',
      edge: { listen: { host: '::1', port: 4317 }, bodyBytesMax: 64 * 1024 ** 2 },
      pepper: 'long enough',
    },
  });
  expect(loaded.ok && Object.isFrozen(loaded.config.edge)).toBe(true);
});

test('all faults are reported at once, each by its variable', () => {
  const loaded = loadConfig(SPEC, { env: { W_BODY: '64 megs', W_PEPPER: 'abc' }, readFile });
  expect(loaded).toEqual({
    ok: false,
    faults: [
      'W_LISTEN: is required',
      'W_BODY: must be a size such as 512B, 64KiB, 64MiB or 1GiB',
      'W_PEPPER: must have 4 characters',
    ],
  });
});

test('faults between settings are reported where each setting alone is good', () => {
  const check = ({ edge }: ConfigOf<typeof SPEC>) => (edge.bodyBytesMax > 1024 ? ['W_BODY: must be at most 1KiB'] : []);
  const load = (env: Record<string, string>) => loadConfig(SPEC, { env: { W_LISTEN: 'a:1', ...env }, readFile }, check);
  expect(load({ W_PEPPER: 'long enough' })).toEqual({ ok: false, faults: ['W_BODY: must be at most 1KiB'] });
  expect(load({ W_PEPPER: 'abc' })).toEqual({ ok: false, faults: ['W_PEPPER: must have 4 characters'] });
  expect(load({ W_PEPPER: 'long enough', W_BODY: '1KiB' }).ok).toBe(true);
});

test('a secret may come from a file, but not from both', () => {
  const base = { W_LISTEN: 'a:1' };
  const file = loadConfig(SPEC, { env: { ...base, W_PEPPER_FILE: '/pepper' }, readFile });
  expect(file.ok && file.config.pepper).toBe('from-a-file');
  const both = loadConfig(SPEC, { env: { ...base, W_PEPPER: 'inline', W_PEPPER_FILE: '/pepper' }, readFile });
  expect(both).toEqual({ ok: false, faults: ['W_PEPPER: set it or W_PEPPER_FILE, not both'] });
  const missing = loadConfig(SPEC, { env: { ...base, W_PEPPER_FILE: '/none' }, readFile });
  expect(missing.ok ? [] : missing.faults[0]).toBe('W_PEPPER_FILE: the file cannot be read');
});

test('an empty variable counts as unset', () => {
  const loaded = loadConfig(SPEC, { env: { W_TRACK: '', W_LISTEN: 'a:1', W_PEPPER: 'long enough' }, readFile });
  expect(loaded.ok && loaded.config.track).toBe('v1');
  const env = { W_LISTEN: 'a:1', W_PEPPER: '', W_PEPPER_FILE: '/pepper' };
  const file = loadConfig(SPEC, { env, readFile });
  expect(file.ok && file.config.pepper).toBe('from-a-file');
});

test('the description shows defaults as an operator writes them', () => {
  expect(describeConfig(SPEC)).toEqual([
    { env: 'W_TRACK', help: 'The track.', default: 'v1' },
    { env: 'W_LISTEN', help: 'Where to listen.', default: 'required' },
    { env: 'W_BODY', help: 'Largest body.', default: '64MiB' },
    { env: 'W_PEPPER', help: 'A secret.', default: 'required' },
  ]);
});

test.each([
  [durationMs, '250ms', 250],
  [durationMs, '1.5s', 1500],
  [durationMs, '3d', 259_200_000],
  [byteSize, '1GiB', 1024 ** 3],
  [wholeNumber(1, 10), '10', 10],
  [flag, 'false', false],
])('%# parses %s', (parser, text, value) => {
  expect(parser.parse(text)).toBe(value);
});

test.each([
  [durationMs, '5'],
  [durationMs, '-1s'],
  [byteSize, '5MB'],
  [hostPort, 'localhost'],
  [hostPort, ':80'],
  [hostPort, 'a:70000'],
  [wholeNumber(1, 10), '11'],
  [wholeNumber(1, 10), '1e1'],
  [flag, 'yes'],
])('%# refuses %s', (parser, text) => {
  expect(parser.safeParse(text).success).toBe(false);
});
