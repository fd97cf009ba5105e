import kafkajs from 'kafkajs';
import { expect } from 'vitest';

/** Every topic, and the offsets of the groups, have three copies of which two must be in sync. */
export async function expectThreeCopies(admin: kafkajs.Admin): Promise<void> {
  const topics = await admin.listTopics();
  expect(topics).toEqual(expect.arrayContaining(['weir.raw.v1', 'weir.rows.v1', 'weir.tenants', '__consumer_offsets']));
  const metadata = await admin.fetchTopicMetadata({ topics });
  for (const { name, partitions } of metadata.topics) {
    for (const { replicas } of partitions) expect([name, replicas.toSorted()]).toEqual([name, [1, 2, 3]]);
  }
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  const resources = topics.map((name) => ({ type, name, configNames: ['min.insync.replicas'] }));
  const configs = await admin.describeConfigs({ includeSynonyms: false, resources });
  expect(configs.resources.map(({ configEntries }) => configEntries[0]?.configValue)).toEqual(topics.map(() => '2'));
}
