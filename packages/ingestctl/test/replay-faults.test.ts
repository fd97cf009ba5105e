import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { FaultPoint } from '@weir/pipeline';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Operator } from './operator.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const operator = new Operator(stack);
/** It has every partition. */
const TENANT = 'demo';
const EXPORTS = 24;
/** Exports of so long a moment go to one partition: those of eight of them to more than one, so that there is more than one insert. */
const MOMENT_MS = 250;
const EXPORTS_A_MOMENT = 3;
const PER_EXPORT = 1_000;
const LIVE_EXPORTS = 60;
const LIVE_SPANS = 20;
const REPLAYS = 4;
let fromTime = '';
let toTime = '';

/** Runs it in a process of its own that dies at a fault point; what killed it. */
function killedAt(point: FaultPoint, times: number, ...args: string[]): Promise<NodeJS.Signals | null> {
  const script = join(import.meta.dirname, 'killed-at.ts');
  const child = spawn(process.execPath, [script, point, String(times), '--data-dir', stack.dataDir, ...args], {
    stdio: 'ignore',
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_, signal) => resolve(signal));
  });
}

function spans(seed: number, count = PER_EXPORT): Buffer {
  const ids = Array.from({ length: count }, (_, at) => ({
    traceId: new Uint8Array(Buffer.from((seed * 100_000 + at + 1).toString(16).padStart(32, '0'), 'hex')),
    spanId: new Uint8Array(Buffer.from((at + 1).toString(16).padStart(16, '0'), 'hex')),
    name: `replayed ${at % 7}`,
    startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
    endTimeUnixNano: BigInt(Date.now()) * 1_000_000n + 5n,
  }));
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: ids }] }] }));
}

async function send(body: Buffer, tenant = TENANT): Promise<number> {
  const startedMs = performance.now();
  const { status } = await client.export('traces', body, { key: stack.key(tenant) });
  expect(status).toBe(200);
  return performance.now() - startedMs;
}

async function count(sql: string): Promise<number> {
  const [row] = await stack.query<{ n: string }>(`SELECT count() AS n FROM ${sql}`);
  return Number(row?.n);
}

const window = (...more: string[]) => [
  'replay',
  '--shadow',
  '--from',
  fromTime,
  '--to',
  toTime,
  '--tenant',
  TENANT,
  ...more,
];
const mine = "otel_traces WHERE TenantId = 'demo' AND SpanName LIKE 'replayed %'";

async function newestReplay(): Promise<string> {
  const [first] = await operator.json<{ id: string }[]>('shadow', 'list');
  return first!.id;
}

beforeAll(async () => {
  await pause(20);
  fromTime = new Date().toISOString();
  await pause(20);
  for (let seed = 0; seed < EXPORTS; seed++) {
    await send(spans(seed));
    if (seed % EXPORTS_A_MOMENT === 0) await pause(MOMENT_MS);
  }
  await pause(20);
  toTime = new Date().toISOString();
  await stack.until<{ n: string }>(`SELECT count() AS n FROM ${mine}`, ({ n }) => Number(n) === EXPORTS * PER_EXPORT);
});

afterAll(() => client.close());

test.each([
  ['replay.after_insert', 1],
  ['replay.after_insert', 2],
  ['replay.after_batch', 1],
] as const)('a replay that is killed at %s, the %d. time, goes on and stores each row once', async (point, times) => {
  expect(await killedAt(point, times, ...window('--yes', '--rate', 'max'))).toBe('SIGKILL');
  const id = await newestReplay();
  expect(await operator.run('shadow', 'compare', id)).toMatchObject({
    status: 1,
    err: expect.stringContaining(`replay resume ${id}`),
  });
  // Two at once do no harm either.
  const [one, two] = await Promise.all([operator.run('replay', 'resume', id), operator.run('replay', 'resume', id)]);
  expect([one.status, two.status]).toEqual([0, 0]);
  expect(await count(`shadow_${id}_otel_traces`)).toBe(EXPORTS * PER_EXPORT);
  expect(await operator.json('shadow', 'compare', id)).toMatchObject({ equal: true });
  expect((await operator.run('replay', 'resume', id)).status).toBe(0);
  expect(await count(`shadow_${id}_otel_traces`)).toBe(EXPORTS * PER_EXPORT);
  await operator.json('shadow', 'drop', id, '--yes');
});

test('a replay that another release has begun is not gone on with: its shadow would be of two transcoders', async () => {
  expect(await killedAt('replay.after_batch', 1, ...window('--yes', '--rate', 'max'))).toBe('SIGKILL');
  const id = await newestReplay();
  const rows = await count(`shadow_${id}_otel_traces`);
  await stack.query(
    `ALTER TABLE weir_replays UPDATE Detail = replaceRegexpOne(Detail, '"transcoder":"[0-9a-f]{16}"', '"transcoder":"0000000000000000"') WHERE Replay = '${id}' AND Event = 'planned' SETTINGS mutations_sync = 2`,
  );
  const resumed = await operator.run('replay', 'resume', id);
  expect(resumed).toMatchObject({ status: 1, err: expect.stringContaining('start a new replay') });
  expect(await count(`shadow_${id}_otel_traces`)).toBe(rows);
  await operator.json('shadow', 'drop', id, '--yes');
});

test.each(['promote.after_mark', 'promote.after_delete', 'promote.after_fill'] as const)(
  'a promotion that is killed at %s is run again and leaves each row once, as the shadow has it',
  async (point) => {
    const id = await operator.replay(...window('--yes'));
    await stack.query(
      "ALTER TABLE otel_traces UPDATE StatusMessage = 'broken' WHERE TenantId = 'demo' AND SpanName = 'replayed 3' SETTINGS mutations_sync = 2",
    );
    await stack.query(
      "ALTER TABLE otel_traces DELETE WHERE TenantId = 'demo' AND SpanName = 'replayed 5' SETTINGS mutations_sync = 2",
    );
    expect(await killedAt(point, 1, 'shadow', 'promote', id, '--yes')).toBe('SIGKILL');
    const [listed] = await operator.json<object[]>('shadow', 'list');
    expect(listed).toMatchObject({ id, state: 'promotion running or cut off' });
    // Rows that it has deleted are in the shadow only.
    const dropped = await operator.run('shadow', 'drop', id, '--yes');
    expect(dropped).toMatchObject({ status: 1, err: expect.stringContaining(`ingestctl shadow promote ${id}`) });
    await operator.json('shadow', 'promote', id, '--yes');
    expect(await operator.json('shadow', 'compare', id)).toMatchObject({ equal: true });
    expect(await count(mine)).toBe(EXPORTS * PER_EXPORT);
    expect(await count("otel_traces WHERE TenantId = 'demo' AND StatusMessage = 'broken'")).toBe(0);
    await operator.json('shadow', 'drop', id, '--yes');
  },
);

test('of two replays of the same rows the one that was killed first goes on, and then the other', async () => {
  const ids = [await operator.replay(...window('--yes')), await operator.replay(...window('--yes'))] as const;
  await stack.query(
    "ALTER TABLE otel_traces UPDATE StatusMessage = 'broken' WHERE TenantId = 'demo' AND SpanName = 'replayed 2' SETTINGS mutations_sync = 2",
  );
  expect(await killedAt('promote.after_turn', 1, 'shadow', 'promote', ids[0], '--yes')).toBe('SIGKILL');
  expect(await operator.run('shadow', 'promote', ids[1], '--yes')).toMatchObject({
    status: 1,
    err: expect.stringContaining(`end that with ingestctl shadow promote ${ids[0]}`),
  });
  expect(await operator.json('shadow', 'promote', ids[0], '--yes')).toMatchObject({ left: 0, state: 'promoted' });
  expect(await operator.json('shadow', 'promote', ids[1], '--yes')).toMatchObject({ inserted: 0, state: 'promoted' });
  expect(await count("otel_traces WHERE TenantId = 'demo' AND StatusMessage = 'broken'")).toBe(0);
  expect(await count(mine)).toBe(EXPORTS * PER_EXPORT);
  for (const id of ids) await operator.json('shadow', 'drop', id, '--yes');
});

test('nothing is compared or promoted while the live path has not stored the window: it would be doubled', async () => {
  stack.signal('sink', 'SIGSTOP');
  let id: string;
  try {
    const from = new Date().toISOString();
    await pause(20);
    await send(spans(50_000, 10), 'attacker');
    await pause(20);
    const args = ['--from', from, '--to', new Date().toISOString(), '--tenant', 'attacker'];
    id = await operator.replay('replay', '--shadow', ...args, '--yes');
    for (const command of [
      ['compare', id],
      ['promote', id, '--yes'],
    ]) {
      expect(await operator.run('shadow', ...command)).toMatchObject({
        status: 1,
        err: expect.stringContaining('the live path has told no more'),
      });
    }
  } finally {
    stack.signal('sink', 'SIGCONT');
  }
  for (
    const deadline = Date.now() + 30_000;
    (await operator.run('shadow', 'compare', id)).status !== 0;
    await pause(500)
  ) {
    expect(Date.now()).toBeLessThan(deadline);
  }
  await operator.promotesNothing(id);
  await operator.json('shadow', 'drop', id, '--yes');
});

test('at full rate a replay moves no offset of the live path, and adds no row to its tables', async () => {
  const rowsOf = () =>
    stack.query(
      "SELECT name, total_rows FROM system.tables WHERE database = 'weir' AND startsWith(name, 'otel_') ORDER BY name",
    );
  const rows = await rowsOf();
  const stays = operator.movesNothing(async () => {
    const id = await operator.replay(...window('--yes', '--rate', 'max'));
    await operator.json('shadow', 'drop', id, '--yes');
  });
  expect(await stays).toBe(true);
  expect(await rowsOf()).toEqual(rows);
});

test('live exports are answered and stored meanwhile, about as fast as without', async () => {
  const medianOf = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;
  let seed = 1_000;
  const alone: number[] = [];
  while (alone.length < LIVE_EXPORTS) alone.push(await send(spans(seed++, LIVE_SPANS), 'neighbour'));
  const ids: string[] = [];
  const replaying = (async () => {
    while (ids.length < REPLAYS) {
      ids.push(await operator.replay(...window('--yes', '--rate', 'max')));
    }
  })();
  const beside: number[] = [];
  while (ids.length < REPLAYS) beside.push(await send(spans(seed++, LIVE_SPANS), 'neighbour'));
  await replaying;
  // This process sends and replays: some of it is waiting for itself.
  expect(medianOf(beside)).toBeLessThan(medianOf(alone) * 4 + 20);
  await stack.until<{ n: string }>(
    "SELECT count() AS n FROM otel_traces WHERE TenantId = 'neighbour' AND SpanName LIKE 'replayed %'",
    ({ n }) => Number(n) === (alone.length + beside.length) * LIVE_SPANS,
  );
  for (const id of ids) await operator.json('shadow', 'drop', id, '--yes');
});
