import { expect, test } from 'vitest';
import { createKey, hashesEqual, hashKey, keyPrefix, pepperFault } from './key.ts';

test('a new key has the form that is looked for, and 256 bits of its own', () => {
  const keys = Array.from({ length: 100 }, () => createKey());
  for (const { key, prefix } of keys) expect(keyPrefix(key)).toBe(prefix);
  expect(new Set(keys.map(({ key }) => key)).size).toBe(100);
});

test.each(['', 'wk_abc', 'wk_abcd1234_', 'sk_abcd1234_x', `wk_abcd1234_${'x'.repeat(44)}`])('%j is no key', (text) => {
  expect(keyPrefix(text)).toBeUndefined();
});

test('hashes differ by key and by pepper', () => {
  const hash = hashKey('k', 'p');
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(hashesEqual(hash, hashKey('k', 'p'))).toBe(true);
  expect(hashesEqual(hash, hashKey('k2', 'p'))).toBe(false);
  expect(hashesEqual(hash, hashKey('k', 'p2'))).toBe(false);
  expect(hashesEqual(hash, '')).toBe(false);
});

test.each([
  '',
  'short',
  'x'.repeat(64),
  'a5'.repeat(32),
  'deadbeef'.repeat(4),
  'please-change-me-please-change-me-please',
  '0123456789abcdef0123456789abcdeffedc',
  'this-is-the-default-of-a-development-set-up',
])('the pepper %j is refused', (pepper) => {
  expect(pepperFault(pepper)).toBeDefined();
});

test('32 random bytes are a pepper', () => {
  expect(pepperFault('kP2vQ8sT1xZ7bN4mR9wC5yF3gH6jL0dA')).toBeUndefined();
});
