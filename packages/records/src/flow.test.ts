import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFlowReport, encodeFlowReport, FLOW_ROLES, type FlowReport } from './flow.ts';

const amount = fc.double({ min: 0, max: 1e15, noNaN: true }).map((value) => value + 0);
const report: fc.Arbitrary<FlowReport> = fc.record({
  reporter: fc.string(),
  track: fc.constant('v1'),
  role: fc.constantFrom(...FLOW_ROLES),
  fill: amount,
  backlogBytes: amount,
  backlogSeconds: fc.option(amount),
  drainBytesPerSecond: fc.option(amount),
  inflowBytesPerSecond: amount,
  breaker: fc.record({
    state: fc.constantFrom('closed' as const, 'open' as const, 'half_open' as const),
    forMs: amount,
    waitMs: amount,
  }),
  leaving: fc.boolean(),
  atMs: amount,
});

test('a flow report survives its round trip', () => {
  fc.assert(
    fc.property(report, (made) => {
      expect(decodeFlowReport(encodeFlowReport(made))).toEqual({ ok: true, value: made });
    }),
  );
});

test('a report of version 1 is one of a sink whose rates are not known', () => {
  const first = { reporter: 'ab', track: 'v1', backlogBytes: 5, backlogSeconds: 2, fill: 0.5, healthy: true, atMs: 7 };
  const { healthy: _, ...same } = first;
  const value = Buffer.concat([Buffer.of(1), Buffer.from(JSON.stringify(first))]);
  expect(decodeFlowReport(value)).toEqual({
    ok: true,
    value: {
      ...same,
      role: 'sink',
      drainBytesPerSecond: null,
      inflowBytesPerSecond: 0,
      breaker: { state: 'closed', forMs: 0, waitMs: 0 },
      leaving: false,
    },
  });
});

test('what is no report, or has a number that is none, is not read', () => {
  const [good] = fc.sample(report, 1);
  const without = (field: keyof FlowReport) => {
    const { [field]: _, ...rest } = good!;
    return decodeFlowReport(encodeFlowReport(rest as FlowReport)).ok;
  };
  for (const field of ['reporter', 'role', 'fill', 'breaker', 'leaving', 'drainBytesPerSecond'] as const) {
    expect(without(field)).toBe(false);
  }
  expect(decodeFlowReport(encodeFlowReport({ ...good!, fill: Number.NaN })).ok).toBe(false);
  expect(decodeFlowReport(encodeFlowReport({ ...good!, fill: -1 })).ok).toBe(false);
  expect(decodeFlowReport(Buffer.of(3, 123, 125)).ok).toBe(false);
  expect(decodeFlowReport(null).ok).toBe(false);
});
