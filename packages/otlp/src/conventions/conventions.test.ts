import { expect, test } from 'vitest';
import { CONVENTIONS_VERSION, conventionsOf, upgradeFrom } from './conventions.ts';
import data from './renames.json' with { type: 'json' };

test('a schema URL names a version, where it is one of ours', () => {
  expect(conventionsOf('https://opentelemetry.io/schemas/1.21.0')).toBe('1.21.0');
  for (const url of [
    '',
    'https://opentelemetry.io/schemas/9.9.9',
    'https://opentelemetry.io/schemas/1.21.0/',
    'https://example.com/schemas/1.21.0',
    `https://opentelemetry.io/schemas/${'1'.repeat(1_000)}.0.0`,
  ]) {
    expect(conventionsOf(url)).toBeUndefined();
  }
});

test('from the newest version, and from one that is not known, nothing is renamed', () => {
  expect(upgradeFrom(CONVENTIONS_VERSION)).toBeUndefined();
  expect(upgradeFrom('0.0.1')).toBeUndefined();
});

test('what was renamed more than once is brought to its last name in one step', () => {
  const oldest = upgradeFrom('1.4.0')!.attributes('span');
  const later = upgradeFrom('1.13.0')!.attributes('span');
  expect(oldest.get('net.peer.ip')).toBe(later.get('net.sock.peer.addr') ?? 'net.sock.peer.addr');
  expect(upgradeFrom('1.38.0')!.attributes('span').get('peer.service')).toBe('service.peer.name');
  expect(upgradeFrom('1.39.0')!.attributes('span').has('peer.service')).toBe(false);
});

test('a metric and its attributes go by the name that it was sent with', () => {
  const upgrade = upgradeFrom('1.38.0')!;
  expect(upgrade.metricNames.get('system.linux.memory.available')).toBe('system.memory.linux.available');
  expect(upgrade.points('anything').get('linux.memory.slab.state')).toBe('system.memory.linux.slab.state');
});

test('one step is the same as release by release', () => {
  type Table = Readonly<Record<string, string>>;
  const releases = data.releases as readonly { version: string; all?: Table; span?: Table; metricNames?: Table }[];
  const names = new Set(releases.flatMap(({ all = {}, span = {} }) => Object.entries({ ...all, ...span }).flat()));
  for (const [at, { version }] of releases.slice(0, -1).entries()) {
    const renames = upgradeFrom(version)!.attributes('span');
    for (const sent of names) {
      let now = sent;
      for (const { all = {}, span = {} } of releases.slice(at + 1)) {
        now = all[now] ?? now;
        now = span[now] ?? now;
      }
      expect([version, sent, renames.get(sent) ?? sent]).toEqual([version, sent, now]);
    }
  }
});
