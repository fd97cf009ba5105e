import type { BlocksInsert } from '@weir/clickhouse';
import type { KafkaLog } from '@weir/kafka';
import { DependencyError } from '@weir/pipeline';
import { printable } from './output.ts';
import type { Outside } from './outside.ts';

type Inserts = { insertBlocks(insert: BlocksInsert, signal: AbortSignal): Promise<void> };

const NAMES: Readonly<Record<string, string>> = { kafka: 'Kafka', clickhouse: 'ClickHouse' };

/** What is tried until it succeeds would look as if it hung: of each dependency the first failure is told. */
export class WaitTeller {
  readonly #outside: Pick<Outside, 'err'>;
  readonly #told = new Set<string>();

  constructor(outside: Pick<Outside, 'err'>) {
    this.#outside = outside;
  }

  log(log: KafkaLog): KafkaLog {
    const append: KafkaLog['append'] = (topic, partition, records, signal) =>
      this.#watch(log.append(topic, partition, records, signal), signal);
    return { ...log, append };
  }

  inserts(clickhouse: Inserts): Inserts {
    return { insertBlocks: (insert, signal) => this.#watch(clickhouse.insertBlocks(insert, signal), signal) };
  }

  async #watch<T>(attempt: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await attempt;
    } catch (error) {
      if (error instanceof DependencyError && error.retryable && !signal.aborted) this.#tell(error);
      throw error;
    }
  }

  #tell({ dependency, message }: DependencyError): void {
    if (this.#told.has(dependency)) return;
    this.#told.add(dependency);
    const name = NAMES[dependency] ?? dependency;
    this.#outside.err(
      `${name} fails, and is tried until it answers: ${printable(message)}\nCtrl-C is safe: the same command, run again within the hour, goes on with it\n`,
    );
  }
}
