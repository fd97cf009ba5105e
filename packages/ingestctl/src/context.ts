import { type ClickHouse, createClickHouse } from '@weir/clickhouse';
import {
  createGroupPositions,
  createKafkaAdmin,
  createKafkaLog,
  type GroupPositions,
  type KafkaAdmin,
  type KafkaLog,
} from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import {
  CLICKHOUSE_CONFIG,
  clickhouseAccess,
  clickhouseConfigFaults,
  KAFKA_CONFIG,
  type KafkaAccess,
  kafkaAccess,
  kafkaConfigFaults,
} from '@weir/process';
import { createLogger, type Logger } from '@weir/telemetry';
import { type GlobalOptions, type Outside, UsageError } from './outside.ts';
import { type ConfigFile, readConfigFile } from './settings/config-file.ts';
import { type LocalEnvoy, type LocalStack, readLocalStack } from './settings/local-stack.ts';
import { Settings } from './settings/settings.ts';

export { type GlobalOptions, type Outside, UsageError } from './outside.ts';

type Secret = 'WEIR_KAFKA_SASL_PASSWORD' | 'WEIR_CLICKHOUSE_PASSWORD' | 'WEIR_KEY_PEPPER';

/** Where things are: options first, then the environment, then the configuration file, then DIR/local.json of a local stack. */
export class Context {
  readonly outside: Outside;
  readonly options: GlobalOptions;
  readonly settings: Settings;
  readonly #file: ConfigFile | undefined;
  readonly #local: LocalStack | undefined;
  readonly #logger: Logger;
  readonly #closing: (() => Promise<void>)[] = [];

  /** @throws UsageError where the configuration file, or that of the local stack, cannot be read */
  constructor(outside: Outside, options: GlobalOptions) {
    this.outside = outside;
    this.options = options;
    this.#file = readConfigFile(outside, options.config);
    this.#local = readLocalStack(outside, options.dataDir);
    this.settings = new Settings(outside, options, this.#file, this.#local);
    this.#logger = createLogger({ service: 'ingestctl', version: '0.1.0', instance: '', level: 'silent' });
  }

  get database(): string {
    return this.settings.find('WEIR_CLICKHOUSE_DATABASE')?.text ?? 'weir';
  }

  get cluster(): string | undefined {
    return this.settings.find('WEIR_CLICKHOUSE_CLUSTER')?.text;
  }

  get brokers(): readonly string[] {
    return this.#kafka().brokers;
  }

  get clickhouseUrl(): string {
    const url = this.settings.find('WEIR_CLICKHOUSE_URL')?.text;
    if (url === undefined) {
      throw new UsageError(
        'ClickHouse is not known: give --clickhouse, set WEIR_CLICKHOUSE_URL, or start a local stack',
      );
    }
    return url;
  }

  /** Admin endpoints of the services, by name: of the configuration file, or else of a local stack. */
  get admins(): Readonly<Record<string, string>> {
    const own = this.#file?.admins ?? {};
    return Object.keys(own).length > 0 ? own : (this.#local?.admins ?? {});
  }

  /** Where {@link admins} are said. */
  get adminsFrom(): string {
    return Object.keys(this.#file?.admins ?? {}).length > 0 ? `${this.#file?.path}: admins` : (this.#local?.path ?? '');
  }

  /** The Envoy of a local stack. */
  get envoy(): LocalEnvoy | undefined {
    return this.#local?.envoy;
  }

  get pepper(): string {
    const text = this.secret('WEIR_KEY_PEPPER');
    if (!text) throw new UsageError('the pepper is not known: set WEIR_KEY_PEPPER or WEIR_KEY_PEPPER_FILE');
    return text;
  }

  /**
   * A secret, from its variable or from the file that `<name>_FILE` names, as the services read theirs: a pod or a unit
   * that gives both programs the same environment gives both the same secret.
   * @throws UsageError where both are set, or the file cannot be read
   */
  secret(name: Secret): string | undefined {
    return this.settings.secret(name);
  }

  kafkaAdmin(): KafkaAdmin {
    return createKafkaAdmin({ ...this.#kafka(), clientId: 'ingestctl' }, this.#logger);
  }

  kafkaLog(): KafkaLog {
    const log = createKafkaLog({ ...this.#kafka(), clientId: 'ingestctl' }, this.#logger, systemClock);
    this.#closing.push(() => log.close());
    return log;
  }

  groupPositions(groupId: string, topic: string): GroupPositions {
    const positions = createGroupPositions(
      { ...this.#kafka(), clientId: 'ingestctl' },
      { groupId, topic },
      this.#logger,
    );
    this.#closing.push(() => positions.close());
    return positions;
  }

  /** @param silenceMs where statements may take long, as {@link createClickHouse} has it */
  clickhouse(silenceMs?: number): ClickHouse {
    // Says what to do where nothing is known.
    void this.clickhouseUrl;
    const settings = this.settings.load(CLICKHOUSE_CONFIG, clickhouseConfigFaults);
    const clickhouse = createClickHouse({
      ...clickhouseAccess(settings, this.outside.readFile),
      ...(silenceMs === undefined ? {} : { silenceMs }),
    });
    this.#closing.push(() => clickhouse.close());
    return clickhouse;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#closing.map((close) => close()));
  }

  #kafka(): KafkaAccess {
    if (this.settings.find('WEIR_KAFKA_BROKERS') === undefined) {
      throw new UsageError(
        'no Kafka brokers are known: give --brokers, set WEIR_KAFKA_BROKERS, or start a local stack',
      );
    }
    return kafkaAccess(this.settings.load(KAFKA_CONFIG, kafkaConfigFaults), this.outside.readFile);
  }
}
