import { DependencyError } from '@weir/pipeline';
import { fromKafkaError } from './errors.ts';
import { ClusterClass, createKafkaLogger, type KafkaBroker, type KafkaCluster, READ_COMMITTED } from './internals.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { KAFKAJS_ERROR_LEVEL, type KafkaLogger, kafkaLogCreator } from './kafka-logger.ts';
import { securityOf } from './security.ts';

const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
const METADATA_MS_MAX = 60_000;
/** Longer than connecting with its retries and a request take together: what has no end by then has none at all. */
const ANSWER_MS_MAX = 30_000;
const RETRY = { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 };
/**
 * One TCP connection to each broker. A broker answers the requests of a connection in order, so a long poll delays what
 * follows it: appends, reads of what is there, long polls and quick look-ups each have a connection of their own.
 */
export class KafkaConnection {
  readonly #create: () => KafkaCluster;
  readonly #topics = new Set<string>();
  #cluster: KafkaCluster;
  #stale = true;
  #preparing: Promise<void> | undefined;
  #coordinator: KafkaBroker | undefined;

  /**
   * @param metadataMsMax how old what is known of topics and leaders may be
   * @param create the client's cluster, for tests
   */
  constructor(config: KafkaConfig, logger: KafkaLogger, metadataMsMax = METADATA_MS_MAX, create = createCluster) {
    this.#create = () => create(config, logger, metadataMsMax);
    this.#cluster = this.#create();
  }

  /** Id of the broker that leads a partition. Connects and refreshes what is known where that is needed. */
  async leaderOf(topic: string, partition: number): Promise<string> {
    try {
      await this.#prepare(topic);
      const leaders = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]));
      const leader = leaders[0];
      if (leader !== undefined && Number(leader) >= 0) return leader;
    } catch (error) {
      throw this.failed(error);
    }
    this.#stale = true;
    throw new DependencyError('kafka', 'unavailable', `kafka: ${topic}/${partition} has no leader`, {
      retryable: true,
    });
  }

  /** Runs one request at one broker. Every failure is mapped, and what is known of the cluster counts as stale after it. */
  async at<T>(nodeId: string, request: (broker: KafkaBroker) => Promise<T>): Promise<T> {
    try {
      return await this.#within(
        ANSWER_MS_MAX,
        this.#cluster.findBroker({ nodeId }).then((broker) => request(broker)),
      );
    } catch (error) {
      throw this.failed(error);
    }
  }

  /**
   * Runs one request at the coordinator of a group; which broker that is, is asked anew after every failure.
   *
   * @param answerMsMax for what the coordinator itself lets wait
   */
  async atCoordinator<T>(
    groupId: string,
    topic: string,
    request: (broker: KafkaBroker) => Promise<T>,
    answerMsMax = ANSWER_MS_MAX,
  ): Promise<T> {
    let coordinator: KafkaBroker | undefined;
    try {
      await this.#prepare(topic);
      this.#coordinator ??= await this.#within(ANSWER_MS_MAX, this.#cluster.findGroupCoordinator({ groupId }));
      coordinator = this.#coordinator;
    } catch (error) {
      // Nothing was sent.
      throw asUnavailable(this.failed(error));
    }
    try {
      return await this.#within(answerMsMax, request(coordinator));
    } catch (error) {
      this.#coordinator = undefined;
      throw this.failed(error);
    }
  }

  /** How many partitions a topic has. */
  async partitionsOf(topic: string): Promise<number> {
    try {
      await this.#prepare(topic);
      return this.#cluster.findTopicPartitionMetadata(topic).length;
    } catch (error) {
      throw this.failed(error);
    }
  }

  failed(error: unknown): DependencyError {
    const address = error as { name?: string; host?: string; port?: number };
    if (address?.name === 'KafkaJSConnectionClosedError' && address.host !== undefined && address.port !== undefined) {
      try {
        this.#cluster.removeBroker({ host: address.host, port: address.port });
      } catch {
        // The pool may have dropped it already.
      }
    }
    const mapped = fromKafkaError(error);
    if (mapped.code !== 'rejected') this.#stale = true;
    return mapped;
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect().catch(() => undefined);
  }

  /** Those that come while one connects or refreshes wait for it: the client does not bear two at once. */
  async #prepare(topic: string): Promise<void> {
    if (!this.#stale && this.#topics.has(topic) && this.#cluster.isConnected()) {
      await this.#cluster.refreshMetadataIfNecessary();
      return;
    }
    this.#preparing ??= this.#within(ANSWER_MS_MAX, this.#refresh(topic)).finally(() => {
      this.#preparing = undefined;
    });
    await this.#preparing;
    if (!this.#topics.has(topic)) await this.#prepare(topic);
  }

  async #refresh(topic: string): Promise<void> {
    const cluster = this.#cluster;
    try {
      if (!cluster.isConnected()) await cluster.connect();
      // What fails from here on makes it stale again.
      this.#stale = false;
      if (this.#topics.has(topic)) await cluster.refreshMetadata();
      else await cluster.addMultipleTargetTopics([topic]);
      this.#topics.add(topic);
    } catch (error) {
      this.#startAnew(cluster);
      throw error;
    }
  }

  /** What the present client does; one that does not end it makes room for another. */
  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    const cluster = this.#cluster;
    try {
      return await within(ms, work);
    } catch (error) {
      if (error === ENDLESS) this.#startAnew(cluster);
      throw error;
    }
  }

  /** One that was cut short while it connected counts as connected and never answers: only another one helps. */
  #startAnew(old: KafkaCluster): void {
    // Another has its place already.
    if (old !== this.#cluster) return;
    this.#cluster = this.#create();
    this.#stale = true;
    this.#topics.clear();
    this.#coordinator = undefined;
    void old.disconnect().catch(() => undefined);
  }
}

function createCluster(config: KafkaConfig, logger: KafkaLogger, metadataMaxAge: number): KafkaCluster {
  return new ClusterClass({
    logger: createKafkaLogger({ level: KAFKAJS_ERROR_LEVEL, logCreator: kafkaLogCreator(logger) }),
    brokers: [...config.brokers],
    clientId: config.clientId,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    metadataMaxAge,
    retry: RETRY,
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
    isolationLevel: READ_COMMITTED,
    ...securityOf(config),
  });
}

/** The client has let a request go: neither its answer nor its timeout comes. */
const ENDLESS = new DependencyError('kafka', 'timeout', 'kafka: the client did not end a request', { retryable: true });

/** @throws ENDLESS where the work takes longer; it is not waited for any more */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(ENDLESS), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function asUnavailable(error: DependencyError): DependencyError {
  if (error.code !== 'timeout') return error;
  return new DependencyError('kafka', 'unavailable', error.message, { retryable: true, cause: error.cause });
}
