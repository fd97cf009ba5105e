import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafkaLog } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { decodeRawMeta, trackTopics } from '@weir/records';
import { decodeExport, encodeExport, OtlpClient, pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { writeFile } from '../src/write-file.ts';
import { type Ran, runProgram } from './run-program.ts';

const stack = sharedStack();
const client = new OtlpClient(stack);
const NEVER = new AbortController().signal;
const QUIET = { warn: () => undefined, debug: () => undefined };
const log = createKafkaLog({ brokers: stack.local.kafka.brokers, clientId: 'rollout-test' }, QUIET, systemClock);
const [SHIFTED, OTHER] = [stack.freshTenant(), stack.freshTenant()];
const ROUTES = stack.local.envoy!.routes;
const PER_PHASE = 600;
const WORKERS = 8;
const scratch = mkdtempSync(join(tmpdir(), 'weir-rollout-'));

afterAll(async () => {
  await Promise.all([client.close(), log.close()]);
  rmSync(scratch, { recursive: true, force: true });
});

function ingestctl(...args: string[]): Promise<Ran> {
  return runProgram(['--data-dir', stack.dataDir, '--json', ...args]);
}

/** @param answer of the operator; undefined: there is no terminal */
function asked(answer: boolean | undefined, ...args: string[]): Promise<Ran> {
  return runProgram(['--data-dir', stack.dataDir, ...args], answer === undefined ? {} : { ask: async () => answer });
}

function span(name: string): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const ids = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
  const made = { ...ids, name, startTimeUnixNano: now, endTimeUnixNano: now };
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans: [made] }] }] }));
}

/** Sends one span, over one of the ways that a key may come, and says how it was answered. */
async function send(tenant: string, name: string, way: number, headers: Record<string, string> = {}): Promise<string> {
  const key = stack.key(tenant);
  if (way % 3 === 0) return String((await client.export('traces', span(name), { key, headers })).status);
  if (way % 3 === 1) {
    const answer = await client.grpc('traces', span(name), { key, headers });
    return answer.ok ? '200' : String(answer.error.code);
  }
  const own = { 'x-api-key': key, 'content-type': 'application/x-protobuf', ...headers };
  return String((await client.http('/v1/traces', span(name), own)).status);
}

/** Names of the spans of a tenant in the raw log of a track, from some offsets on. */
async function spansIn(track: string, tenant: string, from: readonly number[]): Promise<string[]> {
  const { raw } = trackTopics(track);
  const names: string[] = [];
  for (const [partition, first] of from.entries()) {
    const { end } = await log.bounds(raw, partition, NEVER);
    for (let offset = first; offset < end; ) {
      const page = await log.read(raw, partition, offset, { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 }, NEVER);
      for (const { meta: header, value } of page.records) {
        const meta = decodeRawMeta(header);
        if (!meta.ok || meta.value.tenant !== tenant) continue;
        for (const { scopeSpans } of decodeExport('traces', new Uint8Array(value!)).resourceSpans) {
          for (const { spans } of scopeSpans) names.push(...spans.map(({ name }) => name));
        }
      }
      offset = page.nextOffset;
    }
  }
  return names;
}

async function ends(track: string): Promise<number[]> {
  const { raw } = trackTopics(track);
  return Promise.all([0, 1, 2, 3].map(async (partition) => (await log.bounds(raw, partition, NEVER)).end));
}

const PHASES = [
  { name: 'before', shift: undefined },
  { name: 'quarter', shift: ['set', SHIFTED, '--to', 'v2', '--percent', '25'] },
  { name: 'whole', shift: ['set', SHIFTED, '--to', 'v2'] },
  { name: 'back', shift: ['set', SHIFTED, '--to', 'v2', '--percent', '0'] },
] as const;

test('a tenant is shifted 0 -> 25 -> 100 -> 0 % under load: nothing is lost, doubled or answered with an error, and others stay', async () => {
  const from = { v1: await ends('v1'), v2: await ends('v2') };
  const sent = { [SHIFTED]: [] as string[], [OTHER]: [] as string[] };
  const answers = new Map<string, number>();
  let phase: string = 'before';
  let running = true;
  const worker = async (tenant: string, way: number) => {
    for (let at = 0; running; at++) {
      const name = `${phase}-${way}-${at}`;
      sent[tenant]!.push(name);
      const answer = await send(tenant, name, way);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  };
  const workers = Array.from({ length: WORKERS }, (_, way) => worker(way < 6 ? SHIFTED : OTHER, way));
  for (const { name, shift } of PHASES) {
    if (shift !== undefined) {
      phase = `to-${name}`;
      const done = await ingestctl('rollout', ...shift, '--yes');
      expect(done).toMatchObject({ status: 0, err: '' });
      expect(JSON.parse(done.out)).toMatchObject({ changed: true, envoys: [{ hasThem: true }] });
      expect((await ingestctl('rollout', 'status')).status).toBe(0);
      // Envoy's main thread has them; its workers follow.
      await pause(200);
    }
    phase = name;
    const enough = () => sent[SHIFTED]!.filter((one) => one.startsWith(`${name}-`)).length;
    await expect.poll(enough, { timeout: 30_000 }).toBeGreaterThan(PER_PHASE);
  }
  running = false;
  await Promise.all(workers);
  expect([...answers.keys()]).toEqual(['200']);

  const tracks = { v1: await spansIn('v1', SHIFTED, from.v1), v2: await spansIn('v2', SHIFTED, from.v2) };
  expect([...tracks.v1, ...tracks.v2].toSorted()).toEqual(sent[SHIFTED]!.toSorted());
  expect((await spansIn('v1', OTHER, from.v1)).toSorted()).toEqual(sent[OTHER]!.toSorted());
  const shareOf = (name: string) => {
    const all = sent[SHIFTED]!.filter((one) => one.startsWith(`${name}-`)).length;
    return tracks.v2.filter((one) => one.startsWith(`${name}-`)).length / all;
  };
  expect(['before', 'whole', 'back'].map(shareOf)).toEqual([0, 1, 0]);
  // Of 600 by chance: six standard deviations either way.
  expect(shareOf('quarter')).toBeGreaterThan(0.14);
  expect(shareOf('quarter')).toBeLessThan(0.36);
  for (const tenant of [SHIFTED, OTHER]) {
    const sql = `SELECT count() AS n, uniqExact(SpanName) AS names FROM otel_traces WHERE TenantId = '${tenant}'`;
    const n = String(sent[tenant]!.length);
    await stack.until<{ n: string }>(sql, (row) => row.n === n, 60_000);
    expect(await stack.query(sql)).toEqual([{ n, names: n }]);
    const audit = await ingestctl('audit', '--tenant', tenant, '--tracks', 'v1,v2');
    expect(audit).toMatchObject({ status: 0 });
  }
}, 180_000);

test('a client that says itself where it goes goes there, whoever is shifted', async () => {
  const tenant = stack.freshTenant();
  const from = { v1: await ends('v1'), v2: await ends('v2') };
  expect((await ingestctl('rollout', 'set', tenant, '--to', 'v2', '--yes')).status).toBe(0);
  for (const way of [0, 1, 2]) {
    expect(await send(tenant, `own-v1-${way}`, way, { 'x-ingest-version': 'v1' })).toBe('200');
    expect(await send(tenant, `none-${way}`, way)).toBe('200');
  }
  expect((await ingestctl('rollout', 'back', tenant, '--yes')).status).toBe(0);
  expect((await ingestctl('rollout', 'back', tenant, '--yes')).status).toBe(0);
  expect(await send(tenant, 'own-v2-0', 0, { 'x-ingest-version': 'v2' })).toBe('200');
  expect(await send(tenant, 'none-back', 0)).toBe('200');
  const sorted = async (track: 'v1' | 'v2') => (await spansIn(track, tenant, from[track])).toSorted();
  expect(await sorted('v1')).toEqual(['none-back', 'own-v1-0', 'own-v1-1', 'own-v1-2']);
  expect(await sorted('v2')).toEqual(['none-0', 'none-1', 'none-2', 'own-v2-0']);
});

test('on Kubernetes the same routes are a manifest, and nothing is written', async () => {
  const copy = join(scratch, 'otlp.yaml');
  copyFileSync(ROUTES, copy);
  chmodSync(copy, 0o400);
  const before = readFileSync(copy, 'utf8');
  const { status, out } = await ingestctl(
    'rollout',
    'set',
    SHIFTED,
    '--to',
    'v2',
    '--routes',
    copy,
    '--output',
    'configmap',
  );
  expect(status).toBe(0);
  const manifest = parse(out) as { kind: string; metadata: { name: string }; data: Record<string, string> };
  expect(manifest).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'weir-envoy-routes' } });
  expect(manifest.data['otlp.yaml']).toContain(`v2-http-${SHIFTED}-`);
  expect(readFileSync(copy, 'utf8')).toBe(before);
});

test('what cannot be is refused, and nothing is changed', async () => {
  const before = readFileSync(ROUTES, 'utf8');
  for (const [args, status, said] of [
    [['set', 'nobody-at-all', '--to', 'v2'], 1, 'there is no tenant nobody-at-all'],
    [['set', SHIFTED, '--to', 'v1'], 2, '--to must be v2'],
    [['set', SHIFTED, '--to', 'v9'], 2, '--to must be v2'],
    [['set', SHIFTED, '--to', 'v2', '--envoy', '/nowhere/envoy'], 2, 'there is no /nowhere/envoy'],
  ] as const) {
    const done = await ingestctl('rollout', ...args, '--yes');
    expect({ args, ...done }).toMatchObject({ args, status, err: expect.stringContaining(said) });
  }
  const broken = join(scratch, 'broken.yaml');
  const text = before.replace(/timeout: 60s/g, 'timeout: soon');
  copyFileSync(ROUTES, broken);
  writeFile(broken, text);
  const done = await ingestctl('rollout', 'set', SHIFTED, '--to', 'v2', '--routes', broken, '--yes');
  expect(done).toMatchObject({ status: 1, err: expect.stringContaining('Envoy would refuse these routes') });
  expect([readFileSync(broken, 'utf8') === text, readFileSync(ROUTES, 'utf8') === before]).toEqual([true, true]);
});

test('routes are changed only where the operator says so', async () => {
  const before = readFileSync(ROUTES, 'utf8');
  const set = ['rollout', 'set', SHIFTED, '--to', 'v2', '--percent', '5'];
  expect(await asked(undefined, ...set)).toMatchObject({
    status: 2,
    out: '',
    err: expect.stringContaining('say --yes'),
  });
  const refused = await asked(false, ...set);
  expect(refused).toMatchObject({ status: 1, out: expect.stringMatching(/to +percent/), err: 'nothing was done\n' });
  const dry = await ingestctl(...set, '--dry-run');
  const shift = { tenant: SHIFTED, to: 'v2', percent: 5, keys: 1 };
  expect(JSON.parse(dry.out)).toEqual({ shifts: [shift], changed: false });
  expect(readFileSync(ROUTES, 'utf8')).toBe(before);
  const agreed = await asked(true, ...set);
  expect(agreed).toMatchObject({ status: 0, out: expect.stringContaining('has taken them') });
  const status = await ingestctl('rollout', 'status');
  expect(JSON.parse(status.out)).toMatchObject({
    shifts: [{ ...shift, keysNotShifted: 0 }],
    envoys: [{ hasThem: true }],
  });
  expect((await asked(true, 'rollout', 'back', SHIFTED)).status).toBe(0);
});
