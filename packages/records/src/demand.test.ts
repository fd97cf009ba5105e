import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEMAND_TENANTS_MAX, type DemandReport, decodeDemandReport, encodeDemandReport } from './demand.ts';

const amount = fc.nat();
const demand = { offeredItems: amount, offeredBytes: amount, acceptedBytes: amount };
const report: fc.Arbitrary<DemandReport> = fc.record({
  edge: fc.string(),
  track: fc.constant('v1'),
  tenants: fc.array(fc.record({ tenant: fc.string(), ...demand }), { maxLength: 20 }),
  rest: fc.record(demand),
  leaving: fc.boolean(),
  atMs: amount,
});

test('a demand report survives its round trip', () => {
  fc.assert(
    fc.property(report, (made) => {
      expect(decodeDemandReport(encodeDemandReport(made))).toEqual({ ok: true, value: made });
    }),
  );
});

test('a report of very many tenants stays below a record, and one with a wrong number is not read', () => {
  const tenant = { tenant: 'a'.repeat(63), offeredItems: 1e12, offeredBytes: 1e12, acceptedBytes: 1e12 };
  const [made] = fc.sample(report, 1);
  const large = encodeDemandReport({ ...made!, tenants: Array.from({ length: 5_000 }, () => tenant) });
  const read = decodeDemandReport(large);
  expect(read.ok && read.value.tenants.length).toBe(DEMAND_TENANTS_MAX);
  expect(large.length).toBeLessThan(300_000);
  expect(decodeDemandReport(encodeDemandReport({ ...made!, tenants: [{ ...tenant, offeredBytes: -1 }] })).ok).toBe(
    false,
  );
  expect(decodeDemandReport(Buffer.of(9)).ok).toBe(false);
  expect(decodeDemandReport(null).ok).toBe(false);
});
