import { readFileSync } from 'node:fs';
import { availableParallelism, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { currentCommit } from '@weir/bench-faults';
import { ROOT } from '@weir/local';
import { COLLECTOR_VERSION, ROTEL_VERSION } from './install.ts';

/** On what a series ran. */
export interface Machine {
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly commit: string;
  /** By what is run. */
  readonly versions: Readonly<Record<string, string>>;
}

/** @param clickhouse its version, which only it knows */
export function describeMachine(clickhouse: string): Machine {
  const pinned = (file: string, pattern: RegExp) => pattern.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1] ?? '?';
  const builder = 'bench/peers/programs/collector/builder.yaml';
  return {
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    kernel: `${type()} ${/^[\d.]+/.exec(release())?.[0] ?? ''}`,
    commit: currentCommit(),
    versions: {
      Node: process.versions.node,
      Kafka: pinned('deploy/kafka/pom.xml', /kafka_2\.13<\/artifactId>\s*<version>([^<]+)</),
      ClickHouse: clickhouse,
      'OpenTelemetry Collector': COLLECTOR_VERSION,
      'its ClickHouse exporter': pinned(builder, /clickhouseexporter v(\S+)/),
      Rotel: ROTEL_VERSION,
    },
  };
}
