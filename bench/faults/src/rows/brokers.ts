import { trackTopics } from '@weir/records';
import { pause } from '@weir/testkit';
import kafkajs, { type Admin } from 'kafkajs';
import type { FaultStack } from '../fault-stack.ts';
import type { FaultRow } from './row.ts';

const THREE = { WEIR_LOCAL_KAFKA_BROKERS: '3' };
/** Who leads nothing and coordinates nothing is moved as well: the groups' offsets have leaders like any topic. */
const TOPICS = [trackTopics('v1').raw, trackTopics('v1').rows, '__consumer_offsets'];
/** A broker that dies is given up by the controllers after 9 s, and only then do others lead. */
const GIVEN_UP_MS = 12_000;
const SETTLED_MS = 60_000;
const POLL_MS = 200;

/** A partition: who leads it, and who has a copy. */
interface Led {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly insync: readonly number[];
}

async function withAdmin<T>({ stack }: FaultStack, work: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new kafkajs.Kafka({ brokers: [...stack.local.kafka.brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

async function partitions(admin: Admin): Promise<Led[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: TOPICS });
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionId, leader, replicas, isr }) => ({
      topic: name,
      partition: partitionId,
      leader,
      replicas,
      insync: isr,
    })),
  );
}

/** Waits until every partition is led and every copy in sync, so that the next strike finds a whole cluster. */
export async function settled(stack: FaultStack): Promise<void> {
  const deadline = Date.now() + SETTLED_MS;
  const isWhole = () =>
    withAdmin(stack, async (admin) =>
      (await partitions(admin)).every(
        ({ leader, replicas, insync }) => leader > 0 && insync.length === replicas.length,
      ),
    );
  while (!(await isWhole().catch(() => false))) {
    if (Date.now() > deadline) throw new Error('the copies of the partitions are not in sync again');
    await pause(POLL_MS);
  }
}

/** Kills the broker that leads most. It is started again, and copies what it missed. */
async function killLeader(stack: FaultStack): Promise<void> {
  const led = await withAdmin(stack, partitions);
  const count = (broker: number) => led.filter(({ leader }) => leader === broker).length;
  const most = [1, 2, 3].toSorted((a, b) => count(b) - count(a))[0]!;
  await stack.end(most === 1 ? 'kafka' : `kafka-${most}`, 'SIGKILL');
  await pause(GIVEN_UP_MS);
  await settled(stack);
}

/** Takes every partition from the broker that leads it, by taking its copy, and gives the copy back. No broker ends. */
async function moveLeaders(stack: FaultStack): Promise<void> {
  const before = await withAdmin(stack, partitions);
  const reassign = (copies: (led: Led) => number[]) => {
    const topics = TOPICS.map((topic) => ({
      topic,
      partitionAssignment: before
        .filter((led) => led.topic === topic)
        .map((led) => ({ partition: led.partition, replicas: copies(led) })),
    }));
    return withAdmin(stack, (admin) => admin.alterPartitionReassignments({ topics }));
  };
  const others = ({ replicas, leader }: Led) => replicas.filter((replica) => replica !== leader);
  await reassign(others);
  await pause(3_000);
  await reassign((led) => [...others(led), led.leader]);
  await settled(stack);
  const after = await withAdmin(stack, partitions);
  const stayed = after.filter(({ topic, partition, leader }) =>
    before.some((led) => led.topic === topic && led.partition === partition && led.leader === leader),
  );
  if (stayed.length > 0) throw new Error(`${stayed.length} partitions are led by the same broker as before`);
}

/** What needs several brokers: three, with a copy of everything on each, of which two must have what is acknowledged. */
export const BROKER_ROWS: readonly FaultRow[] = [
  {
    name: 'leader-move',
    fault: 'kill -9 of the broker that leads most partitions, of three',
    env: THREE,
    strike: killLeader,
  },
  {
    name: 'leader-elect',
    fault: 'every partition gets another leader, the offsets of the groups too; no broker ends',
    env: THREE,
    strike: moveLeaders,
  },
];
