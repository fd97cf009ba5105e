import { CONTROL_TOPICS, encodeDlqMeta } from '@weir/records';
import { SimulatedLog, VirtualTime } from '@weir/testkit';
import { expect, test } from 'vitest';
import type { Context } from '../context.ts';
import { plan } from './dlq-redrive.ts';
import type { Letter } from './letters.ts';
import { RedriveJournal } from './redrive-journal.ts';

const NEVER = new AbortController().signal;

test('of the letters that a promotion holds a plan shows those that were asked for only', async () => {
  const time = new VirtualTime(1);
  const log = new SimulatedLog(time, { answerLost: 0, late: 0, lost: 0 });
  let printed = '';
  const outside = {
    out: (text: string) => {
      printed += text;
    },
  };
  const running = (async () => {
    for (const [sourceOffset, tenant] of ['acme', 'globex'].entries()) {
      const source = { sourceTopic: 'weir.raw.v1', sourcePartition: 0, sourceOffset, sourceIndex: 0 };
      const what = { tenant, signal: 'logs', reason: 'invalid_time', message: '', items: 1, firstSeenNs: 0n } as const;
      await log.append(CONTROL_TOPICS.dlq, 0, [
        { key: null, value: null, meta: encodeDlqMeta({ ...what, ...source }) },
      ]);
    }
    const journal = new RedriveJournal(log, time);
    const letters = ['weir.raw.v1/0/0/0', 'weir.raw.v1/0/1/0'];
    await journal.put({ kind: 'promote', chunk: 'one', replay: 'x', letters }, NEVER);
    const run = {
      log: log as never,
      journal,
      wanted: ({ meta }: Letter) => meta.tenant === 'acme',
      tenantOf: () => undefined,
      trackOf: () => 'v1' as const,
      partitionsOf: async () => 1,
      end: 2,
    };
    const planned = await plan({ outside, options: {} } as unknown as Context, run, NEVER);
    expect(planned).toEqual({ letters: 0, items: 0, left: 0, cutOff: 0 });
  })();
  await time.run(Number.POSITIVE_INFINITY);
  await running;
  expect(printed).toContain('held by a promotion: ingestctl shadow promote x');
  expect(printed).toContain('acme');
  expect(printed).not.toContain('globex');
});
