import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTenants, stackPaths } from '@weir/local';
import { freePorts, TestStack } from '@weir/testkit';
import { installCollector, installRotel } from './install.ts';
import type { SystemName } from './options.ts';
import { collector } from './systems/collector.ts';
import { rotel } from './systems/rotel.ts';
import type { System } from './systems/system.ts';
import { TENANT, TENANT_LIMITS, weir } from './systems/weir.ts';

/**
 * What the systems stand on: two stacks of the same Kafka and the same ClickHouse, started alike. On one Weir's services run,
 * the other has no services and the peers come to it one at a time. So neither pays for what the other has left in its stores.
 */
export class Stands {
  readonly #scratch = mkdtempSync(join(tmpdir(), 'weir-peers-'));
  #weir: TestStack | undefined;
  #peers: { readonly stack: TestStack; readonly portBase: number } | undefined;

  /** Starts what these systems need. @throws where something does not come up; then {@link stop} all the same */
  async start(names: readonly SystemName[]): Promise<void> {
    if (names.some(isWeir)) {
      const dataDir = join(this.#scratch, 'weir');
      const paths = stackPaths(dataDir);
      for (const dir of [paths.dataDir, paths.run]) mkdirSync(dir, { recursive: true, mode: 0o700 });
      ensureTenants(paths, { [TENANT]: TENANT_LIMITS });
      this.#weir = await TestStack.start(dataDir, { envoy: names.includes('weir-envoy') });
    }
    if (!names.every(isWeir)) {
      const portBase = await freePorts();
      const stack = await TestStack.start(join(this.#scratch, 'peers'), { services: false, portBase });
      this.#peers = { stack, portBase };
    }
  }

  /** The stack that has been started, whichever. */
  get any(): TestStack {
    return (this.#weir ?? this.#peers?.stack)!;
  }

  systems(names: readonly SystemName[]): System[] {
    const place = {
      stack: () => this.#peers!.stack,
      portBase: () => this.#peers!.portBase,
    };
    const made: Readonly<Record<SystemName, () => Omit<System, 'beside'>>> = {
      weir: () => weir(() => this.#weir!, 'edge'),
      'weir-envoy': () => weir(() => this.#weir!, 'envoy'),
      collector: () => collector({ ...place, binary: installCollector }),
      'rotel-kafka': () => rotel({ ...place, binary: installRotel }, 'kafka'),
      'rotel-clickhouse': () => rotel({ ...place, binary: installRotel }, 'clickhouse'),
    };
    return names.map((name) => ({
      ...made[name](),
      beside: () => pidsOf(isWeir(name) ? this.#peers?.stack : this.#weir),
    }));
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.#weir?.stop(), this.#peers?.stack.stop()]);
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** All processes of a stack; none where it was not started. */
function pidsOf(stack: TestStack | undefined): readonly number[] {
  if (stack === undefined) return [];
  const { services, processes } = stack.local;
  return [...Object.values(services).map(({ pid }) => pid), ...Object.values(processes)];
}

function isWeir(name: SystemName): boolean {
  return name.startsWith('weir');
}
