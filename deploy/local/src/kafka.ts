import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KafkaSecurity, scramArguments, securedListener } from './kafka-security.ts';
import { CACHE, ROOT, type StackPaths } from './paths.ts';
import { type Ports, proxiedPorts } from './ports.ts';
import { run } from './run.ts';

const POM = join(ROOT, 'deploy/kafka/pom.xml');

/** Copies the broker's jars out of Maven once for each version of deploy/kafka/pom.xml; returns their folder. */
export async function installKafka(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 12);
  const libs = join(CACHE, `kafka-${version}`);
  if (existsSync(libs)) return libs;
  const partial = `${libs}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  await run('mvn', [
    '--batch-mode',
    '--quiet',
    '--file',
    POM,
    'dependency:copy-dependencies',
    `-DoutputDirectory=${partial}`,
    '-DincludeScope=runtime',
  ]);
  if (!readdirSync(partial).some((name) => name.startsWith('kafka_'))) throw new Error('Maven copied no Kafka');
  if (existsSync(libs)) rmSync(partial, { recursive: true });
  else renameSync(partial, libs);
  return libs;
}

/** `kafka` is the first broker, `kafka-2` the second. */
export function brokerName(index: number): string {
  return index === 0 ? 'kafka' : `kafka-${index + 1}`;
}

/** Writes the brokers' configuration and, at first start, formats their storage. */
export async function prepareKafka(
  libs: string,
  paths: StackPaths,
  ports: Ports,
  security: KafkaSecurity | undefined,
): Promise<void> {
  if (isFormatted(paths, 0) && isFormatted(paths, 1) !== ports.brokers.length > 1) {
    throw new Error(`${paths.dataDir} was made with another number of Kafka brokers; see WEIR_LOCAL_KAFKA_BROKERS`);
  }
  await Promise.all(ports.brokers.map((_, index) => prepareBroker(libs, paths, ports, index, security)));
}

/** Whether a broker's storage was made before. */
export function isFormatted(paths: StackPaths, index: number): boolean {
  return existsSync(join(paths.kafkaData(brokerName(index)), 'meta.properties'));
}

async function prepareBroker(
  libs: string,
  paths: StackPaths,
  ports: Ports,
  index: number,
  security: KafkaSecurity | undefined,
): Promise<void> {
  const name = brokerName(index);
  mkdirSync(paths.kafkaData(name), { recursive: true });
  writeFileSync(paths.kafkaConfig(name), kafkaProperties(paths, ports, index, security), { mode: 0o600 });
  if (isFormatted(paths, index)) return;
  const id = 'd2VpcmxvY2Fsa2Fma2EwMQ';
  await run('java', [
    '-cp',
    join(libs, '*'),
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    id,
    '--config',
    paths.kafkaConfig(name),
    ...(security === undefined ? [] : scramArguments(security)),
  ]);
}

function kafkaProperties(paths: StackPaths, ports: Ports, index: number, security: KafkaSecurity | undefined): string {
  const protocol = security === undefined ? 'PLAINTEXT' : 'SASL_SSL';
  const copies = ports.brokers.length;
  const insync = Math.min(copies, 2);
  const voters = ports.brokers.map(({ controller }, at) => `${at + 1}@127.0.0.1:${controller}`);
  const { client, controller } = ports.brokers[index]!;
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': index + 1,
    'controller.quorum.voters': voters.join(','),
    listeners: `${protocol}://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `${protocol}://127.0.0.1:${proxiedPorts(ports, process.env).kafka[index]}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,${protocol}:${protocol}`,
    'log.dirs': paths.kafkaData(brokerName(index)),
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 4,
    'min.insync.replicas': insync,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': insync,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': insync,
    'group.initial.rebalance.delay.ms': 0,
    'message.max.bytes': 12 * 1024 ** 2,
    'replica.fetch.max.bytes': 12 * 1024 ** 2,
    'num.network.threads': 2,
    'num.io.threads': 4,
    // On its disk before it is acknowledged, where there is no other copy: else a power failure takes what was answered for.
    ...(copies === 1 ? { 'log.flush.interval.messages': 1 } : {}),
    'log.segment.bytes': 128 * 1024 ** 2,
    'log.cleaner.dedupe.buffer.size': 4 * 1024 ** 2,
    ...(security === undefined ? {} : securedListener(security)),
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** Arguments of java for a broker. */
export function kafkaArguments(libs: string, paths: StackPaths, broker: string): string[] {
  return [
    '-Xms128m',
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:+ExitOnOutOfMemoryError',
    '-Dlog4j2.level=WARN',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    join(libs, '*'),
    'kafka.Kafka',
    paths.kafkaConfig(broker),
  ];
}
