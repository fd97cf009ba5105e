import { encodeExport, OtlpClient } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ANSWER_CASES } from '../src/answer-case.ts';
import { type Measured, measureClient, PROTOCOLS, TRANSPORTS, type Transport } from '../src/measure.ts';
import { runProgram } from '../src/run-program.ts';
import { SDK_CLIENTS } from '../src/sdk-client.ts';

// Those of the clients that need nothing but what the tests need anyway. `npm run clients` measures all.
const CLIENTS = SDK_CLIENTS.filter(({ name }) => name === 'js' || name === 'python');
const CASES = ['success', 'rate-1s', 'kafka-away', 'stopping', 'malformed', 'too-large', 'no-key'];
const TENANT = 'debtor';
/** The tenant's rate is 10 a second with a burst of 20: an export of so many leaves it over its rate for 4 s. */
const DEBT_ITEMS = 60;

const stack = sharedStack();
const client = new OtlpClient(stack);

beforeAll(async () => {
  for (const each of CLIENTS) await each.install();
}, 180_000);

afterAll(() => client.close());

/** Attempts, whether it arrived, and whether each attempt came no sooner than was asked. */
function outcome(measured: readonly Measured[], transport: Transport, answer: string) {
  const found = measured.find((each) => each.transport === transport && each.answer === answer)!;
  const askedS = ANSWER_CASES.find(({ name }) => name === answer)?.refusal?.retryAfterS ?? 0;
  return [found.attempts, found.arrived, found.waitsS.every((wait) => wait >= askedS - 0.05)];
}

test.each(CLIENTS)('the exporters of $title come again when they were told to, and only then', async (sdk) => {
  const measured = await measureClient(
    sdk,
    ANSWER_CASES.filter(({ name }) => CASES.includes(name)),
  );
  for (const transport of TRANSPORTS) {
    const comesAgain = sdk.name !== 'js' || transport !== 'grpc';
    const once = [1, false, true];
    expect(outcome(measured, transport, 'success')).toEqual([1, true, true]);
    expect(outcome(measured, transport, 'rate-1s')).toEqual(comesAgain ? [3, true, true] : once);
    expect(outcome(measured, transport, 'kafka-away')).toEqual(comesAgain ? [2, true, true] : once);
    expect(outcome(measured, transport, 'stopping')).toEqual(comesAgain ? [2, true, true] : once);
    expect(outcome(measured, transport, 'malformed')).toEqual(once);
    expect(outcome(measured, transport, 'no-key')).toEqual(once);
    // Python's gRPC exporter comes again without having been told to.
    if (transport === 'http' || sdk.name === 'js') expect(outcome(measured, transport, 'too-large')).toEqual(once);
  }
});

function refused(transport: Transport): Promise<number> {
  const labels = { signal: 'traces', transport, reason: 'tenant_items_rate' };
  return stack.metric('edge', 'weir_edge_refused_exports_total', labels);
}

test('what real exporters sent while their tenant was over its rate is stored once when they have come again', async () => {
  const logs = Array.from({ length: DEBT_ITEMS }, () => ({ timeUnixNano: 1_700_000_000_000_000_000n }));
  const body = encodeExport('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: logs }] }] });
  const before = await Promise.all(TRANSPORTS.map(refused));
  const indebted = Promise.withResolvers<number>();
  let starting = CLIENTS.length;
  const onReady = async () => {
    starting--;
    if (starting === 0) {
      const { status } = await client.export('logs', Buffer.from(body), { key: stack.key(TENANT) });
      indebted.resolve(status);
    }
    expect(await indebted.promise).toBe(200);
  };

  const told = await Promise.all(
    CLIENTS.map(async (sdk) => {
      const lines = TRANSPORTS.map((transport) => ({
        name: `${sdk.name} ${transport}`,
        protocol: PROTOCOLS[transport],
        endpoint: stack.local.otlp[transport],
        paddingBytes: 0,
        key: stack.key(TENANT),
      }));
      return [...(await runProgram(await sdk.install(), lines, stack.local.ca, onReady))];
    }),
  );
  expect(Object.fromEntries(told.flat())).toEqual({
    'js http': 'success',
    'js grpc': 'failure',
    'python http': 'success',
    'python grpc': 'success',
  });
  const after = await Promise.all(TRANSPORTS.map(refused));
  for (const [index, count] of after.entries()) expect(count - before[index]!).toBeGreaterThanOrEqual(CLIENTS.length);
  const spans = `SELECT arraySort(groupArray(SpanName)) AS names FROM otel_traces WHERE TenantId = '${TENANT}'`;
  const { names } = await stack.until<{ names: string[] }>(spans, (row) => row.names.length >= 3);
  expect(names).toEqual(['js http', 'python grpc', 'python http']);
});
