import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** Writes the broker's configuration and, at first start, formats its storage. */
export async function prepareKafka(libs: string, paths: StackPaths, ports: Ports): Promise<void> {
  mkdirSync(paths.kafkaData, { recursive: true });
  writeFileSync(paths.kafkaConfig, kafkaProperties(paths, ports));
  if (existsSync(join(paths.kafkaData, 'meta.properties'))) return;
  const id = 'd2VpcmxvY2Fsa2Fma2EwMQ';
  await run('java', [
    '-cp',
    join(libs, '*'),
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    id,
    '--config',
    paths.kafkaConfig,
  ]);
}

function kafkaProperties(paths: StackPaths, ports: Ports): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.kafkaController}`,
    listeners: `PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://127.0.0.1:${ports.kafkaController}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxiedPorts(ports, process.env).kafka}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': paths.kafkaData,
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'message.max.bytes': 12 * 1024 ** 2,
    'replica.fetch.max.bytes': 12 * 1024 ** 2,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.segment.bytes': 128 * 1024 ** 2,
    'log.cleaner.dedupe.buffer.size': 4 * 1024 ** 2,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** Arguments of java for the broker. */
export function kafkaArguments(libs: string, paths: StackPaths): string[] {
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
    paths.kafkaConfig,
  ];
}
