import { DEMAND_TENANTS_MAX } from '@weir/records';
import { expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { DemandMeter } from './demand-meter.ts';

test('measures what is offered and what of it is accepted, each tenant by itself, the greatest first', () => {
  const meter = new DemandMeter();
  let look = meter.look(1);
  for (let second = 0; second < 30; second++) {
    for (let i = 0; i < 10; i++) meter.add('large', 10, 1_000, i < 3);
    meter.add('small', 1, 100, true);
    look = meter.look(1);
  }
  expect(look.tenants.map(({ tenant }) => tenant)).toEqual(['large', 'small']);
  const [large, small] = look.tenants;
  expect(large?.offeredItems).toBeCloseTo(100, 1);
  expect(large?.offeredBytes).toBeCloseTo(10_000, 0);
  expect(large?.acceptedBytes).toBeCloseTo(3_000, 0);
  expect(small?.acceptedBytes).toBeCloseTo(100, 1);
});

test('a tenant that has stopped is soon no demand', () => {
  const meter = new DemandMeter();
  for (let second = 0; second < 10; second++) {
    meter.add('a', 1, 10_000, true);
    meter.look(1);
  }
  for (let second = 0; second < 40; second++) meter.look(1);
  expect(meter.look(1).tenants).toEqual([]);
});

test('names so many tenants at most, keeps so many more, and loses none of the demand', () => {
  const meter = new DemandMeter();
  const count = LIMITS.demandTenantsMax + 500;
  for (let i = 0; i < count; i++) meter.add(`t${i}`, 1, i === 7 ? 9_000 : 1_000, true);
  const { tenants, rest } = meter.look(60);
  expect([tenants.length, tenants[0]?.tenant]).toEqual([DEMAND_TENANTS_MAX, 't7']);
  const all = tenants.reduce((sum, { offeredBytes }) => sum + offeredBytes, rest.offeredBytes);
  expect(all * 60).toBeCloseTo(count * 1_000 + 8_000, 0);
});
