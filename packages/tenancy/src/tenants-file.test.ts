import { describe, expect, test } from 'vitest';
import { type FileFault, parseTenants } from './tenants-file.ts';

const HASH = `hmac-sha256:${'0a'.repeat(32)}`;

function faultsOf(text: string): readonly FileFault[] {
  const parsed = parseTenants(text);
  return parsed.ok ? [] : parsed.faults;
}

describe('tenants.yaml', () => {
  test('is read with its defaults, keys and limits', () => {
    const parsed = parseTenants(
      `version: 1\ndefaults:\n  retentionDays: 14\ntenants:\n  acme:\n    keys:\n      - { prefix: abcd1234, hash: '${HASH}' }\n    limits:\n      items: { perSecond: 5 }\n  quiet: {}\n`,
    );
    expect(parsed).toEqual({
      ok: true,
      file: {
        version: 1,
        defaults: { retentionDays: 14 },
        tenants: {
          acme: { keys: [{ prefix: 'abcd1234', hash: HASH }], limits: { items: { perSecond: 5 } } },
          quiet: { keys: [] },
        },
      },
    });
  });

  test('has all its faults reported at once, each with its line', () => {
    const text = [
      'version: 1',
      'defaults:',
      '  retentionDays: -1',
      'tenants:',
      '  acme:',
      '    keys:',
      '      - prefix: ABC',
      `        hash: '${HASH}'`,
      '    limits:',
      '      weight: heavy',
      '      attributes:',
      '        keyBytes: 0',
      '      activeSeries: many',
      '  Upper: {}',
    ].join('\n');
    const places = faultsOf(text).map(({ path, line }) => [path, line]);
    expect(places).toEqual(
      expect.arrayContaining([
        ['defaults.retentionDays', 3],
        ['tenants.acme.keys.0.prefix', 7],
        ['tenants.acme.limits.weight', 10],
        ['tenants.acme.limits.attributes.keyBytes', 12],
        ['tenants.acme.limits.activeSeries', 13],
        ['tenants.Upper', 14],
      ]),
    );
    expect(places).toHaveLength(6);
  });

  test('may not give one prefix to two keys', () => {
    const key = `      - { prefix: abcd1234, hash: '${HASH}' }`;
    const text = `version: 1\ntenants:\n  a:\n    keys:\n${key}\n  b:\n    keys:\n${key}\n`;
    expect(faultsOf(text)).toEqual([
      expect.objectContaining({ path: 'tenants.b.keys.0.prefix', line: 8, message: 'another key has the same prefix' }),
    ]);
  });

  test.each([
    ['a key twice', 'version: 1\ntenants: {}\ntenants: {}\n', 3],
    ['no YAML', 'version: [1\n', 2],
  ])('with %s is refused at its line', (_name, text, line) => expect(faultsOf(text)[0]?.line).toBe(line));

  test.each(['', 'null', '[]', 'version: 2\ntenants: {}', 'version: 1'])('is refused: %j', (text) => {
    expect(faultsOf(text).length).toBeGreaterThan(0);
  });
});
