import { randomBytes } from 'node:crypto';
import { createKafkaLog } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { trackGroups, trackTopics } from '@weir/records';
import { pause } from '@weir/testkit';
import kafkajs from 'kafkajs';
import type { FaultStack } from '../fault-stack.ts';
import type { FaultRow } from './row.ts';

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

/** Records and offsets that are not what a service left there. */
export const RECORD_ROWS: readonly FaultRow[] = [
  rewound('normalizer'),
  rewound('sink'),
  { name: 'poison-raw', fault: 'a poison record in raw', strike: (stack) => poison(stack, 'raw') },
  { name: 'poison-rows', fault: 'a poison record in rows', strike: (stack) => poison(stack, 'rows') },
];
