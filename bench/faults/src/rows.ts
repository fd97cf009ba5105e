import { randomBytes } from 'node:crypto';
import { createKafkaLog } from '@weir/kafka';
import { type FaultPoint, systemClock } from '@weir/pipeline';
import { trackGroups, trackTopics } from '@weir/records';
import { pause } from '@weir/testkit';
import kafkajs from 'kafkajs';
import type { FaultStack } from './fault-stack.ts';

/** One row of the table of faults: where it strikes, and what is done to the running stack. */
export interface FaultRow {
  readonly name: string;
  readonly fault: string;
  /** Of the short set, which runs in `npm test`. */
  readonly short?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Strikes while a load runs. */
  strike(stack: FaultStack, random: () => number): Promise<void>;
}

const POINTS: readonly (readonly [FaultPoint, string])[] = [
  ['edge.in_body', 'kill -9 edge in the middle of a body'],
  ['edge.before_produce', 'kill -9 edge before produce'],
  ['edge.after_produce', 'kill -9 edge after produce and before the answer'],
  ['normalizer.after_read', 'kill -9 normalizer after read'],
  ['normalizer.after_produce', 'kill -9 normalizer after produce and before commit'],
  ['sink.before_cut', 'kill -9 sink before the cut is recorded'],
  ['sink.after_cut', 'kill -9 sink after the cut and before the insert'],
  ['sink.in_insert', 'kill -9 sink in the insert'],
  ['sink.after_insert', 'kill -9 sink after the insert and before the commit'],
];

const SHORT: ReadonlySet<FaultPoint> = new Set(['edge.after_produce', 'normalizer.after_produce', 'sink.after_insert']);

const SERVICES = ['edge', 'normalizer', 'sink'] as const;

function killed([point, fault]: (typeof POINTS)[number]): FaultRow {
  const name = `kill-${point.replace('.', '-').replaceAll('_', '-')}`;
  const strike: FaultRow['strike'] =
    point === 'edge.in_body' ? (stack) => stack.killInBody() : (stack) => stack.killAt(point);
  return { name, fault, short: SHORT.has(point), strike };
}

/** A fence is only written when a partition is taken over: the second kill strikes there. */
const FENCE: FaultRow = {
  name: 'kill-normalizer-after-fence',
  fault: 'kill -9 normalizer between fence and first record',
  strike: async (stack) => {
    const before = stack.stack.pid('normalizer');
    await stack.end('normalizer', 'SIGKILL');
    const armed = stack.stack.pid('normalizer');
    await pause(300);
    if (armed !== before) await stack.killAt('normalizer.after_fence').catch(() => undefined);
  },
};

const FREEZE_MS = Number(process.argv.includes('--long') ? 60_000 : 15_000);

const FROZEN = SERVICES.map(
  (service): FaultRow => ({
    name: `freeze-${service}`,
    fault: `SIGSTOP ${service} for ${FREEZE_MS / 1_000} s, then SIGCONT`,
    strike: (stack) => stack.freeze(service, FREEZE_MS),
  }),
);

const STOPPED = SERVICES.map(
  (service): FaultRow => ({
    name: `sigterm-${service}`,
    fault: `SIGTERM ${service}: drained, no answer that is not retryable`,
    strike: (stack) => stack.end(service, 'SIGTERM'),
  }),
);

/** Puts bytes into the partitions of a topic that are not records of ours. */
async function poison(stack: FaultStack, topic: 'raw' | 'rows'): Promise<void> {
  const log = createKafkaLog(
    { brokers: stack.stack.local.kafka.brokers, clientId: 'weir-faults' },
    { warn: () => undefined, debug: () => undefined },
    systemClock,
  );
  try {
    for (let partition = 0; partition < 4; partition++) {
      const records = [
        { key: null, value: randomBytes(100), meta: null },
        { key: null, value: null, meta: Buffer.of(250, 1, 2) },
      ];
      await log.append(trackTopics('v1')[topic], partition, records, new AbortController().signal);
    }
  } finally {
    await log.close();
  }
}

/** Lets a proxy do something for a while. */
async function during(set: (on: boolean) => void, ms: number): Promise<void> {
  set(true);
  await pause(ms);
  set(false);
}

const REWOUND = 10_000;
/** Longer than a member's session: only a group without members takes an offset from an operator. */
const SESSION_MS = 12_000;

/** Puts a group's offsets back while none of its members runs, as an operator would. */
function rewound(service: 'normalizer' | 'sink'): FaultRow {
  return {
    name: `rewind-${service}`,
    fault: `the offsets of the ${service}s rewound by ${REWOUND.toLocaleString('en-US')}`,
    strike: async ({ stack }) => {
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
      } finally {
        await admin.disconnect();
      }
      stack.signal(service, 'SIGKILL');
      while (stack.pid(service) === before) await pause(100);
    },
  };
}

const LINKS: readonly FaultRow[] = (['kafka', 'clickhouse'] as const).flatMap((link): FaultRow[] => [
  {
    name: `delay-${link}`,
    fault: `500 ms delay on the link to ${link}`,
    strike: (stack) =>
      during((on) => {
        stack[link].fault = on ? { delayMs: 500 } : {};
      }, 6_000),
  },
  {
    name: `cut-${link}`,
    fault: `the network to ${link} cut for 5 s`,
    strike: (stack) =>
      during((on) => {
        stack[link].fault = on ? { down: true } : {};
      }, 5_000),
  },
]);

export const ROWS: readonly FaultRow[] = [
  ...POINTS.map(killed),
  FENCE,
  ...STOPPED,
  ...FROZEN,
  {
    name: 'clickhouse-frozen',
    fault: 'ClickHouse hangs for 15 s',
    strike: (stack) => stack.freeze('clickhouse', 15_000),
  },
  {
    name: 'clickhouse-slow',
    fault: 'ClickHouse answers 5 s late',
    strike: (stack) =>
      during((on) => {
        stack.clickhouse.fault = on ? { delayMs: 5_000 } : {};
      }, 12_000),
  },
  {
    name: 'clickhouse-kill',
    fault: 'ClickHouse kill -9',
    strike: (stack) => stack.end('clickhouse', 'SIGKILL'),
  },
  {
    name: 'insert-answer-cut',
    fault: 'insert applied, answer cut (a proxy)',
    short: true,
    strike: (stack) =>
      during((on) => {
        stack.clickhouse.fault = on ? { cutAnswers: 0.7 } : {};
      }, 5_000),
  },
  {
    name: 'produce-answer-cut',
    fault: 'produce applied, answer cut, other sends concurrent (a proxy)',
    short: true,
    strike: (stack) =>
      during((on) => {
        stack.kafka.fault = on ? { cutAnswers: 0.05 } : {};
      }, 5_000),
  },
  { name: 'kafka-frozen', fault: 'Kafka hangs for 12 s', strike: (stack) => stack.freeze('kafka', 12_000) },
  { name: 'kafka-kill', fault: 'Kafka kill -9', strike: (stack) => stack.end('kafka', 'SIGKILL') },
  ...LINKS,
  rewound('normalizer'),
  rewound('sink'),
  {
    name: 'poison-raw',
    fault: 'a poison record in raw',
    strike: (stack) => poison(stack, 'raw'),
  },
  {
    name: 'poison-rows',
    fault: 'a poison record in rows',
    strike: (stack) => poison(stack, 'rows'),
  },
];
