import { expect, test } from 'vitest';
import { cpuBetween } from './usage-meter.ts';

test('processes of a kind count together, and one that was started in between from its start', () => {
  const before = new Map([
    [1, { kind: 'edge', cpuS: 10 }],
    [2, { kind: 'sink', cpuS: 5 }],
  ] as const);
  const after = new Map([
    [1, { kind: 'edge', cpuS: 12 }],
    [3, { kind: 'edge', cpuS: 0.5 }],
    [2, { kind: 'sink', cpuS: 6 }],
  ] as const);
  expect(cpuBetween(before, after)).toMatchObject({ edge: 2.5, sink: 1, kafka: 0 });
});
