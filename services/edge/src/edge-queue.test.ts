import { Budget, InvariantError, type Zone } from '@weir/pipeline';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EdgeQueue } from './edge-queue.ts';

const BYTES_MAX = 192 * 1024;
/** As the configuration demands: the queue has room for three. */
const BODY_BYTES_MAX = BYTES_MAX / 3;
const PIECE_BYTES = 64;

function tenant(name: string, weight = 1) {
  return { name, limits: { weight } };
}

function setUp(onZone?: (zone: Zone) => void) {
  const budget = new Budget({ bytesMax: BYTES_MAX, itemsMax: 1_000 });
  return { budget, queue: new EdgeQueue(budget, onZone) };
}

/** An export whose body comes piece by piece, as receivers take it. */
class Upload {
  readonly #queue: EdgeQueue;
  readonly #tenant: ReturnType<typeof tenant>;
  held = 0;

  constructor(queue: EdgeQueue, of: ReturnType<typeof tenant>) {
    this.#queue = queue;
    this.#tenant = of;
  }

  /** Whether all of it was taken; where not, the export is refused and gives back what it had. */
  grow(bytes: number): boolean {
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      const piece = Math.min(left, PIECE_BYTES);
      if (this.#queue.take(this.#tenant, this.held, piece, 0) !== undefined) {
        this.end();
        return false;
      }
      this.held += piece;
    }
    return true;
  }

  end(): void {
    this.#queue.give(this.#tenant, this.held, 0);
    this.held = 0;
  }
}

/** Fills as far as it goes, with exports of one size each. */
function flood(queue: EdgeQueue, of: ReturnType<typeof tenant>, bytes: number): Upload[] {
  const uploads: Upload[] = [];
  for (;;) {
    const upload = new Upload(queue, of);
    if (!upload.grow(bytes) || uploads.length > BYTES_MAX / bytes) return uploads;
    uploads.push(upload);
  }
}

describe('the fair share of a tenant', () => {
  test('is two thirds of the queue while it is alone', () => {
    const { queue, budget } = setUp();
    flood(queue, tenant('hot'), 64);
    expect(budget.bytes / BYTES_MAX).toBeCloseTo(2 / 3, 2);
    expect(queue.take(tenant('hot'), 0, 64, 0)).toMatchObject({
      reason: 'edge_full',
      message: expect.stringContaining('fair share'),
    });
    expect(queue.take(tenant('quiet'), 0, 64, 0)).toBeUndefined();
  });

  test('shrinks as others come, and follows the weights', () => {
    const { queue } = setUp();
    const light = { of: tenant('light', 1), uploads: flood(queue, tenant('light'), 64) };
    const heavy = { of: tenant('heavy', 3), uploads: [] as Upload[] };
    const alone = light.uploads.length;
    // Both ask all the time, and of what each holds one in twenty is answered.
    for (let round = 0; round < 200; round++) {
      for (const { of, uploads } of [light, heavy]) {
        for (const old of uploads.splice(0, Math.ceil(uploads.length / 20))) old.end();
        uploads.push(...flood(queue, of, 64));
      }
    }
    expect(heavy.uploads.length / light.uploads.length).toBeCloseTo(3, 0);
    expect(light.uploads.length).toBeLessThan(alone / 2);
  });

  test('follows a weight that changes while something is held, from the next export on', () => {
    const hold = () => {
      const made = setUp();
      for (const of of ['a', 'b']) made.queue.take(tenant(of), 0, 1_024, 1);
      return made;
    };
    expect(hold().queue.take(tenant('a', 1), 0, 1, 0)).toBeUndefined();
    const { queue, budget } = hold();
    expect(queue.take(tenant('a', 0.001), 0, 1, 0)).toMatchObject({ reason: 'edge_full' });
    expect(queue.take(tenant('a', 1), 0, 1, 0)).toBeUndefined();
    expect(queue.take(tenant('a', 0.001), 0, 1, 0)).toMatchObject({ reason: 'edge_full' });
    queue.give(tenant('a', 0.001), 1_025, 1);
    // Alone again it has what one alone has: nothing of the other's weights is left in the sum.
    flood(queue, tenant('b'), 64);
    expect(budget.bytes / BYTES_MAX).toBeCloseTo(2 / 3, 2);
  });

  test('leaves free a fifth of what others do not hold, whatever the weights', () => {
    const weight = fc.double({ min: 0.001, max: 1_000, noNaN: true });
    const others = fc.array(fc.record({ weight, bytes: fc.integer({ min: 1, max: BYTES_MAX / 64 }) }), {
      maxLength: 32,
    });
    fc.assert(
      fc.property(weight, others, (own, quiet) => {
        const { queue, budget } = setUp();
        for (const [at, { weight, bytes }] of quiet.entries()) queue.take(tenant(`quiet-${at}`, weight), 0, bytes, 1);
        const free = () => [BYTES_MAX - budget.bytes, budget.limits.itemsMax - budget.items] as const;
        const [bytesBefore, itemsBefore] = free();
        flood(queue, tenant('hot', own), PIECE_BYTES);
        while (queue.take(tenant('hot', own), 0, 0, 1) === undefined);
        const [bytes, items] = free();
        expect(bytes).toBeGreaterThanOrEqual(bytesBefore / 5 - PIECE_BYTES);
        expect(items).toBeGreaterThanOrEqual(itemsBefore / 5 - 1);
      }),
      { numRuns: 50, examples: [[1_000, Array.from({ length: 20 }, () => ({ weight: 0.001, bytes: 64 }))]] },
    );
  });

  test('is of the items as well', () => {
    const { queue, budget } = setUp();
    while (queue.take(tenant('hot'), 0, 0, 1) === undefined);
    expect(budget.items / budget.limits.itemsMax).toBeCloseTo(2 / 3, 2);
    expect(queue.take(tenant('quiet'), 0, 0, 1)).toBeUndefined();
  });

  test('never stands against an export of a tenant that holds nothing else, however large', () => {
    const { queue } = setUp();
    const upload = new Upload(queue, tenant('one'));
    expect(upload.grow(BODY_BYTES_MAX)).toBe(true);
    // Its pieces, where it is split.
    expect(queue.take(tenant('one'), upload.held, 2 * BODY_BYTES_MAX, 0)).toBeUndefined();
  });

  test('leaves twenty quiet tenants room, whatever one does with large bodies, slow or fast', () => {
    const step = fc.record({
      open: fc.boolean(),
      bytes: fc.integer({ min: 1, max: BODY_BYTES_MAX }),
      which: fc.nat(50),
      quiet: fc.array(fc.record({ of: fc.nat(19), bytes: fc.integer({ min: 1, max: 512 }) }), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 100 }), (steps) => {
        const { queue, budget } = setUp();
        const hot: Upload[] = [];
        const quiet: Upload[] = [];
        for (const { open, bytes, which, quiet: others } of steps) {
          const slow = open || hot.length === 0 ? new Upload(queue, tenant('hot')) : hot[which % hot.length]!;
          if (!hot.includes(slow)) hot.push(slow);
          // A body has its own bound; what is refused is over.
          if (!slow.grow(Math.min(bytes, BODY_BYTES_MAX - slow.held))) hot.splice(hot.indexOf(slow), 1);
          for (const { of, bytes: small } of others) {
            const upload = new Upload(queue, tenant(`quiet-${of}`));
            expect(upload.grow(small)).toBe(true);
            quiet.push(upload);
          }
          // The quiet ones are answered: together they hold at most 20 KiB.
          for (const old of quiet.splice(0, Math.max(0, quiet.length - 40))) old.end();
        }
        for (const upload of [...hot, ...quiet]) upload.end();
        expect([budget.bytes, queue.tenants]).toEqual([0, 0]);
      }),
    );
  });
});

test('only tenants that hold something are known, and giving back more than was taken is a broken invariant', () => {
  const { queue } = setUp();
  for (let i = 0; i < 10; i++) {
    queue.take(tenant(`t${i}`), 0, 10, 1);
    queue.take(tenant(`t${i}`), 0, 0, 0);
  }
  expect(queue.tenants).toBe(10);
  expect(() => queue.give(tenant('t0'), 11, 1)).toThrow(InvariantError);
  for (let i = 1; i < 10; i++) queue.give(tenant(`t${i}`), 10, 1);
  expect(queue.tenants).toBe(1);
});

test('the last of a share is for priority exports, and is left to all again only well below', () => {
  const { queue, budget } = setUp();
  const hot = tenant('hot');
  const zones = new Map<number, Zone>();
  for (let percent = 1; queue.take(hot, 0, BYTES_MAX / 100, 0) === undefined; percent++) {
    zones.set(percent, queue.zoneBeside(hot, 0));
  }
  // Nine tenths of twice what is free: 64.3 of 100.
  expect([zones.get(64), zones.get(65)]).toEqual(['open', 'priority']);
  expect(queue.zoneBeside(tenant('quiet'), 0)).toBe('open');
  const heldAt = (percent: number) => {
    queue.give(hot, budget.bytes - (percent * BYTES_MAX) / 100, 0);
    return queue.zoneBeside(hot, 0);
  };
  // Below 0.85 of it: 63 of 100.
  expect([heldAt(64), heldAt(62)]).toEqual(['priority', 'open']);
});

describe('the zone of the queue', () => {
  test('follows its fill, with hysteresis, and tells its changes', () => {
    const changes: Zone[] = [];
    const { queue } = setUp((zone) => changes.push(zone));
    const fill = (of: string, ratio: number) => queue.take(tenant(of), BYTES_MAX, ratio * BYTES_MAX, 0);
    fill('a', 0.5);
    fill('b', 0.25);
    fill('c', 0.25);
    expect(queue.zone).toBe('closed');
    queue.give(tenant('b'), 0.125 * BYTES_MAX, 0);
    expect(queue.zone).toBe('priority');
    queue.give(tenant('c'), 0.125 * BYTES_MAX, 0);
    expect([queue.zone, changes]).toEqual(['open', ['closed', 'priority', 'open']]);
  });

  test('is open to an export that alone fills it', () => {
    const { queue } = setUp();
    queue.take(tenant('one'), 0, BYTES_MAX, 0);
    expect([queue.zone, queue.zoneBeside(tenant('one'), BYTES_MAX)]).toEqual(['closed', 'open']);
    expect(queue.zoneBeside(tenant('two'), 10)).toBe('closed');
  });
});
