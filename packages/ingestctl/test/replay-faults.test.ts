import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultPoint } from '@weir/pipeline';
import { encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProgram } from '../src/index.ts';
import { writeFile } from '../src/write-file.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
/** Its exports reach every partition. */
const TENANT = 'demo';
const EXPORTS = 24;
const PER_EXPORT = 200;
const LIVE_EXPORTS = 60;
let fromTime = '';
let toTime = '';

async function ingestctl(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const program = createProgram({
    env: { WEIR_KEY_PEPPER_FILE: join(stack.dataDir, 'pepper') },
    readFile: (path) => readFileSync(path, 'utf8'),
    writeFile,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
  });
  const status = await program.run(['--data-dir', stack.dataDir, ...args]);
  return { status, out, err };
}

async function json<T>(...args: string[]): Promise<T> {
  const { status, out, err } = await ingestctl('--json', ...args);
  expect({ args, status, err }).toEqual({ args, status: 0, err: '' });
  return JSON.parse(out) as T;
}

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
  const [first] = await json<{ id: string }[]>('shadow', 'list');
  return first!.id;
}

beforeAll(async () => {
  await pause(20);
  fromTime = new Date().toISOString();
  await pause(20);
  for (let seed = 0; seed < EXPORTS; seed++) await send(spans(seed));
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
  expect(await ingestctl('shadow', 'compare', id)).toMatchObject({
    status: 1,
    err: expect.stringContaining(`replay resume ${id}`),
  });
  // Two at once do no harm either.
  const [one, two] = await Promise.all([ingestctl('replay', 'resume', id), ingestctl('replay', 'resume', id)]);
  expect([one.status, two.status]).toEqual([0, 0]);
  expect(await count(`shadow_${id}_otel_traces`)).toBe(EXPORTS * PER_EXPORT);
  expect(await json('shadow', 'compare', id)).toMatchObject({ equal: true });
  expect((await ingestctl('replay', 'resume', id)).status).toBe(0);
  expect(await count(`shadow_${id}_otel_traces`)).toBe(EXPORTS * PER_EXPORT);
  await json('shadow', 'drop', id, '--yes');
});

test.each(['promote.after_mark', 'promote.after_delete', 'promote.after_fill'] as const)(
  'a promotion that is killed at %s is run again and leaves each row once, as the shadow has it',
  async (point) => {
    const { id } = await json<{ id: string }>(...window('--yes'));
    await stack.query(
      "ALTER TABLE otel_traces UPDATE StatusMessage = 'broken' WHERE TenantId = 'demo' AND SpanName = 'replayed 3' SETTINGS mutations_sync = 2",
    );
    await stack.query(
      "ALTER TABLE otel_traces DELETE WHERE TenantId = 'demo' AND SpanName = 'replayed 5' SETTINGS mutations_sync = 2",
    );
    expect(await killedAt(point, 1, 'shadow', 'promote', id, '--yes')).toBe('SIGKILL');
    await json('shadow', 'promote', id, '--yes');
    expect(await json('shadow', 'compare', id)).toMatchObject({ equal: true });
    expect(await count(mine)).toBe(EXPORTS * PER_EXPORT);
    expect(await count("otel_traces WHERE TenantId = 'demo' AND StatusMessage = 'broken'")).toBe(0);
    await json('shadow', 'drop', id, '--yes');
  },
);

test('nothing is compared or promoted while the live path has not stored the window: it would be doubled', async () => {
  stack.signal('sink', 'SIGSTOP');
  let id: string;
  try {
    const from = new Date().toISOString();
    await pause(20);
    await send(spans(50_000, 10), 'attacker');
    await pause(20);
    const args = ['--from', from, '--to', new Date().toISOString(), '--tenant', 'attacker'];
    ({ id } = await json<{ id: string }>('replay', '--shadow', ...args, '--yes'));
    for (const command of [
      ['compare', id],
      ['promote', id, '--yes'],
    ]) {
      expect(await ingestctl('shadow', ...command)).toMatchObject({
        status: 1,
        err: expect.stringContaining('the live path has told no more'),
      });
    }
  } finally {
    stack.signal('sink', 'SIGCONT');
  }
  for (
    const deadline = Date.now() + 30_000;
    (await ingestctl('shadow', 'compare', id)).status !== 0;
    await pause(500)
  ) {
    expect(Date.now()).toBeLessThan(deadline);
  }
  expect(await json('shadow', 'promote', id, '--yes')).toEqual({ id, replaced: 0, inserted: 0, kept: 0 });
  await json('shadow', 'drop', id, '--yes');
});

/** Offsets of the live path once nothing moves. */
async function settled(): Promise<object[]> {
  for (let last = ''; ; await pause(1_500)) {
    const now = await json<object[]>('lag', '--tracks', 'v1,v2');
    if (JSON.stringify(now) === last) return now;
    last = JSON.stringify(now);
  }
}

test('at full rate a replay moves no offset of the live path, and adds no row to its tables', async () => {
  const before = await settled();
  const rows = await stack.query(
    "SELECT name, total_rows FROM system.tables WHERE database = 'weir' AND (startsWith(name, 'otel_') OR name = 'weir_usage') ORDER BY name",
  );
  const { id } = await json<{ id: string }>(...window('--yes', '--rate', 'max'));
  expect(await settled()).toEqual(before);
  expect(
    await stack.query(
      "SELECT name, total_rows FROM system.tables WHERE database = 'weir' AND (startsWith(name, 'otel_') OR name = 'weir_usage') ORDER BY name",
    ),
  ).toEqual(rows);
  await json('shadow', 'drop', id, '--yes');
});

test('live exports are answered and stored meanwhile, about as fast as without', async () => {
  const medianOf = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;
  const sendSome = async (seed: number) => {
    const times: number[] = [];
    for (let at = 0; at < LIVE_EXPORTS; at++) times.push(await send(spans(1_000 + seed + at, 20), 'neighbour'));
    return medianOf(times);
  };
  const aloneMs = await sendSome(0);
  let isOver = false;
  let replays = 0;
  const replaying = (async () => {
    const ids: string[] = [];
    do {
      const { id } = await json<{ id: string }>(...window('--yes', '--rate', 'max'));
      ids.push(id);
      replays++;
    } while (!isOver);
    return ids;
  })();
  const besideMs = await sendSome(LIVE_EXPORTS);
  isOver = true;
  const ids = await replaying;
  expect(replays).toBeGreaterThan(0);
  // This process sends and replays: some of it is waiting for itself.
  expect(besideMs).toBeLessThan(aloneMs * 4 + 20);
  await stack.until<{ n: string }>(
    "SELECT count() AS n FROM otel_traces WHERE TenantId = 'neighbour' AND SpanName LIKE 'replayed %'",
    ({ n }) => Number(n) === 2 * LIVE_EXPORTS * 20,
  );
  for (const id of ids) await json('shadow', 'drop', id, '--yes');
});
