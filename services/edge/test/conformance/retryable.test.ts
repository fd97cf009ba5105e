import { REFUSALS, type RefusalReason, refuse } from '@weir/pipeline';
import { decodeRetryInfo, ExportWire, WIRE_TRANSPORTS, type WireOutcome } from '@weir/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Answer } from '../../src/exports.ts';
import { items, oneItem } from './made-exports.ts';
import { type Receivers, startReceivers } from './receivers.ts';
import { behaves, stack, title } from './row.ts';

/** What clients try again, as the specification lists it; RESOURCE_EXHAUSTED (8) only with RetryInfo. */
const RETRYABLE_HTTP = new Set([429, 502, 503, 504]);
const RETRYABLE_GRPC = new Set([1, 4, 10, 11, 14, 15]);

let receivers: Receivers;
let wire: ExportWire;
let answer: Answer;

beforeAll(async () => {
  receivers = await startReceivers({ consume: async () => answer });
  wire = new ExportWire(receivers.target);
});

afterAll(async () => {
  wire.close();
  await receivers.stop();
});

/** Seconds after which the client is told to come again, wherever it may look for them; all must agree. */
function retryAfter(transport: string, outcome: WireOutcome): number | undefined {
  const info = outcome.status?.details.find(({ type }) => type === 'google.rpc.RetryInfo')?.retryAfterS;
  const trailer = outcome.headers['google.rpc.retryinfo-bin'];
  const other =
    transport === 'gRPC'
      ? trailer === undefined
        ? undefined
        : decodeRetryInfo(Buffer.from(trailer, 'base64'))
      : outcome.headers['retry-after'] === undefined
        ? undefined
        : Number(outcome.headers['retry-after']);
  expect(other).toBe(info);
  return info;
}

// The one whose codes do not say the same: a client of gRPC may try again what did not come in time, one of HTTP drops it.
const AMBIGUOUS: RefusalReason = 'body_timeout';
const REASONS = (Object.keys(REFUSALS) as RefusalReason[]).filter((reason) => reason !== AMBIGUOUS);

for (const reason of REASONS) {
  for (const transport of WIRE_TRANSPORTS) {
    const { retryable, http, grpc } = REFUSALS[reason];
    const what = retryable ? 'is retryable, and says when' : 'is final, and says nothing of trying again';
    test(title(12, transport, 'edge', `the refusal ${reason} ${what}`), async () => {
      answer = refuse(reason, `refused as ${reason}`, 3);
      const outcome = await wire.send(transport, { signal: 'traces', body: oneItem('traces', 'x'), key: 'any' });
      expect(outcome.code).toBe(grpc);
      expect(outcome.status).toMatchObject({ code: grpc, message: `${reason}: refused as ${reason}` });
      const seconds = retryAfter(transport, outcome);
      expect(seconds).toBe(retryable ? 3 : undefined);
      if (transport === 'gRPC')
        expect(RETRYABLE_GRPC.has(grpc) || (grpc === 8 && seconds !== undefined)).toBe(retryable);
      else {
        expect(outcome.http).toBe(http);
        expect(RETRYABLE_HTTP.has(http)).toBe(retryable);
      }
    });
  }
}

for (const transport of WIRE_TRANSPORTS) {
  test(
    title(12, transport, 'edge', 'what did not come in time is 408 or DEADLINE_EXCEEDED, without a time to come again'),
    async () => {
      answer = refuse(AMBIGUOUS, 'late');
      const outcome = await wire.send(transport, { signal: 'traces', body: oneItem('traces', 'x'), key: 'any' });
      expect([outcome.code, retryAfter(transport, outcome)]).toEqual([4, undefined]);
      if (transport !== 'gRPC') expect(outcome.http).toBe(408);
    },
  );

  test(title(12, transport, 'edge', 'a time to come again is whole seconds, and never 0'), async () => {
    for (const seconds of [0, 0.2, 1.5]) {
      answer = refuse('sink_full', 'full', seconds);
      const outcome = await wire.send(transport, { signal: 'traces', body: oneItem('traces', 'x'), key: 'any' });
      expect(retryAfter(transport, outcome)).toBe(Math.max(1, Math.ceil(seconds)));
    }
  });

  test(title(8, transport, 'edge', 'a transient failure is no partial success'), async () => {
    answer = refuse('kafka_unavailable', 'Kafka did not answer');
    const body = items('traces', 'x', [{}, { traceId: new Uint8Array(3) }]);
    const outcome = await wire.send(transport, { signal: 'traces', body, key: 'any' });
    expect([outcome.partial, outcome.code]).toEqual([undefined, 14]);
  });

  test(title(3, transport, 'edge', 'an answer is far below 4 MiB, whatever it has to say'), async () => {
    const message = 'é'.repeat(5 * 1024 ** 2);
    for (const each of [
      refuse('malformed', message),
      { kind: 'accepted', acceptedItems: 1, rejectedItems: 1, message } as const,
    ]) {
      answer = each;
      const outcome = await wire.send(transport, { signal: 'traces', body: oneItem('traces', 'x'), key: 'any' });
      expect(outcome.body.length).toBeLessThan(16 * 1024);
      expect(outcome.partial?.message ?? outcome.status?.message).toMatch(/^(malformed: )?éé/);
    }
  });
}

behaves(
  12,
  "over a tenant's rate is 429 or RESOURCE_EXHAUSTED, with the time to come again",
  async ({ transport, wire: real }) => {
    const body = items('traces', 'over', [{}, {}, {}]);
    const send = () => real.send(transport, { signal: 'traces', body, key: stack.key('throttled') });
    let outcome = await send();
    for (let i = 0; i < 5 && outcome.code === 0; i++) outcome = await send();
    expect([outcome.http, outcome.code]).toEqual([transport === 'gRPC' ? 200 : 429, 8]);
    expect(retryAfter(transport, outcome)).toBeGreaterThanOrEqual(1);
  },
);
