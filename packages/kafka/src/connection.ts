import { DependencyError } from '@weir/pipeline';
import { fromKafkaError, innermost } from './errors.ts';
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

/** A client, with what is known by it: nothing of it holds for the one that takes its place. */
class Client {
  readonly cluster: KafkaCluster;
  readonly topics = new Set<string>();
  stale = true;
  preparing: Promise<void> | undefined;
  coordinator: KafkaBroker | undefined;

  constructor(cluster: KafkaCluster) {
    this.cluster = cluster;
  }
}

/**
 * One TCP connection to each broker. A broker answers the requests of a connection in order, so a long poll delays what
 * follows it: appends, reads of what is there, long polls and quick look-ups each have a connection of their own.
 */
export class KafkaConnection {
  readonly #create: () => KafkaCluster;
  #client: Client;

  /**
   * @param metadataMsMax how old what is known of topics and leaders may be
   * @param create the client's cluster, for tests
   */
  constructor(config: KafkaConfig, logger: KafkaLogger, metadataMsMax = METADATA_MS_MAX, create = createCluster) {
    this.#create = () => create(config, logger, metadataMsMax);
    this.#client = new Client(this.#create());
  }

  /** Id of the broker that leads a partition. Connects and refreshes what is known where that is needed. */
  leaderOf(topic: string, partition: number): Promise<string> {
    return this.#known(topic, (cluster) => {
      const leader = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0];
      if (leader !== undefined && Number(leader) >= 0) return leader;
      throw new DependencyError('kafka', 'unavailable', `kafka: ${topic}/${partition} has no leader`, {
        retryable: true,
      });
    });
  }

  /** Runs one request at one broker. Every failure is mapped, and what is known of the cluster counts as stale after it. */
  async at<T>(nodeId: string, request: (broker: KafkaBroker) => Promise<T>): Promise<T> {
    const client = this.#client;
    try {
      return await this.#within(
        client,
        ANSWER_MS_MAX,
        client.cluster.findBroker({ nodeId }).then((broker) => request(broker)),
      );
    } catch (error) {
      throw failed(client, error);
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
    const asked = this.#client;
    let client: Client;
    let coordinator: KafkaBroker;
    try {
      client = await this.#prepare(topic);
      client.coordinator ??= await this.#within(
        client,
        ANSWER_MS_MAX,
        client.cluster.findGroupCoordinator({ groupId }),
      );
      coordinator = client.coordinator;
    } catch (error) {
      // Nothing was sent.
      throw asUnavailable(failed(asked, error));
    }
    try {
      return await this.#within(client, answerMsMax, request(coordinator));
    } catch (error) {
      client.coordinator = undefined;
      throw failed(client, error);
    }
  }

  /** How many partitions a topic has. */
  partitionsOf(topic: string): Promise<number> {
    return this.#known(topic, (cluster) => cluster.findTopicPartitionMetadata(topic).length);
  }

  async close(): Promise<void> {
    await this.#client.cluster.disconnect().catch(() => undefined);
  }

  /** What is known of a topic. Where that is an error, it is of this topic alone, and is asked for anew the next time. */
  async #known<T>(topic: string, look: (cluster: KafkaCluster) => T): Promise<T> {
    const asked = this.#client;
    let client: Client;
    try {
      client = await this.#prepare(topic);
    } catch (error) {
      throw failed(asked, error);
    }
    try {
      return look(client.cluster);
    } catch (error) {
      client.stale = true;
      throw fromKafkaError(error);
    }
  }

  /** The client, once it knows the topic. Those that come while it connects or refreshes wait for it: it does not bear two at once. */
  async #prepare(topic: string): Promise<Client> {
    const client = this.#client;
    const { cluster } = client;
    if (!client.stale && client.topics.has(topic) && cluster.isConnected()) {
      await this.#within(client, ANSWER_MS_MAX, cluster.refreshMetadataIfNecessary());
      return client;
    }
    client.preparing ??= this.#within(client, ANSWER_MS_MAX, this.#refresh(client, topic)).finally(() => {
      client.preparing = undefined;
    });
    await client.preparing;
    return client.topics.has(topic) ? client : this.#prepare(topic);
  }

  async #refresh(client: Client, topic: string): Promise<void> {
    const { cluster, topics } = client;
    try {
      if (!cluster.isConnected()) await cluster.connect();
      // What fails from here on makes it stale again.
      client.stale = false;
      if (topics.has(topic)) await cluster.refreshMetadata();
      else await cluster.addMultipleTargetTopics([topic]);
      topics.add(topic);
    } catch (error) {
      if (client === this.#client) this.#startAnew(client);
      else leave(client);
      throw error;
    }
    // It was given up while it connected: it would stay connected for nobody.
    if (client !== this.#client) leave(client);
  }

  /** What a client does; one that does not end it makes room for another. */
  async #within<T>(client: Client, ms: number, work: Promise<T>): Promise<T> {
    try {
      return await within(ms, work);
    } catch (error) {
      if (error === ENDLESS) this.#startAnew(client);
      throw error;
    }
  }

  /** One that was cut short while it connected counts as connected and never answers: only another one helps. */
  #startAnew(old: Client): void {
    // Another has its place already.
    if (old !== this.#client) return;
    this.#client = new Client(this.#create());
    leave(old);
  }
}

/**
 * The broker whose connection ended, or that did not answer in time: what is sent to it next would wait behind what it has
 * not answered, and so would the question who leads its partitions now.
 */
function addressOfLost(error: unknown): { host: string; port: number } | undefined {
  const lost = innermost(error) as { name?: string; host?: string; port?: number; broker?: string } | null;
  if (lost?.name === 'KafkaJSConnectionClosedError' && lost.host !== undefined && lost.port !== undefined) {
    return { host: lost.host, port: lost.port };
  }
  if (lost?.name !== 'KafkaJSRequestTimeoutError' || typeof lost.broker !== 'string') return undefined;
  const colon = lost.broker.lastIndexOf(':');
  return { host: lost.broker.slice(0, colon), port: Number(lost.broker.slice(colon + 1)) };
}

/** What an error of a client's says, and what is known by that client no longer. */
function failed(client: Client, error: unknown): DependencyError {
  const address = addressOfLost(error);
  if (address !== undefined) {
    // It may be the coordinator: who that is, is asked anew.
    client.coordinator = undefined;
    try {
      client.cluster.removeBroker(address);
    } catch {
      // The pool may have dropped it already.
    }
  }
  const mapped = fromKafkaError(error);
  if (mapped.code !== 'rejected') client.stale = true;
  return mapped;
}

function leave({ cluster }: Client): void {
  void cluster.disconnect().catch(() => undefined);
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
    partialMetadata: true,
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
