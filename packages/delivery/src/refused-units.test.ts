import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeCommitMetadata } from './commit-metadata.ts';
import { RefusedUnits, type Unit, weightOf } from './refused-units.ts';

const TOKEN = 'otel_traces:weir.rows.v1:3:10-19';

function leaves(unit: Unit): Unit[] {
  return unit.halves === undefined ? [unit] : unit.halves.flatMap(leaves);
}

function all(unit: Unit): Unit[] {
  return [unit, ...(unit.halves ?? []).flatMap(all)];
}

/** Refuses all that holds one of the rows, down to the rows themselves. */
function isolate(units: RefusedUnits, bad: ReadonlySet<number>): void {
  const visit = (unit: Unit): void => {
    if (![...bad].some((row) => row >= unit.from && row < unit.to)) return;
    if (unit.state === 'whole') {
      if (unit.to - unit.from === 1) units.bury(unit);
      else units.split(unit);
    }
    for (const half of unit.halves ?? []) visit(half);
  };
  visit(units.root);
}

const parts = fc.record({
  blockRows: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
  steps: fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 30 }),
});

test('who reads the marks finds the same units, and each step says more than the one before', () => {
  fc.assert(
    fc.property(parts, ({ blockRows, steps }) => {
      const units = new RefusedUnits(blockRows, TOKEN);
      expect(units.marks).toBe('');
      let weight = 0;
      for (const [chosen, dead] of steps) {
        const open = leaves(units.root).filter(({ state }) => state === 'whole');
        const unit = open[chosen % open.length];
        if (unit === undefined) break;
        if (dead || unit.to - unit.from === 1) units.bury(unit);
        else units.split(unit);
        expect(weightOf(units.marks)).toBeGreaterThan(weight);
        weight = weightOf(units.marks);
        const again = new RefusedUnits(blockRows, TOKEN, units.marks);
        expect(again.root).toEqual(units.root);
        expect(again.splits).toBe(units.splits);
        expect(again.marks).toBe(units.marks);
      }
    }),
  );
});

test('units are the rows of the part, each once, cut between blocks before a block is cut', () => {
  fc.assert(
    fc.property(parts, fc.array(fc.nat(), { maxLength: 5 }), ({ blockRows }, chosen) => {
      const rows = blockRows.reduce((sum, count) => sum + count, 0);
      const bad = new Set(chosen.map((row) => row % rows));
      const units = new RefusedUnits(blockRows, TOKEN);
      isolate(units, bad);
      const ends = leaves(units.root);
      expect(ends[0]?.from).toBe(0);
      expect(ends.at(-1)?.to).toBe(rows);
      for (const [at, unit] of ends.slice(1).entries()) expect(unit.from).toBe(ends[at]!.to);
      const dead = ends.filter(({ state }) => state === 'dead');
      expect(dead.map(({ from, to }) => [from, to - from])).toEqual(
        [...bad].sort((a, b) => a - b).map((row) => [row, 1]),
      );
      const starts = blockRows.map((_, at) => blockRows.slice(0, at).reduce((sum, count) => sum + count, 0));
      for (const { from, to, halves } of all(units.root)) {
        if (halves === undefined || !starts.some((start) => start > from && start < to)) continue;
        expect(starts).toContain(halves[1].from);
      }
    }),
  );
});

test('the first half has the name of the whole, and no two other units have the same', () => {
  const units = new RefusedUnits([5, 9, 2], TOKEN);
  isolate(units, new Set([0, 7, 15]));
  const named = new Map<string, number>();
  for (const { token, halves } of all(units.root)) {
    expect(halves?.[0].token ?? token).toBe(token);
    if (halves !== undefined) continue;
    named.set(token, (named.get(token) ?? 0) + 1);
  }
  expect([...named.values()].every((count) => count === 1)).toBe(true);
  expect(units.root.token).toBe(TOKEN);
});

test('a thousand splits, and then all dead, fit into the metadata of a commit', () => {
  const units = new RefusedUnits([1_000_000], TOKEN);
  let level = [units.root];
  while (units.splits < 1_000) {
    level = level.flatMap((unit) => {
      if (units.splits < 1_000) units.split(unit);
      return unit.halves ?? [unit];
    });
  }
  for (const unit of leaves(units.root)) units.bury(unit);
  const state = { epoch: 2 ** 40, owner: 'f'.repeat(16), rawLast: 2 ** 50 };
  const refused = new Map([[0, units.marks]]);
  expect(encodeCommitMetadata({ mark: 2 ** 50, state, refused }).length).toBeLessThan(1_200);
});
