import { encodeExport, OtlpClient, type TestStack } from '@weir/testkit';
import { runSideLoad, type SideLoad } from '../side-load.ts';
import { expectThat } from '../until.ts';
import type { FaultRow } from './row.ts';

const TENANT = 'case-4';
const MIB = 1024 ** 2;
/** Of 390 bytes each: 5 MB and 12 MB, of which records take 4 MiB; one a second, which is no more than the machine bears beside the load. */
const LARGE = [13_000, 31_000] as const;
const NEIGHBOURS = 20;

/** Spans of which one is larger than a record may be. */
function withGiant(): Buffer {
  const startTimeUnixNano = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: NEIGHBOURS }, (_, i) => ({
    traceId: new Uint8Array(16).fill(6),
    spanId: new Uint8Array(8).fill(i + 1),
    name: i === NEIGHBOURS / 2 ? 'x'.repeat(9 * MIB) : 'small',
    startTimeUnixNano,
  }));
  return Buffer.from(encodeExport('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

/** What each transport says of an export with an item that is too large. */
async function refusals(stack: TestStack): Promise<string> {
  const client = new OtlpClient(stack);
  try {
    const key = stack.key(TENANT);
    const body = withGiant();
    const http = await client.export('traces', body, { key });
    const grpc = await client.grpc('traces', body, { key });
    const code = grpc.ok ? 0 : grpc.error.code;
    const retried = http.headers['retry-after'] ?? (grpc.ok ? [] : grpc.error.metadata.get('google.rpc.retryinfo-bin'));
    expectThat(retried.length === 0, 'a client is told to send an item again that is too large');
    return `HTTP ${http.status}, gRPC ${code}`;
  } finally {
    await client.close();
  }
}

/** Exports, and items, that are larger than others. */
export const SIZE_ROWS: readonly FaultRow[] = [
  {
    name: 'record-too-large',
    fault: 'exports above the record limit are split; one item above it is 413; their neighbours are stored',
    strike: async ({ stack }, _random, load) => {
      const large: SideLoad[] = [];
      for (const itemsPerExport of LARGE) {
        large.push(
          await runSideLoad(stack, TENANT, { producers: 2, rate: itemsPerExport / 2, seconds: 4, itemsPerExport }),
        );
      }
      const told = await refusals(stack);
      expectThat(told === 'HTTP 413, gRPC 8', `an item that is too large was answered ${told}`);
      load.afterwards(async (reasons) => {
        const others = Object.keys(reasons);
        expectThat(others.length === 0, `the others were answered ${others.join(', ')}`);
        for (const each of large) await each.verify();
        const accepted = large.map(({ totals }) => totals.acceptedItems / totals.sentItems);
        expectThat(Math.min(...accepted) === 1, `of the large exports ${accepted.join(' and ')} were accepted`);
        const [row] = await stack.query<{ giants: number }>(
          `SELECT toUInt32(count()) AS giants FROM otel_traces WHERE TenantId = '${TENANT}' AND length(SpanName) > 1000`,
        );
        expectThat(row?.giants === 0, 'an item that was refused is stored');
        return { 'spans in exports above the limit': large.reduce((sum, { totals }) => sum + totals.acceptedItems, 0) };
      });
    },
  },
];
