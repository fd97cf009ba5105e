import { CONTROL_TOPICS, encodeDlqMeta } from '@weir/records';
import { SimulatedLog, VirtualTime } from '@weir/testkit';
import { expect, test } from 'vitest';
import { reachOf } from './dlq-purge.ts';
import { RedriveJournal } from './redrive-journal.ts';

const NEVER = new AbortController().signal;

/** Letters of these tenants, each from an offset of its own. */
async function letters(log: SimulatedLog, tenants: readonly string[]): Promise<void> {
  for (const [sourceOffset, tenant] of tenants.entries()) {
    const source = { sourceTopic: 'weir.raw.v1', sourcePartition: 0, sourceOffset, sourceIndex: 0 };
    const what = { tenant, signal: 'logs', reason: 'invalid_time', message: '', items: 1, firstSeenNs: 0n } as const;
    await log.append(CONTROL_TOPICS.dlq, 0, [{ key: null, value: null, meta: encodeDlqMeta({ ...what, ...source }) }]);
  }
}

const key = (offset: number) => `weir.raw.v1/0/${offset}/0`;

test('what Kafka lets go of are the oldest letters, those of others that were done with before counted by tenant', async () => {
  const time = new VirtualTime(1);
  const log = new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 });
  const running = (async () => {
    await letters(log, ['acme', 'globex', 'acme', 'initech', 'acme', 'globex', 'acme']);
    const journal = new RedriveJournal(log, time);
    await journal.put({ kind: 'purged', letters: [key(0), key(1), key(2), key(5)] }, NEVER);
    const reach = (tenant: string) =>
      reachOf({ log, journal } as never, 7, ({ meta }) => meta.tenant === tenant, NEVER);
    expect(await reach('initech')).toEqual({ before: 4, doneBefore: { acme: 2, globex: 1 }, behind: 1 });
    expect(await reach('acme')).toEqual({ before: 3, doneBefore: { globex: 1 }, behind: 3 });
    expect(await reach('nobody')).toEqual({ before: 3, doneBefore: { acme: 2, globex: 1 }, behind: 1 });
  })();
  await time.run(Number.POSITIVE_INFINITY);
  await running;
});

test('letters that were purged, and that a promotion has taken meanwhile, are not let go of', async () => {
  const time = new VirtualTime(1);
  const log = new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 });
  const running = (async () => {
    await letters(log, ['acme', 'acme', 'acme']);
    const journal = new RedriveJournal(log, time);
    await journal.put({ kind: 'purged', letters: [key(0), key(1), key(2)] }, NEVER);
    const promotion = { kind: 'promote', chunk: 'one', replay: 'x', letters: [key(1)] } as const;
    await new RedriveJournal(log, time).put(promotion, NEVER);
    const reach = await reachOf({ log, journal } as never, 3, () => false, NEVER);
    expect(reach).toEqual({ before: 1, doneBefore: { acme: 1 }, behind: 1 });
  })();
  await time.run(Number.POSITIVE_INFINITY);
  await running;
});
