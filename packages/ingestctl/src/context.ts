import { join } from 'node:path';
import { type ClickHouse, createClickHouse } from '@weir/clickhouse';
import { createKafkaAdmin, createKafkaLog, type KafkaAdmin, type KafkaLog } from '@weir/kafka';
import { systemClock } from '@weir/pipeline';
import { createLogger, type Logger } from '@weir/telemetry';

/** The world outside the command, injected so that tests can be it. */
export interface Outside {
  readonly env: Readonly<Record<string, string | undefined>>;
  readFile(path: string): string;
  /** Replaces a file as a whole, or leaves it as it was. */
  writeFile(path: string, text: string): void;
  out(text: string): void;
  err(text: string): void;
  /** Whether the output is a terminal that may be coloured and redrawn. */
  readonly terminal: boolean;
  /** From its call on the signal aborts when the operator ends the command, which then ends by itself. Left out: nobody does. */
  interruptible?(): AbortSignal;
  /** Asks the operator, who says yes or no. Left out: there is nobody to ask. */
  ask?(question: string): Promise<boolean>;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly brokers?: string;
  readonly clickhouse?: string;
  readonly database?: string;
  readonly cluster?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

/** A command cannot be carried out as it was given: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface LocalFile {
  readonly clickhouse?: { readonly url?: string; readonly database?: string };
  readonly kafka?: { readonly brokers?: readonly string[] };
  readonly services?: Readonly<Record<string, { readonly admin: string }>>;
}

type Secret = 'WEIR_CLICKHOUSE_PASSWORD' | 'WEIR_KEY_PEPPER';

const DEFAULT_DATA_DIR = '.weir';

/** Where things are: options first, then the environment, then DIR/local.json of a local stack. */
export class Context {
  readonly outside: Outside;
  readonly options: GlobalOptions;
  readonly #local: LocalFile;
  readonly #logger: Logger;
  readonly #closing: (() => Promise<void>)[] = [];

  constructor(outside: Outside, options: GlobalOptions) {
    this.outside = outside;
    this.options = options;
    this.#local = readLocal(outside, options.dataDir);
    this.#logger = createLogger({ service: 'ingestctl', version: '0.1.0', instance: '', level: 'silent' });
  }

  get database(): string {
    const { env } = this.outside;
    return this.options.database ?? env.WEIR_CLICKHOUSE_DATABASE ?? this.#local.clickhouse?.database ?? 'weir';
  }

  get cluster(): string | undefined {
    return this.options.cluster ?? this.outside.env.WEIR_CLICKHOUSE_CLUSTER;
  }

  get brokers(): readonly string[] {
    const text = this.options.brokers ?? this.outside.env.WEIR_KAFKA_BROKERS;
    const brokers = text?.split(',').map((part) => part.trim()) ?? this.#local.kafka?.brokers;
    if (brokers === undefined || brokers.length === 0) {
      throw new UsageError(
        'no Kafka brokers are known: give --brokers, set WEIR_KAFKA_BROKERS, or start a local stack',
      );
    }
    return brokers;
  }

  get clickhouseUrl(): string {
    const url = this.options.clickhouse ?? this.outside.env.WEIR_CLICKHOUSE_URL ?? this.#local.clickhouse?.url;
    if (url === undefined) {
      throw new UsageError(
        'ClickHouse is not known: give --clickhouse, set WEIR_CLICKHOUSE_URL, or start a local stack',
      );
    }
    return url;
  }

  /** Admin endpoints of the services of a local stack, by name. */
  get admins(): Readonly<Record<string, string>> {
    const services = Object.entries(this.#local.services ?? {});
    return Object.fromEntries(services.map(([name, { admin }]) => [name, admin]));
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
    const { env } = this.outside;
    const path = env[`${name}_FILE`];
    if (!path) return env[name]?.trimEnd() || undefined;
    if (env[name]) throw new UsageError(`set ${name} or ${name}_FILE, not both`);
    try {
      return this.outside.readFile(path).trimEnd() || undefined;
    } catch {
      throw new UsageError(`${path}, which ${name}_FILE names, cannot be read`);
    }
  }

  kafkaAdmin(): KafkaAdmin {
    return createKafkaAdmin({ brokers: this.brokers, clientId: 'ingestctl' }, this.#logger);
  }

  kafkaLog(): KafkaLog {
    const log = createKafkaLog({ brokers: this.brokers, clientId: 'ingestctl' }, this.#logger, systemClock);
    this.#closing.push(() => log.close());
    return log;
  }

  clickhouse(): ClickHouse {
    const { env } = this.outside;
    const clickhouse = createClickHouse({
      url: this.clickhouseUrl,
      database: this.database,
      username: env.WEIR_CLICKHOUSE_USER ?? 'default',
      password: this.secret('WEIR_CLICKHOUSE_PASSWORD') ?? '',
    });
    this.#closing.push(() => clickhouse.close());
    return clickhouse;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#closing.map((close) => close()));
  }
}

function readLocal(outside: Outside, dataDir: string | undefined): LocalFile {
  const path = join(dataDir ?? DEFAULT_DATA_DIR, 'local.json');
  try {
    return JSON.parse(outside.readFile(path)) as LocalFile;
  } catch (error) {
    // Nobody named it, and there need not be one.
    if (dataDir === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new UsageError(`${path} cannot be read: is there a local stack in that directory?`);
  }
}
