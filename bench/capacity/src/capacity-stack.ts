import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTenants, stackPaths } from '@weir/local';
import { TestStack } from '@weir/testkit';
import { Kafka, logLevel } from 'kafkajs';
import type { StackSpec } from './point.ts';
import { PROBE_TENANT } from './queryable-meter.ts';

const GIB = 1024 ** 3;
const ENDLESS = { perSecond: 1e9, burst: 3e9 };

/** The stack that points are measured on: one at a time, started when a point needs another than the one that runs. */
export class CapacityStack {
  #spec = '';
  #stack: TestStack | undefined;

  /** `fresh` where it has just been started. */
  async get(spec: StackSpec): Promise<{ readonly stack: TestStack; readonly fresh: boolean }> {
    const wanted = JSON.stringify(spec);
    if (this.#stack !== undefined && this.#spec === wanted) return { stack: this.#stack, fresh: false };
    await this.stop();
    const dataDir = mkdtempSync(join(tmpdir(), 'weir-capacity-'));
    const paths = stackPaths(dataDir);
    for (const dir of [paths.logs, paths.run]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    ensureTenants(paths, tenants(spec));
    const { partitions, counts, env } = spec;
    this.#stack = new TestStack(dataDir);
    this.#spec = wanted;
    try {
      await TestStack.start(dataDir, { counts, env: { ...env, WEIR_KAFKA_PARTITIONS: String(partitions) } });
    } catch (error) {
      await this.stop().catch(() => undefined);
      throw error;
    }
    return { stack: this.#stack, fresh: true };
  }

  async stop(): Promise<void> {
    const stack = this.#stack;
    if (stack === undefined) return;
    this.#stack = undefined;
    await stack.stop();
    rmSync(stack.dataDir, { recursive: true, force: true });
  }
}

/** No rate of their own, and every partition, so that the stack is what limits. */
function tenants({ partitions, tenants: count }: StackSpec): Record<string, object> {
  const limits = { items: ENDLESS, bytes: ENDLESS, partitions };
  const names = Array.from({ length: count }, (_, number) => tenantName(number));
  return Object.fromEntries([PROBE_TENANT, ...names].map((name) => [name, limits]));
}

/** A load has the first so many of them. */
export function tenantName(number: number): string {
  return `tenant-${number}`;
}

/** Lets Kafka remove raw exports once there are many: a long load would fill the disk. Well above what may wait to be read. */
export async function boundRawTopic(stack: TestStack): Promise<void> {
  const kafka = new Kafka({ brokers: [...stack.local.kafka.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const configEntries = [
      { name: 'retention.bytes', value: String(2 * GIB) },
      { name: 'max.message.bytes', value: String(12 * 1024 ** 2) },
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
    ];
    await admin.alterConfigs({
      validateOnly: false,
      // 2 is a topic.
      resources: [{ type: 2, name: 'weir.raw.v1', configEntries }],
    });
  } finally {
    await admin.disconnect();
  }
}
