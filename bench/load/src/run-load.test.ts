import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { decodeExport } from '@weir/testkit';
import { afterEach, expect, test } from 'vitest';
import { runLoadProcess } from './load-process.ts';
import { ID_ATTRIBUTE } from './payload.ts';
import { type Fate, type LoadOptions, runLoad } from './run-load.ts';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** An endpoint that answers as `answer` says; resolves to its URL. */
function endpoint(answer: (response: ServerResponse, body: Buffer, key: string) => void): Promise<string> {
  const made = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(response, Buffer.concat(chunks), request.headers.authorization ?? ''));
  });
  server = made;
  return new Promise((resolve) => {
    made.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(made.address() as AddressInfo).port}`));
  });
}

function options(url: string, own: Partial<LoadOptions> = {}): LoadOptions {
  return {
    target: { grpc: url, http: url, ca: undefined },
    tenants: [{ name: 'a', key: 'ka', weight: 1 }],
    producers: 20,
    rate: 50,
    seconds: 0.6,
    itemsPerExport: 10,
    transports: ['http'],
    signals: ['traces'],
    errors: 0.05,
    gzip: false,
    connections: 8,
    outstandingMax: 100,
    ...own,
  };
}

test('producers send at their rate, tenants have their weight, and no id comes twice', async () => {
  const ids = new Map<string, number>();
  const keys = new Map<string, number>();
  const url = await endpoint((response, body, key) => {
    for (const { scopeSpans } of decodeExport('traces', body).resourceSpans) {
      for (const { attributes } of scopeSpans.flatMap(({ spans }) => spans)) {
        const id = String(attributes.at(-1)?.value?.value.value);
        ids.set(id, (ids.get(id) ?? 0) + 1);
      }
    }
    keys.set(key, (keys.get(key) ?? 0) + 1);
    response.end();
  });
  const tenants = [
    { name: 'a', key: 'ka', weight: 3 },
    { name: 'b', key: 'kb', weight: 1 },
  ];
  const { totals } = await runLoad(options(url, { tenants }));
  // 20 producers send every 200 ms from a staggered start: 3 exports of 10 items each.
  expect(totals.sentItems).toBe(600);
  expect(totals).toMatchObject({
    acceptedItems: 600,
    refusedItems: 0,
    unknownItems: 0,
    unsentItems: 0,
    outstanding: 0,
  });
  expect(ids.size).toBe(600);
  expect(new Set(ids.values())).toEqual(new Set([1]));
  expect([keys.get('Bearer ka'), keys.get('Bearer kb')]).toEqual([45, 15]);
  expect(totals.latency.totalCount).toBe(60);
});

test('exports leave though the earlier ones have no answer, up to the bound; the others are counted as not sent', async () => {
  const open: ServerResponse[] = [];
  const url = await endpoint((response) => {
    open.push(response);
  });
  setTimeout(() => {
    for (const response of open) response.end();
  }, 800);
  const { totals } = await runLoad(options(url, { outstandingMax: 15, connections: 15 }));
  expect(totals.sentItems).toBe(150);
  expect(totals.unsentItems).toBe(450);
  expect(totals.acceptedItems).toBe(150);
});

test('what is not sent while connections are opened is not counted', async () => {
  const open: ServerResponse[] = [];
  const url = await endpoint((response) => {
    open.push(response);
  });
  setTimeout(() => {
    for (const response of open) response.end();
  }, 800);
  const { totals } = await runLoad(options(url, { outstandingMax: 15, connections: 15, settleSeconds: 10 }));
  expect(totals).toMatchObject({ sentItems: 150, unsentItems: 0 });
});

test('refusals are counted by status, and what is cut off is unknown', async () => {
  let number = 0;
  const url = await endpoint((response) => {
    number++;
    if (number % 3 === 0) response.writeHead(429).end();
    else if (number % 3 === 1) response.writeHead(503).end();
    else response.destroy();
  });
  const attempts: Omit<Fate, 'sent'>[] = [];
  const fates: Fate[] = [];
  const { totals } = await runLoad(options(url), {
    onSend: (attempt) => attempts.push(attempt),
    onFate: (fate) => fates.push(fate),
  });
  expect([totals.acceptedItems, totals.refusedItems, totals.unknownItems]).toEqual([0, 400, 200]);
  expect([totals.reasons.get('HTTP 429'), totals.reasons.get('HTTP 503')]).toEqual([200, 200]);
  const key = ({ producer, first }: Omit<Fate, 'sent'>) => `${producer}/${first}`;
  expect(fates.map(key).sort()).toEqual(attempts.map(key).sort());
  expect(new Set(fates.map(({ sent }) => sent.kind))).toEqual(new Set(['refused', 'unknown']));
});

test('an abort ends the load early', async () => {
  const url = await endpoint((response) => response.end());
  const { seconds } = await runLoad(options(url, { seconds: 30 }), { signal: AbortSignal.timeout(200) });
  expect(seconds).toBeLessThan(5);
});

test('what an export waits before it is sent is in its latency', async () => {
  const url = await endpoint((response) => setTimeout(() => response.end(), 200));
  // One connection at five exports a second each 200 ms: every later one waits for those before it.
  const own = { producers: 1, rate: 100, connections: 1, seconds: 0.8, itemsPerExport: 5 };
  const { totals } = await runLoad(options(url, own));
  expect(totals.acceptedItems).toBe(totals.sentItems);
  expect(totals.latency.getValueAtPercentile(50)).toBeGreaterThan(600_000);
  expect(totals.lateness.getValueAtPercentile(50)).toBeLessThan(100_000);
});

test('what is due while connections are opened is sent and is not in the latencies', async () => {
  const url = await endpoint((response) => response.end());
  const { totals } = await runLoad(options(url, { seconds: 0.6, settleSeconds: 0.4 }));
  const exports = totals.acceptedItems / 10;
  expect(totals.latency.totalCount).toBeGreaterThan(0);
  expect(totals.latency.totalCount).toBeLessThan(exports / 2);
});

test('ready exports are made and compressed once, and sent again and again', async () => {
  const bodies = new Set<string>();
  const url = await endpoint((response, body) => {
    bodies.add(gunzipSync(body).toString('latin1'));
    response.end();
  });
  const { totals } = await runLoad(options(url, { producers: 2, ready: 3, rate: 200, gzip: true }));
  expect(totals.acceptedItems).toBe(totals.sentItems);
  expect(totals.acceptedItems / 10).toBeGreaterThan(bodies.size);
  expect(bodies.size).toBeLessThanOrEqual(6);
});

test('items have as many attributes as are asked for, their id among them', async () => {
  const counts = new Set<number>();
  const url = await endpoint((response, body) => {
    for (const { scopeSpans } of decodeExport('traces', body).resourceSpans) {
      for (const { attributes } of scopeSpans.flatMap(({ spans }) => spans)) {
        counts.add(attributes.length);
        expect(attributes.at(-1)?.key).toBe(ID_ATTRIBUTE);
      }
    }
    response.end();
  });
  for (const attributes of [1, 4, 8, 32]) await runLoad(options(url, { seconds: 0.1, attributes }));
  expect([...counts]).toEqual([1, 4, 8, 32]);
});

test('a load in a process of its own reports the same', async () => {
  const url = await endpoint((response) => response.end());
  const report = await runLoadProcess(options(url, { seconds: 0.3 }));
  expect(report.acceptedItems).toBeGreaterThan(0);
  expect(report).toMatchObject({ acceptedItems: report.sentItems, unsentItems: 0, reasons: {} });
  expect(report.answerMs.p99).toBeGreaterThan(0);
  expect(report.generatorCpuS).toBeGreaterThan(0);
  expect(report.fates).toHaveLength(20);
  expect(report.fates.join('')).toBe('a'.repeat(report.acceptedItems / 10));
});

test('a load in a process of its own can be broken off', async () => {
  const url = await endpoint((response) => response.end());
  const stopping = AbortSignal.timeout(500);
  await expect(runLoadProcess(options(url, { seconds: 60 }), stopping)).rejects.toThrow('timeout');
});
