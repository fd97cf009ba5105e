import { expect, test } from 'vitest';
import { parseStart } from './options.ts';

test('a stack has Envoy and the services unless they are left out; Envoy is nothing without them', () => {
  const parts = (...args: string[]) => {
    const parsed = parseStart(args);
    return parsed.kind === 'start' ? [parsed.options.envoy, parsed.options.services] : parsed;
  };
  expect(parts()).toEqual([true, true]);
  expect(parts('--no-envoy')).toEqual([false, true]);
  expect(parts('--no-services')).toEqual([false, false]);
});
