import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ownShards, SHARDED_TENANTS_MAX, ShardMap } from './shards.ts';

const TENANTS = 10_000;
const names = Array.from({ length: TENANTS }, (_, i) => `tenant-${i}`);

function ownOf(map: ShardMap, tenant: string): readonly number[] {
  const { order, own } = map.of(tenant, undefined);
  return order.slice(0, own);
}

test('a tenant has a quarter of the partitions, at least two, or what its limits say, and never more than there are', () => {
  expect([1, 2, 4, 8, 9, 16, 64].map((partitions) => ownShards(partitions, undefined))).toEqual([1, 2, 2, 2, 3, 4, 16]);
  expect([ownShards(16, 1), ownShards(16, 100), ownShards(4, 3)]).toEqual([1, 16, 3]);
});

describe('the partitions of a tenant', () => {
  test('are all partitions in some order, the same on every edge', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.string(), (partitions, tenant) => {
        const { order } = new ShardMap(partitions).of(tenant, undefined);
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, i) => i));
        expect(new ShardMap(partitions).of(tenant, undefined)).toEqual({
          order,
          own: ownShards(partitions, undefined),
        });
      }),
    );
    // Written down: another order would be another assignment while edges are replaced.
    expect(new ShardMap(8).of('acme', undefined).order).toEqual([2, 6, 7, 3, 5, 1, 0, 4]);
  });

  test('are spread evenly over ten thousand tenants', () => {
    const map = new ShardMap(16);
    const counts = new Array<number>(16).fill(0);
    for (const name of names) for (const partition of ownOf(map, name)) counts[partition]!++;
    const mean = (TENANTS * 4) / 16;
    for (const count of counts) expect(Math.abs(count / mean - 1)).toBeLessThan(0.1);
  });

  test('are rarely all those of another tenant', () => {
    const map = new ShardMap(16);
    const same = new Map<string, number>();
    for (const name of names) {
      const key = ownOf(map, name).toSorted().join();
      same.set(key, (same.get(key) ?? 0) + 1);
    }
    let pairs = 0;
    for (const count of same.values()) pairs += (count * (count - 1)) / 2;
    // 4 of 16: one pair of 1,820.
    const chance = pairs / ((TENANTS * (TENANTS - 1)) / 2);
    expect(chance).toBeGreaterThan(0.5 / 1_820);
    expect(chance).toBeLessThan(2 / 1_820);
  });

  test('stay where they are when partitions are added, but for those that a new one takes over', () => {
    const before = new ShardMap(16);
    const after = new ShardMap(17);
    let moved = 0;
    for (const name of names) {
      const old = before.of(name, undefined).order;
      expect(after.of(name, undefined).order.filter((partition) => partition < 16)).toEqual(old);
      const [first] = after.of(name, undefined).order;
      if (first !== old[0]) moved++;
    }
    expect(moved / TENANTS).toBeGreaterThan(0.5 / 17);
    expect(moved / TENANTS).toBeLessThan(2 / 17);
  });
});

test('a limit that changes holds at once, and only so many tenants are kept', () => {
  const map = new ShardMap(8);
  expect([map.of('acme', 1).own, map.of('acme', 3).own, map.of('acme', undefined).own]).toEqual([1, 3, 2]);
  const first = map.of('first', undefined);
  expect(map.of('first', undefined)).toBe(first);
  for (let i = 0; i < SHARDED_TENANTS_MAX; i++) map.of(`t${i}`, undefined);
  expect(map.of('first', undefined)).not.toBe(first);
  expect(map.of('first', undefined)).toEqual(first);
});
