import { readFileSync } from 'node:fs';
import { release, type } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '@weir/local';
import { currentCommit, type Machine, machine } from '@weir/testkit';
import { COLLECTOR_VERSION, ROTEL_VERSION } from './install.ts';

/** On what a series ran, and what of it. */
export interface Circumstances extends Machine {
  readonly kernel: string;
  readonly commit: string;
  /** By what is run. */
  readonly versions: Readonly<Record<string, string>>;
}

/** @param clickhouse its version, which only it knows */
export function circumstances(clickhouse: string): Circumstances {
  const pinned = (file: string, pattern: RegExp) => pattern.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1] ?? '?';
  const builder = 'bench/peers/programs/collector/builder.yaml';
  return {
    ...machine(),
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
