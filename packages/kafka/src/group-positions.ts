import type { Committed, Positions } from '@weir/delivery';
import { KafkaConnection } from './connection.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { KafkaLogger } from './kafka-logger.ts';
import type { MembershipOptions } from './membership.ts';

/** Positions of a consumer group in its topic, for who is not in it. Everything throws DependencyError. */
export interface GroupPositions {
  /** Of those of the partitions in which the group has committed anything. */
  read(partitions: readonly number[]): Promise<Positions>;
  /** Whether the group has no member, or there is no such group. */
  isEmpty(): Promise<boolean>;
  /** Throws `fenced` while the group has a member: then its positions are that one's to commit. */
  put(positions: Positions): Promise<void>;
  close(): Promise<void>;
}

/** Kafka takes a commit of no member and no generation where the group is empty. */
const NO_GENERATION = -1;
const NO_MEMBER = '';
const WITHOUT_MEMBERS: ReadonlySet<string> = new Set(['Empty', 'Dead']);

export function createGroupPositions(
  config: KafkaConfig,
  { groupId, topic }: MembershipOptions,
  logger: KafkaLogger,
): GroupPositions {
  const connection = new KafkaConnection(config, logger);
  return {
    read: async (partitions) => {
      const topics = [{ topic, partitions: partitions.map((partition) => ({ partition })) }];
      const answer = await connection.atCoordinator(groupId, topic, (broker) =>
        broker.offsetFetch({ groupId, topics }),
      );
      const found = answer.responses.flatMap((response) => response.partitions);
      return new Map(
        found
          .filter(({ offset }) => Number(offset) >= 0)
          .map(({ partition, offset, metadata }): [number, Committed] => [
            partition,
            { offset: Number(offset), metadata: metadata ?? '' },
          ]),
      );
    },
    isEmpty: async () => {
      const answer = await connection.atCoordinator(groupId, topic, (broker) =>
        broker.describeGroups({ groupIds: [groupId] }),
      );
      return answer.groups.every(({ state }) => WITHOUT_MEMBERS.has(state));
    },
    put: async (positions) => {
      if (positions.size === 0) return;
      const partitions = [...positions].map(([partition, { offset, metadata }]) => ({
        ...{ partition, offset: String(offset), metadata },
      }));
      const request = { groupId, groupGenerationId: NO_GENERATION, memberId: NO_MEMBER };
      await connection.atCoordinator(groupId, topic, (broker) =>
        broker.offsetCommit({ ...request, topics: [{ topic, partitions }] }),
      );
    },
    close: () => connection.close(),
  };
}
