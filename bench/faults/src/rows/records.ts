import { randomBytes } from 'node:crypto';
import { createKafkaLog, type KafkaLog } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { CONTROL_TOPICS, type DlqMeta, decodeDlqMeta, dlqKey, trackGroups, trackTopics } from '@weir/records';
import { pause } from '@weir/testkit';
import kafkajs from 'kafkajs';
import type { FaultStack } from '../fault-stack.ts';
import { expectThat, until } from '../until.ts';
import type { FaultRow, RunningLoad } from './row.ts';

const PARTITIONS = 4;
const NEVER = new AbortController().signal;

async function withLog<T>({ stack }: FaultStack, use: (log: KafkaLog) => Promise<T>): Promise<T> {
  const log = createKafkaLog(
    { brokers: stack.local.kafka.brokers, clientId: 'weir-faults' },
    { warn: () => undefined, debug: () => undefined },
    systemClock,
  );
  try {
    return await use(log);
  } finally {
    await log.close();
  }
}

/** What weir.dlq holds from an offset on; copies with the same key are one. */
async function letters(log: KafkaLog, from: number): Promise<Map<string, DlqMeta>> {
  const found = new Map<string, DlqMeta>();
  const { end } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
  for (let offset = from; offset < end; ) {
    const page = await log.read(CONTROL_TOPICS.dlq, 0, offset, { maxBytes: 4 * 1024 ** 2, maxWaitMs: 500 }, NEVER);
    for (const { meta } of page.records) {
      const letter = decodeDlqMeta(meta);
      if (!letter.ok) throw new Error(letter.message);
      found.set(dlqKey(letter.value), letter.value);
    }
    offset = page.nextOffset;
  }
  return found;
}

/** Puts bytes into the partitions of a topic that are not records of ours, and looks for each of them in weir.dlq. */
async function poison(stack: FaultStack, load: RunningLoad, which: 'raw' | 'rows'): Promise<void> {
  const topic = trackTopics('v1')[which];
  const records = [
    { key: null, value: randomBytes(100), meta: null },
    { key: null, value: null, meta: Buffer.of(250, 1, 2) },
  ];
  const poisoned: string[] = [];
  const from = await withLog(stack, async (log) => {
    const { end } = await log.bounds(CONTROL_TOPICS.dlq, 0, NEVER);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const first = await log.append(topic, partition, records, NEVER);
      poisoned.push(...records.map((_, index) => `${topic}/${partition}/${first + index}/0: unknown_version`));
    }
    return end;
  });
  load.afterwards(() =>
    withLog(stack, async (log) => {
      let found: string[] = [];
      await until('every poison record has its letter', async () => {
        found = [...(await letters(log, from))].map(([key, { reason }]) => `${key}: ${reason}`);
        return found.length >= poisoned.length;
      });
      const same = found.toSorted().join(', ') === poisoned.toSorted().join(', ');
      expectThat(same, `weir.dlq holds ${found.join(', ')} instead of ${poisoned.join(', ')}`);
      return { 'letters in weir.dlq, one for each poison record, with reason and place': found.length };
    }),
  );
}

const REWOUND = 10_000;
/** On a new stack a group has committed hardly anything: what it has behind it by then can be rewound. */
const LOADED_MS = 10_000;
/** Longer than a member's session: only a group without members takes an offset from an operator. */
const SESSION_MS = 12_000;

/** Puts a group's offsets back while none of its members runs, as an operator would. */
function rewound(service: 'normalizer' | 'sink'): FaultRow {
  return {
    name: `rewind-${service}`,
    fault: `the offsets of the ${service}s rewound by ${REWOUND.toLocaleString('en-US')}, or to the start of the log`,
    strike: async ({ stack }, _random, load) => {
      await pause(LOADED_MS);
      const before = stack.pid(service);
      stack.signal(service, 'SIGSTOP');
      await pause(SESSION_MS);
      const kafka = new kafkajs.Kafka({ brokers: [...stack.local.kafka.brokers], logLevel: kafkajs.logLevel.NOTHING });
      const admin = kafka.admin();
      await admin.connect();
      try {
        const groupId = trackGroups('v1')[service];
        const topic = trackTopics('v1')[service === 'sink' ? 'rows' : 'raw'];
        const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
        const partitions = (committed?.partitions ?? []).map(({ partition, offset }) => ({
          partition,
          offset: String(Math.max(0, Number(offset) - REWOUND)),
        }));
        await admin.setOffsets({ groupId, topic, partitions });
        const back = (committed?.partitions ?? []).map(({ offset }) => Math.min(REWOUND, Number(offset)));
        expectThat(back.length === PARTITIONS && Math.min(...back) > 0, `rewound by ${back.join(', ')} records`);
        load.afterwards(async () => ({
          'records rewound in a partition, at least': Math.min(...back),
          'records rewound in a partition, at most': Math.max(...back),
        }));
      } finally {
        await admin.disconnect();
      }
      stack.signal(service, 'SIGKILL');
      while (stack.pid(service) === before) await pause(100);
    },
  };
}

/** Records and offsets that are not what a service left there. */
export const RECORD_ROWS: readonly FaultRow[] = [
  rewound('normalizer'),
  rewound('sink'),
  { name: 'poison-raw', fault: 'a poison record in raw', strike: (stack, _random, load) => poison(stack, load, 'raw') },
  {
    name: 'poison-rows',
    fault: 'a poison record in rows',
    strike: (stack, _random, load) => poison(stack, load, 'rows'),
  },
];
