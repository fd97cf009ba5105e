import { Journal, type LoadOptions, runLoad, verify } from '@weir/bench-load';
import { pause } from '@weir/testkit';
import { sharedStack } from '@weir/testkit/vitest';
import { expect, test } from 'vitest';

const stack = sharedStack();
/** 5,000 spans a second: 100 producers of 50. */
const SECONDS = 9;
const VERIFY_MS = 60_000;

function load(): LoadOptions {
  const { otlp } = stack.local;
  return {
    target: { ...otlp, ca: stack.ca },
    tenants: [{ name: 'demo', key: stack.key('demo'), weight: 1 }],
    producers: 100,
    rate: 50,
    seconds: SECONDS,
    itemsPerExport: 50,
    transports: ['http', 'grpc'],
    signals: ['traces'],
    errors: 0.05,
    gzip: false,
    connections: 4,
    outstandingMax: 1_000,
  };
}

/** Runs a load with something happening in it, and says what became of what was accepted. */
async function survive(strike: () => Promise<void>) {
  const journal = new Journal();
  const running = runLoad(load(), { onFate: (fate) => journal.add(fate) });
  await pause(2_500);
  await strike();
  const { run, totals } = await running;
  const verdict = await verify(stack.local.clickhouse, run, journal, VERIFY_MS);
  return { totals, verdict, accepted: journal.items('accepted') };
}

async function expectReady(service: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await stack.ready(service))) {
    if (Date.now() > deadline) throw new Error(`${service} is not ready again:\n${stack.log(service)}`);
    await pause(200);
  }
}

test.each(['edge', 'normalizer', 'sink'])(
  'kill -9 of the %s at 5,000 spans a second loses and doubles nothing',
  async (name) => {
    const before = stack.pid(name);
    const { verdict, accepted } = await survive(async () => stack.signal(name, 'SIGKILL'));
    expect(accepted).toBeGreaterThan(10_000);
    expect(verdict).toMatchObject({ lost: 0, doubled: 0, alien: 0 });
    await expectReady(name);
    expect(stack.pid(name)).not.toBe(before);
  },
);

test('kill -9 of ClickHouse loses and doubles nothing, and refuses nothing meanwhile', async () => {
  const { verdict, accepted, totals } = await survive(async () => stack.signal('clickhouse', 'SIGKILL'));
  expect(totals.refusedItems).toBe(0);
  expect(accepted).toBe(totals.sentItems);
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, alien: 0 });
});

test('kill -9 of Kafka is answered with retryable statuses only, and loses and doubles nothing', async () => {
  const { verdict, totals } = await survive(async () => stack.signal('kafka', 'SIGKILL'));
  const wrong = [...totals.reasons.keys()].filter((reason) => !/^(HTTP 503|HTTP 429|gRPC 14|gRPC 4)$/.test(reason));
  expect(wrong).toEqual([]);
  // What was answered 503 may be stored, once: the client was told that it is not known.
  expect(verdict).toMatchObject({ lost: 0, doubled: 0, alien: 0 });
  for (const service of ['edge', 'normalizer', 'sink']) await expectReady(service);
});
