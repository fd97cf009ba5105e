import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

/**
 * The inner parts of kafkajs 2.2.4 that the adapter stands on. The public consumer cannot read a partition without a
 * group, and the public producer hides the offset rules that the delivery protocol needs; its cluster and broker can do
 * both. The version is pinned exactly, and every member used is named here.
 */
export interface KafkaCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  removeBroker(address: { host: string; port: number }): void;
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
  findBroker(query: { nodeId: string }): Promise<KafkaBroker>;
  findGroupCoordinator(query: { groupId: string }): Promise<KafkaBroker>;
  /** @throws what is wrong with the topic as a whole */
  findTopicPartitionMetadata(topic: string): { readonly partitionId: number }[];
}

export interface KafkaBroker {
  produce(request: {
    acks: number;
    /** Kafka's number of a codec, for all batches of the request. */
    compression: number;
    timeout: number;
    topicData: {
      topic: string;
      partitions: { partition: number; firstSequence: number; messages: KafkaMessage[] }[];
    }[];
  }): Promise<{
    topics: { topicName: string; partitions: { partition: number; errorCode: number; baseOffset: string }[] }[];
  }>;
  fetch(request: {
    isolationLevel: number;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  }): Promise<{ responses: { topicName: string; partitions: KafkaFetchedPartition[] }[] }>;
  listOffsets(request: {
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>;
  describeConfigs(request: { resources: { type: number; name: string; configNames: string[] }[] }): Promise<{
    resources: { configEntries: { configName: string; configValue: string | null }[] }[];
  }>;
}

/** Group requests, of the classic protocol; each is one attempt. */
export interface KafkaBroker {
  joinGroup(request: {
    groupId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    memberId: string;
    groupProtocols: { name: string; metadata: Buffer }[];
  }): Promise<{
    generationId: number;
    /** Name of the one that all members offered. */
    groupProtocol: string;
    leaderId: string;
    memberId: string;
    members: { memberId: string; memberMetadata: Buffer }[];
  }>;
  syncGroup(request: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  offsetCommit(request: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    topics: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[];
  }): Promise<unknown>;
  describeGroups(request: { groupIds: string[] }): Promise<{ groups: { groupId: string; state: string }[] }>;
  offsetFetch(request: { groupId: string; topics: { topic: string; partitions: { partition: number }[] }[] }): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[];
  }>;
}

/** Spreads a topic's partitions over the members of a group. */
export interface KafkaAssigner {
  readonly name: string;
  assign(group: {
    members: { memberId: string; memberMetadata: Buffer }[];
    topics: string[];
  }): Promise<{ memberId: string; memberAssignment: Buffer }[]>;
  protocol(subscription: { topics: string[] }): { name: string; metadata: Buffer };
}

export interface KafkaFetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  readonly lastStableOffset?: string;
  /** The library's own spelling of log_start_offset. */
  readonly lastStartOffset?: string;
  readonly messages: readonly KafkaFetchedMessage[];
}

export interface KafkaFetchedMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Record<string, Buffer | undefined>;
  readonly isControlRecord?: boolean;
  /** Of its batch; none where it is of a format before batches. */
  readonly batchContext?: { readonly firstOffset: string; readonly lastOffsetDelta: number };
}

export interface KafkaMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer>;
  readonly timestamp: number;
}

interface ClusterOptions {
  logger: unknown;
  socketFactory: unknown;
  brokers: string[];
  clientId: string;
  connectionTimeout: number;
  requestTimeout: number;
  enforceRequestTimeout: boolean;
  metadataMaxAge: number;
  /** One topic's or partition's error says nothing of the others (a patch of ours). */
  partialMetadata: boolean;
  retry: { retries: number; initialRetryTime: number; maxRetryTime: number };
  allowAutoTopicCreation: boolean;
  maxInFlightRequests: number | null;
  isolationLevel: number;
  ssl?: unknown;
  sasl?: unknown;
}

/** What kafkajs asks a socket factory for. */
export interface KafkaSocketRequest {
  readonly host: string;
  readonly port: number;
  readonly onConnect: () => void;
  /** Options of node:tls; none where the connection is plain. */
  readonly ssl?: object;
}

const require = createRequire(import.meta.url);

/** kafkajs's own Cluster class. */
export const ClusterClass = require('kafkajs/src/cluster') as new (options: ClusterOptions) => KafkaCluster;

/** kafkajs's own TCP and TLS socket factory. */
export const createSocketFactory = require('kafkajs/src/network/socketFactory') as () => (
  request: KafkaSocketRequest,
) => Socket;

/** kafkajs's own logger, which the inner parts call. */
export const createKafkaLogger = (require('kafkajs/src/loggers') as { createLogger(options: unknown): unknown })
  .createLogger;

/** kafkajs's own assigner, round robin. */
export const createAssigner = require('kafkajs/src/consumer/assigners/roundRobinAssigner') as (parts: {
  cluster: Pick<KafkaCluster, 'findTopicPartitionMetadata'>;
}) => KafkaAssigner;

/** Reads what the assigner wrote for one member; null where it gave that member nothing. */
export const decodeAssignment = (
  require('kafkajs/src/consumer/assignerProtocol') as {
    MemberAssignment: { decode(bytes: Buffer): { assignment: Record<string, number[]> } | null };
  }
).MemberAssignment.decode;

export const READ_COMMITTED = 1;

/** Kafka's number of a topic among what has configurations. */
export const TOPIC_RESOURCE = 2;

/** Kafka's number of zstd. */
export const ZSTD = 4;

/** How a batch is compressed. Null: its records go as they are (a patch of ours). */
export interface KafkaCodec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer | null>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

/** Makes a codec known to kafkajs, which has gzip alone. */
export function installCodec(codec: number, made: KafkaCodec): void {
  const { Codecs } = require('kafkajs/src/protocol/message/compression') as {
    Codecs: Record<number, () => KafkaCodec>;
  };
  Codecs[codec] = () => made;
}
