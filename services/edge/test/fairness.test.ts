import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Member } from '@weir/bench-faults';
import { type Fate, type LoadOptions, runLoad } from '@weir/bench-load';
import { stackPaths } from '@weir/local';
import { createKey, hashKey } from '@weir/tenancy';
import { freePorts, pause, readMetric } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterEach, expect, test } from 'vitest';

const stack = sharedStack();
const QUIET = Array.from({ length: 20 }, (_, at) => `fair-quiet-${at}`);
const QUOTA = 200;

interface Account {
  readonly name: string;
  readonly key: string;
  readonly weight: number;
}

/** Makes tenants with keys of their own; the edge knows them once this resolves. */
async function makeTenants(limits: Readonly<Record<string, object>>): Promise<Account[]> {
  const pepper = readFileSync(stackPaths(stack.dataDir).pepper, 'utf8').trim();
  const made = Object.keys(limits).map((name) => ({ name, ...createKey(), weight: 1 }));
  const tenants = Object.fromEntries(
    made.map(({ name, key, prefix }) => {
      const hash = `hmac-sha256:${hashKey(key, pepper)}`;
      return [name, { keys: [{ prefix, hash }], limits: limits[name] }];
    }),
  );
  const before = await stack.metric('edge', 'weir_edge_tenants');
  const file = join(stack.dataDir, `${made[0]!.name}.yaml`);
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ version: 1, tenants }));
  await stack.ingestctl('tenants', 'apply', '-f', file);
  while ((await stack.metric('edge', 'weir_edge_tenants')) < before + made.length) await pause(50);
  return made;
}

type Shape = Pick<LoadOptions, 'target' | 'tenants' | 'producers' | 'rate' | 'seconds' | 'itemsPerExport'>;

function load(shape: Shape, onFate: (fate: Fate) => void) {
  const rest = { transports: ['http'], signals: ['traces'], errors: 0, gzip: true } as const;
  return runLoad({ ...shape, ...rest, connections: 4, outstandingMax: 500 }, { onFate });
}

const edge = () => ({ ...stack.local.edge, ca: stack.ca });

/** Items by tenant and what became of them. */
class Tally {
  readonly accepted = new Map<string, number>();
  readonly refused = new Map<string, number>();
  readonly reasons = new Set<string>();

  add({ tenant, items, sent }: Fate): void {
    const of = sent.kind === 'accepted' ? this.accepted : this.refused;
    of.set(tenant, (of.get(tenant) ?? 0) + items);
    if (sent.kind !== 'accepted') this.reasons.add(sent.reason);
  }
}

let other: Member | undefined;
afterEach(async () => {
  await other?.end('SIGTERM');
  other = undefined;
});

test('an edge hears the sinks and the normalizers of its track', async () => {
  for (const role of ['sink', 'normalizer']) {
    expect(await stack.metric('edge', 'weir_edge_flow_reports', { role })).toBe(1);
  }
});

test('of one tenant at ten times its quota and twenty quiet ones only the first is refused, mostly unread', async () => {
  const quota = { items: { perSecond: QUOTA, burst: QUOTA } };
  const [greedy, ...quiet] = await makeTenants({
    'fair-greedy': quota,
    ...Object.fromEntries(QUIET.map((name) => [name, quota])),
  });
  const seconds = 10;
  const tally = new Tally();
  const unreadBefore = await stack.metric('edge', 'weir_edge_unread_exports_total');
  await Promise.all([
    load({ target: edge(), tenants: [greedy!], producers: 10, rate: QUOTA, seconds, itemsPerExport: 50 }, (fate) =>
      tally.add(fate),
    ),
    load({ target: edge(), tenants: quiet, producers: 20, rate: 20, seconds, itemsPerExport: 10 }, (fate) =>
      tally.add(fate),
    ),
  ]);
  expect([...tally.refused.keys()]).toEqual(['fair-greedy']);
  expect([...tally.reasons]).toEqual(['HTTP 429']);
  for (const { name } of quiet) expect(tally.accepted.get(name)).toBeGreaterThan(0.8 * 20 * seconds);
  const taken = tally.accepted.get('fair-greedy')!;
  expect(taken).toBeGreaterThan(0.8 * QUOTA * seconds);
  expect(taken).toBeLessThanOrEqual(QUOTA * (seconds + 1) + 50);
  const unread = (await stack.metric('edge', 'weir_edge_unread_exports_total')) - unreadBefore;
  expect(unread * 50).toBeGreaterThan(0.5 * tally.refused.get('fair-greedy')!);
  expect(unread * 50).toBeLessThan(tally.refused.get('fair-greedy')!);
  // What was read and refused stands in the books, by tenant; what was not read has no items there.
  const booked = `SELECT sumIf(Items, Outcome = 'accepted') AS accepted, sumIf(Items, Outcome = 'refused') AS refused
    FROM weir_usage WHERE TenantId = 'fair-greedy'`;
  const refused = tally.refused.get('fair-greedy')! - unread * 50;
  const isWhole = (row: { accepted: string; refused: string }) =>
    Number(row.accepted) === taken && Number(row.refused) === refused;
  await stack.until<{ accepted: string; refused: string }>(booked, isWhole);
  const [others] = await stack.query<{ n: string }>(
    `SELECT count() AS n FROM weir_usage WHERE startsWith(TenantId, 'fair-quiet-') AND Outcome = 'refused'`,
  );
  expect(Number(others?.n)).toBe(0);
});

test('two edges share one limit by demand, and the one that stays has all of it', async () => {
  const limit = 100;
  const limits = { items: { perSecond: limit, burst: limit } };
  const [shared, local] = await makeTenants({ 'fair-shared': limits, 'fair-local': { ...limits, scope: 'local' } });
  other = new Member(stack, 'edge', 7, await freePorts());
  other.start();
  await other.untilReady();
  const second = {
    grpc: `https://localhost:${other.ports.grpc}`,
    http: `https://localhost:${other.ports.http}`,
    ca: stack.ca,
  };
  const knowing = async () =>
    (await readMetric(other!.admin, 'weir_edge_live_edges')) === (await stack.metric('edge', 'weir_edge_live_edges'));
  while (!(await knowing()) || (await readMetric(other.admin, 'weir_edge_live_edges')) < 2) await pause(100);

  const taken = { shared: 0, local: 0 };
  let isCounting = false;
  const count = (of: keyof typeof taken) => (fate: Fate) => {
    if (isCounting && fate.sent.kind === 'accepted') taken[of] += fate.items;
  };
  const run = (target: Shape['target'], tenant: Account, of: keyof typeof taken, rate: number) =>
    load({ target, tenants: [tenant], producers: 5, rate: rate / 5, seconds: 18, itemsPerExport: 10 }, count(of));
  const running = Promise.all([
    run(edge(), shared!, 'shared', 2.5 * limit),
    run(second, shared!, 'shared', 0.6 * limit),
    run(edge(), local!, 'local', 1.5 * limit),
    run(second, local!, 'local', 1.5 * limit),
  ]);
  // The bursts first, and until each edge knows what the other is asked for.
  await pause(6_000);
  isCounting = true;
  const startedMs = performance.now();
  await pause(10_000);
  isCounting = false;
  const seconds = (performance.now() - startedMs) / 1_000;
  // On a machine that is too busy to send as much nothing would be shown.
  for (const { totals } of await running) expect(totals.unsentItems).toBe(0);
  expect(taken.shared / seconds / limit).toBeGreaterThan(0.85);
  expect(taken.shared / seconds / limit).toBeLessThan(1.15);
  expect(taken.local / seconds / limit).toBeGreaterThan(1.7);

  await other.end('SIGTERM');
  // It has said goodbye: nobody waits until it is silent for long enough. The shared stack has an edge of each track.
  const edges = Object.keys(stack.local.services).filter((name) => name.startsWith('edge')).length;
  const deadline = Date.now() + 4_000;
  while ((await stack.metric('edge', 'weir_edge_live_edges')) > edges) {
    if (Date.now() > deadline) throw new Error('the edge that has stopped still counts');
    await pause(100);
  }
});
