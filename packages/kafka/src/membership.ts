import { type Committed, type Membership, type MembershipEvents, type Positions, REVISIONS } from '@weir/delivery';
import { type Clock, DependencyError } from '@weir/pipeline';
import { KafkaConnection } from './connection.ts';
import { createAssigner, decodeAssignment, type KafkaAssigner } from './internals.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { KafkaLogger } from './kafka-logger.ts';

const SESSION_TIMEOUT_MS = 10_000;
const REBALANCE_TIMEOUT_MS = 15_000;
const HEARTBEAT_MS = 1_000;
const REJOIN_DELAY_MS = 1_000;
const RETRY_DELAY_MS = 200;
/** Partitions that are added are given out after this at the latest. */
const METADATA_MS_MAX = 10_000;
const LEAVE_MS_MAX = 3_000;
/** A join waits for all members, and then for what its leader gives out. */
const JOIN_MS_MAX = 60_000;
const UNKNOWN_MEMBER_ID = 25;
/**
 * What a member offers beside the first revision, whose name is the assigner's own, the newest first. The broker takes one that all
 * members have, and of these what most like best, so a generation that has such a name has no member that is older.
 */
const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['weir-several', REVISIONS.several],
  ['weir-lanes', REVISIONS.lanes],
]);

export interface MembershipOptions {
  readonly groupId: string;
  readonly topic: string;
}

/** One generation of the group, as this member knows it, until it ends. */
interface Session {
  readonly memberId: string;
  readonly generationId: number;
  readonly revision: number;
  readonly owned: ReadonlySet<number>;
  readonly ending: AbortController;
  /** A commit of it had no answer, and may still arrive. */
  doubtful: boolean;
}

/**
 * Membership of a consumer group, made of kafkajs's group requests. One loop joins, heartbeats and joins again. kafkajs's
 * own consumer is not used: it joins twice after a failure, answers success for commits that it did not make, and repeats
 * a commit under a later generation.
 *
 * A commit carries the member and generation of the assignment it was asked under, so the broker refuses a former owner's.
 * One without an answer may still arrive: it ends the generation, so that it cannot overwrite what is committed later.
 */
export function createMembership(
  config: KafkaConfig,
  options: MembershipOptions,
  logger: KafkaLogger,
  clock: Clock,
): Membership {
  return new KafkaMembership(config, options, logger, clock);
}

class KafkaMembership implements Membership {
  readonly #connection: KafkaConnection;
  readonly #lookups: KafkaConnection;
  readonly #options: MembershipOptions;
  readonly #logger: KafkaLogger;
  readonly #clock: Clock;
  readonly #leaving = new AbortController();
  readonly #assigner: KafkaAssigner;
  #partitions = 0;
  /** Kept over rebalances, so that the group knows the member again; empty where it does not. */
  #memberId = '';
  #session: Session | undefined;
  #running: Promise<void> | undefined;
  #events: MembershipEvents = { assigned: () => undefined, revoked: () => undefined };

  constructor(config: KafkaConfig, options: MembershipOptions, logger: KafkaLogger, clock: Clock) {
    // A rebalance is an error to kafkajs, and said so; it is the daily life of a group.
    const quiet: KafkaLogger = { warn: logger.debug.bind(logger), debug: logger.debug.bind(logger) };
    this.#connection = new KafkaConnection(config, quiet, METADATA_MS_MAX);
    this.#lookups = new KafkaConnection(config, quiet);
    this.#options = options;
    this.#logger = logger;
    this.#clock = clock;
    const metadata = () => Array.from({ length: this.#partitions }, (_, partitionId) => ({ partitionId }));
    this.#assigner = createAssigner({ cluster: { findTopicPartitionMetadata: metadata } });
  }

  /** Returns at once: the group may take long to be reached, and `events` say when it was. */
  async join(events: MembershipEvents): Promise<void> {
    this.#events = events;
    this.#running ??= this.#run();
  }

  async committed(partition: number, signal: AbortSignal): Promise<Committed | null> {
    signal.throwIfAborted();
    const { groupId, topic } = this.#options;
    const topics = [{ topic, partitions: [{ partition }] }];
    const answer = await this.#lookups.atCoordinator(groupId, topic, (broker) =>
      broker.offsetFetch({ groupId, topics }),
    );
    const found = answer.responses[0]?.partitions[0];
    const offset = Number(found?.offset ?? -1);
    return offset < 0 ? null : { offset, metadata: found?.metadata ?? '' };
  }

  async commit(positions: Positions, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const session = this.#session;
    const isOwner = [...positions.keys()].some((partition) => session?.owned.has(partition));
    if (session === undefined || !isOwner) throw notTheOwner();
    const { groupId, topic } = this.#options;
    const { memberId, generationId: groupGenerationId } = session;
    const partitions = [...positions].map(([partition, { offset, metadata }]) => ({
      ...{ partition, offset: String(offset), metadata },
    }));
    // The coordinator writes what it takes as one batch of its log; it takes all whose metadata is within its bound.
    const topics = [{ topic, partitions }];
    const stop = AbortSignal.any([signal, session.ending.signal]);
    for (;;) {
      try {
        await this.#connection.atCoordinator(groupId, topic, (broker) =>
          broker.offsetCommit({ groupId, groupGenerationId, memberId, topics }),
        );
        return;
      } catch (error) {
        if (!(error instanceof DependencyError) || error.code !== 'unavailable') {
          session.doubtful ||= !isFenced(error);
          this.#end(session);
          throw error;
        }
      }
      // Not all of it was written: again, as long as the generation lasts.
      await this.#clock.sleep(RETRY_DELAY_MS, stop).catch(() => undefined);
      signal.throwIfAborted();
      if (session.ending.signal.aborted) throw notTheOwner();
    }
  }

  async leave(): Promise<void> {
    this.#leaving.abort();
    if (this.#session !== undefined) this.#end(this.#session);
    await Promise.race([this.#running, this.#clock.sleep(LEAVE_MS_MAX)]);
    await this.#leaveGroup();
    await Promise.all([this.#connection.close(), this.#lookups.close()]);
  }

  async #run(): Promise<void> {
    const leaving = this.#leaving.signal;
    let failures = 0;
    while (!leaving.aborted) {
      this.#events.alive?.();
      try {
        const session = await this.#joinGroup();
        if (leaving.aborted) return;
        failures = 0;
        this.#session = session;
        this.#events.assigned([...session.owned], session.revision);
        await this.#heartbeats(session);
        this.#end(session);
        // Only as another member does it get another generation for certain.
        if (session.doubtful) await this.#leaveGroup();
      } catch (error) {
        this.#forgetWhereUnknown(error);
        if (failures++ === 0) this.#logger.debug({ err: error }, 'the group is not joined; trying again');
        await this.#clock.sleep(isFenced(error) ? RETRY_DELAY_MS : REJOIN_DELAY_MS, leaving).catch(() => undefined);
      }
    }
  }

  /** From here on nothing is owned. */
  #end(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    session.ending.abort();
    this.#events.revoked();
  }

  /** Where nobody answers the group ends the membership by itself, after the session timeout. */
  async #leaveGroup(): Promise<void> {
    const { groupId, topic } = this.#options;
    const memberId = this.#memberId;
    this.#memberId = '';
    if (memberId === '') return;
    const left = this.#connection.atCoordinator(groupId, topic, (broker) => broker.leaveGroup({ groupId, memberId }));
    left.catch(() => undefined);
    await Promise.race([left, this.#clock.sleep(LEAVE_MS_MAX)]).catch(() => undefined);
  }

  async #joinGroup(): Promise<Session> {
    const { groupId, topic } = this.#options;
    this.#partitions = await this.#connection.partitionsOf(topic);
    const first = this.#assigner.protocol({ topics: [topic] });
    return this.#connection.atCoordinator(
      groupId,
      topic,
      async (broker) => {
        const joined = await broker.joinGroup({
          groupId,
          sessionTimeout: SESSION_TIMEOUT_MS,
          rebalanceTimeout: REBALANCE_TIMEOUT_MS,
          memberId: this.#memberId,
          groupProtocols: [...[...PROTOCOLS.keys()].map((name) => ({ ...first, name })), first],
        });
        const { memberId, generationId, leaderId, members, groupProtocol } = joined;
        this.#memberId = memberId;
        const groupAssignment = leaderId === memberId ? await this.#assigner.assign({ members, topics: [topic] }) : [];
        const { memberAssignment } = await broker.syncGroup({ groupId, generationId, memberId, groupAssignment });
        const owned = new Set(decodeAssignment(memberAssignment)?.assignment[topic] ?? []);
        const revision = PROTOCOLS.get(groupProtocol) ?? REVISIONS.first;
        return { memberId, generationId, revision, owned, ending: new AbortController(), doubtful: false };
      },
      JOIN_MS_MAX,
    );
  }

  /** Returns when the generation ends: another rebalance, a commit without an answer, or a coordinator that stays silent. */
  async #heartbeats(session: Session): Promise<void> {
    const { groupId, topic } = this.#options;
    const { memberId, generationId: groupGenerationId } = session;
    const { signal } = session.ending;
    let aliveMs = this.#clock.nowMs();
    while (!signal.aborted) {
      this.#events.alive?.();
      await this.#clock.sleep(HEARTBEAT_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      // When it was sent: the broker counts from there, or later.
      const sentMs = this.#clock.nowMs();
      const beat = async () => {
        await this.#connection.atCoordinator(groupId, topic, (broker) =>
          broker.heartbeat({ groupId, groupGenerationId, memberId }),
        );
        aliveMs = sentMs;
        return this.#connection.partitionsOf(topic);
      };
      try {
        const partitions = await this.#within(aliveMs + SESSION_TIMEOUT_MS - sentMs, signal, beat());
        // More partitions than were given out: they belong to nobody until the group is joined again.
        if (partitions !== undefined && partitions !== this.#partitions) return;
      } catch (error) {
        this.#forgetWhereUnknown(error);
        if (isFenced(error)) return;
      }
      // By now another may own the partitions.
      if (this.#clock.nowMs() - aliveMs >= SESSION_TIMEOUT_MS) return;
    }
  }

  /** The result, or undefined once the time is up or the signal aborts. */
  async #within<T>(ms: number, signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
    const done = new AbortController();
    work.catch(() => undefined);
    const over = this.#clock.sleep(ms, AbortSignal.any([signal, done.signal])).catch(() => undefined);
    try {
      return await Promise.race([work, over.then(() => undefined)]);
    } finally {
      done.abort();
    }
  }

  #forgetWhereUnknown(error: unknown): void {
    const cause = error instanceof DependencyError ? (error.cause as { code?: unknown } | undefined) : undefined;
    if (cause?.code === UNKNOWN_MEMBER_ID) this.#memberId = '';
  }
}

function isFenced(error: unknown): boolean {
  return error instanceof DependencyError && error.code === 'fenced';
}

function notTheOwner(): DependencyError {
  return new DependencyError('kafka', 'fenced', 'kafka: the partition is not assigned to this member', {
    retryable: false,
  });
}
