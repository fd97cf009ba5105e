import { SIGNALS, type SignalKind } from '@weir/pipeline';
import { readRawPosition, TABLE_COLUMNS, TABLES } from '@weir/records';
import {
  decodeExport,
  decodeJsonExport,
  type ExpectedRow,
  encodeExport,
  encodeJsonExport,
  exactSelect,
  expectedRows,
  exportRequest,
  type OracleRequestInit,
  OtlpClient,
  type RowOwner,
  readSample,
  SAMPLES,
} from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';

const stack = sharedStack();
const throughEnvoy = new OtlpClient(stack);
const direct = new OtlpClient(stack, { direct: true });
const EXPORTS = 4;
const SEED = 20_261_121;

afterAll(() => Promise.all([throughEnvoy.close(), direct.close()]));

const TRANSPORTS = ['grpc', 'protobuf', 'json'] as const;
const CASES = TRANSPORTS.flatMap((transport) =>
  [false, true].flatMap((gzip) => SIGNALS.map((signal) => ({ transport, gzip, signal }))),
).map((one, number) => ({ ...one, tenant: stack.freshTenant(), way: number % 3 === 2 ? 'direct' : 'Envoy' }));

/** A log without any time gets the time it was received, which a test cannot know. */
function withTimes(signal: SignalKind, bytes: Uint8Array): Uint8Array {
  if (signal !== 'logs') return bytes;
  const request = decodeExport('logs', bytes);
  for (const { scopeLogs } of request.resourceLogs) {
    for (const { logRecords } of scopeLogs)
      for (const record of logRecords) record.observedTimeUnixNano ||= 1_700_000_000n;
  }
  return encodeExport('logs', request as OracleRequestInit<'logs'>);
}

function generate(signal: SignalKind, seed: number): Uint8Array[] {
  const arbitrary = exportRequest(signal).map((init) => withTimes(signal, encodeExport(signal, init)));
  return fc.sample(arbitrary, { numRuns: EXPORTS, seed });
}

function ownerOf(tenant: string): RowOwner {
  return { tenant, retentionDays: 30, receivedAtNs: BigInt(Date.now()) * 1_000_000n };
}

function sorted(rows: readonly ExpectedRow[]): string[] {
  return rows.map((row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))).sort();
}

/** Waits until the tenant's rows are all there, and compares each table with what the official decoder says. */
async function expectStored(sent: readonly { signal: SignalKind; bytes: Uint8Array }[], tenant: string): Promise<void> {
  const expected = new Map<string, ExpectedRow[]>();
  for (const { signal, bytes } of sent) {
    const { rows } = expectedRows(signal, decodeExport(signal, bytes), ownerOf(tenant));
    for (const table of TABLES) expected.set(table, [...(expected.get(table) ?? []), ...(rows[table] ?? [])]);
  }
  for (const table of TABLES) {
    const wanted = expected.get(table) ?? [];
    if (wanted.length === 0) continue;
    const where = `FROM ${table} WHERE TenantId = '${tenant}'`;
    await stack.until<{ n: string }>(`SELECT count() AS n ${where}`, ({ n }) => Number(n) >= wanted.length);
    const found = await stack.query<ExpectedRow>(`SELECT ${exactSelect(TABLE_COLUMNS[table])} ${where}`);
    expect(found.filter(({ RawPosition }) => readRawPosition(BigInt(String(RawPosition)))?.track !== 'v1')).toEqual([]);
    // Which record each came in is Kafka's to say.
    expect(sorted(found.map((row) => ({ ...row, RawPosition: '0' })))).toEqual(sorted(wanted));
  }
}

async function send(
  client: OtlpClient,
  transport: (typeof TRANSPORTS)[number],
  signal: SignalKind,
  bytes: Uint8Array,
  options: { key: string; gzip: boolean },
): Promise<void> {
  const body = Buffer.from(bytes);
  const { invalid } = expectedRows(signal, decodeExport(signal, bytes), ownerOf('any'));
  const rejected = Object.values(invalid).reduce((sum, items) => sum + items, 0);
  if (transport === 'grpc') {
    const answer = await client.grpc(signal, body, options);
    expect(answer.ok ? '' : answer.error.message).toBe('');
    if (answer.ok) expect(answer.body.length > 0).toBe(rejected > 0);
    return;
  }
  const answer = await client.export(signal, transport === 'json' ? encodeJsonExport(signal, bytes) : body, options);
  expect([answer.status, answer.body.toString()]).toEqual([200, expect.anything()]);
  if (rejected === 0) expect(answer.body.toString()).toBe(transport === 'json' ? '{}' : '');
  else if (transport === 'json') {
    const { partialSuccess } = JSON.parse(answer.body.toString());
    expect(Object.values(partialSuccess)).toContain(String(rejected));
  } else expect(answer.body.length).toBeGreaterThan(0);
}

test.each(CASES)('$signal over $transport, gzip $gzip, through $way: every field arrives', async (one) => {
  const { transport, gzip, signal, tenant, way } = one;
  const client = way === 'direct' ? direct : throughEnvoy;
  const exports = generate(signal, SEED + CASES.indexOf(one));
  for (const bytes of exports) await send(client, transport, signal, bytes, { key: stack.key(tenant), gzip });
  await expectStored(
    exports.map((bytes) => ({ signal, bytes })),
    tenant,
  );
});

test('the official samples arrive as they are written', async () => {
  const tenant = stack.freshTenant();
  const sent: { signal: SignalKind; bytes: Uint8Array }[] = [];
  for (const { name, signal } of SAMPLES) {
    const text = readSample(name);
    const answer = await throughEnvoy.export(signal, text, { key: stack.key(tenant) });
    expect([answer.status, answer.body.toString()]).toEqual([200, '{}']);
    sent.push({ signal, bytes: encodeExport(signal, decodeJsonExport(signal, text) as OracleRequestInit<SignalKind>) });
  }
  await expectStored(sent, tenant);
});

test('what is compressed with zstd or deflate arrives too', async () => {
  const { deflateSync, zstdCompressSync } = await import('node:zlib');
  const tenant = stack.freshTenant();
  const exports = generate('traces', SEED + 1_000);
  const codecs = [
    ['zstd', zstdCompressSync],
    ['deflate', deflateSync],
  ] as const;
  for (const [index, bytes] of exports.entries()) {
    const [name, compress] = codecs[index % 2]!;
    const answer = await direct.http('/v1/traces', compress(bytes), {
      'x-api-key': stack.key(tenant),
      'content-type': 'application/x-protobuf',
      'content-encoding': name,
    });
    expect(answer.status).toBe(200);
  }
  await expectStored(
    exports.map((bytes) => ({ signal: 'traces' as const, bytes })),
    tenant,
  );
});
