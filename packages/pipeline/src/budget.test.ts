import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budget, InvariantError, refuse } from './index.ts';

test('a budget never holds more than its bounds, whatever is asked', () => {
  const request = fc.record({ bytes: fc.nat(60), items: fc.nat(6), give: fc.boolean() });
  fc.assert(
    fc.property(fc.array(request), (requests) => {
      const budget = new Budget({ bytesMax: 100, itemsMax: 10 });
      const held: { bytes: number; items: number }[] = [];
      for (const { bytes, items, give } of requests) {
        const oldest = give ? held.shift() : undefined;
        if (oldest !== undefined) budget.give(oldest.bytes, oldest.items);
        else if (budget.tryTake(bytes, items)) held.push({ bytes, items });
        expect(budget.bytes).toBe(held.reduce((sum, entry) => sum + entry.bytes, 0));
        expect(budget.items).toBe(held.reduce((sum, entry) => sum + entry.items, 0));
        expect(budget.bytes <= 100 && budget.items <= 10 && budget.fill <= 1).toBe(true);
      }
    }),
  );
});

test('a refusal takes nothing', () => {
  const budget = new Budget({ bytesMax: 100, itemsMax: 1 });
  expect(budget.tryTake(10, 2)).toBe(false);
  expect(budget.bytes).toBe(0);
});

test('what others hold is told apart from what an entry has taken itself', () => {
  const budget = new Budget({ bytesMax: 100, itemsMax: 10 });
  budget.tryTake(95, 0);
  expect([budget.fill, budget.fillBeside(95), budget.fillBeside(90)]).toEqual([0.95, 0, 0.05]);
  budget.tryTake(0, 9);
  expect(budget.fillBeside(95)).toBe(0.9);
});

test('giving back more than was taken is a broken invariant', () => {
  expect(() => new Budget({ bytesMax: 1, itemsMax: 1 }).give(1, 0)).toThrow(InvariantError);
});

test('a refusal tells its client the reason by its name', () => {
  expect(refuse('edge_full', 'no room').message).toBe('edge_full: no room');
});

test('only retryable refusals carry Retry-After, a whole number of at least 1', () => {
  expect(refuse('edge_full', 'full', 0.2)).toMatchObject({ retryAfterS: 1 });
  expect(refuse('sink_full', 'full', 1.2)).toMatchObject({ retryAfterS: 2 });
  expect(refuse('malformed', 'bad', 5)).not.toHaveProperty('retryAfterS');
});
