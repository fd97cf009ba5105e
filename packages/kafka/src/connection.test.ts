import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { KafkaConnection } from './connection.ts';
import { createSocketFactory, type KafkaCluster } from './internals.ts';

const QUIET = { warn: () => undefined, debug: () => undefined };

/** kafkajs's own connection: what of it is used here. */
interface Connection {
  connect(): Promise<boolean>;
  disconnect(): Promise<boolean>;
  send(call: object): Promise<unknown>;
}

const require = createRequire(import.meta.url);
const ConnectionClass = require('kafkajs/src/network/connection') as new (options: object) => Connection;
const apiVersions = require('kafkajs/src/protocol/requests/apiVersions') as {
  protocol(options: { version: number }): () => object;
};

afterEach(() => vi.useRealTimers());

test('a request that is sent while its connection ends has an end, whatever the moment', async () => {
  const server = createServer((socket) => void socket.on('error', () => undefined).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const logger = { namespace: () => logger, debug: () => undefined, warn: () => undefined, error: () => undefined };
  const fixed = { host: '127.0.0.1', port, logger, socketFactory: createSocketFactory(), enforceRequestTimeout: true };
  for (let turns = 0; turns < 6; turns++) {
    const connection = new ConnectionClass({ ...fixed, requestTimeout: 100, connectionTimeout: 1_000 });
    await connection.connect();
    const sent = connection.send(apiVersions.protocol({ version: 0 })()).then(
      () => 'answered',
      () => 'ended',
    );
    for (let turn = 0; turn < turns; turn++) await undefined;
    void connection.disconnect();
    const late = new Promise((resolve) => setTimeout(() => resolve('endless'), 1_000));
    expect([turns, await Promise.race([sent, late])]).toEqual([turns, 'ended']);
  }
  server.close();
});

test('a request that the client never ends is given up, and another client takes its place', async () => {
  vi.useFakeTimers();
  let made = 0;
  const connection = new KafkaConnection({ brokers: ['b:1'], clientId: 'c' }, QUIET, 1_000, () => {
    made++;
    const endless = { findBroker: () => new Promise(() => undefined), disconnect: async () => undefined };
    return endless as unknown as KafkaCluster;
  });
  const asked = [0, 1].map(() => connection.at('1', async () => 'never'));
  const ended = Promise.all(
    asked.map((each) => expect(each).rejects.toMatchObject({ code: 'timeout', retryable: true })),
  );
  await vi.advanceTimersByTimeAsync(30_000);
  await ended;
  expect(made).toBe(2);
});

test('a coordinator that is never found, or never answers, is given up as well', async () => {
  vi.useFakeTimers();
  let made = 0;
  const never = () => new Promise<never>(() => undefined);
  const connection = new KafkaConnection({ brokers: ['b:1'], clientId: 'c' }, QUIET, 1_000, () => {
    const isFirst = made++ === 0;
    const cluster = {
      isConnected: () => true,
      addMultipleTargetTopics: async () => undefined,
      refreshMetadataIfNecessary: async () => undefined,
      findGroupCoordinator: isFirst ? never : async () => ({}),
      disconnect: async () => undefined,
    };
    return cluster as unknown as KafkaCluster;
  });
  const unfound = expect(connection.atCoordinator('g', 't', async () => 'found')).rejects;
  const unfoundEnds = unfound.toMatchObject({ code: 'unavailable', retryable: true });
  await vi.advanceTimersByTimeAsync(30_000);
  await unfoundEnds;
  // It may have been done: a commit that has no answer is doubtful.
  const silentEnds = expect(connection.atCoordinator('g', 't', never)).rejects.toMatchObject({ code: 'timeout' });
  await vi.advanceTimersByTimeAsync(30_000);
  await silentEnds;
  const patient = connection.atCoordinator('g', 't', () => new Promise((r) => setTimeout(r, 40_000, 'late')), 60_000);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(await patient).toBe('late');
  expect(made).toBe(3);
});

test('what a client learns after it was given up is not taken for what the next one knows', async () => {
  vi.useFakeTimers();
  const added: string[][] = [];
  const left: number[] = [];
  const connection = new KafkaConnection({ brokers: ['b:1'], clientId: 'c' }, QUIET, 1_000, () => {
    const number = added.push([]) - 1;
    let known: readonly string[] = [];
    let connected = false;
    const cluster = {
      isConnected: () => connected,
      // The first one's broker thaws a second after it was given up.
      connect: async () => {
        if (number === 0) await new Promise((r) => setTimeout(r, 31_000));
        connected = true;
      },
      addMultipleTargetTopics: async (topics: string[]) => {
        added[number]!.push(...topics);
        known = [...known, ...topics];
      },
      refreshMetadata: async () => undefined,
      refreshMetadataIfNecessary: async () => undefined,
      findTopicPartitionMetadata: (topic: string) => (known.includes(topic) ? [{}, {}] : []),
      disconnect: async () => void left.push(number),
    };
    return cluster as unknown as KafkaCluster;
  });
  const givenUp = expect(connection.partitionsOf('a')).rejects.toMatchObject({ code: 'timeout' });
  await vi.advanceTimersByTimeAsync(30_000);
  await givenUp;
  expect(await connection.partitionsOf('b')).toBe(2);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await connection.partitionsOf('a')).toBe(2);
  expect(added).toEqual([['a'], ['b', 'a']]);
  // Once when it was given up, and once when it had connected after all.
  expect(left).toEqual([0, 0]);
});

test('what is wrong with one topic is asked for again, and costs the others neither their client nor their answer', async () => {
  let [made, refreshed, answers] = [0, 0, 0];
  const connection = new KafkaConnection({ brokers: ['b:1'], clientId: 'c' }, QUIET, 1_000, () => {
    made++;
    const cluster = {
      isConnected: () => true,
      addMultipleTargetTopics: async () => undefined,
      refreshMetadata: async () => void refreshed++,
      refreshMetadataIfNecessary: async () => undefined,
      findTopicPartitionMetadata: (topic: string) => {
        if (topic === 'bad') throw Object.assign(new Error(), { code: 29 });
        return [{ partitionId: 0 }];
      },
      findLeaderForPartitions: (_topic: string, [partition]: number[]) =>
        partition === 0 ? { 7: [0] } : { '-1': [1] },
      disconnect: async () => undefined,
    };
    return cluster as unknown as KafkaCluster;
  });
  for (let times = 1; times <= 3; times++) {
    await expect(connection.partitionsOf('bad')).rejects.toMatchObject({ code: 'rejected' });
    await expect(connection.leaderOf('t', 1)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    if ((await connection.leaderOf('t', 0)) === '7' && (await connection.partitionsOf('t')) === 1) answers++;
  }
  // Each error is followed by a look, those of the first time by the look that comes with a topic that is new.
  expect({ made, refreshed, answers }).toEqual({ made: 1, refreshed: 5, answers: 3 });
});

test('a broker that lets a request wait for too long is let go of, by its address, and who leads is asked anew', async () => {
  const removed: unknown[] = [];
  let refreshed = 0;
  const late = Object.assign(new Error('late'), { name: 'KafkaJSRequestTimeoutError', broker: '[::1]:9092' });
  const connection = new KafkaConnection({ brokers: ['b:1'], clientId: 'c' }, QUIET, 1_000, () => {
    const cluster = {
      isConnected: () => true,
      addMultipleTargetTopics: async () => undefined,
      refreshMetadata: async () => void refreshed++,
      refreshMetadataIfNecessary: async () => undefined,
      findLeaderForPartitions: () => ({ 7: [0] }),
      findBroker: async () => ({}),
      removeBroker: (address: unknown) => void removed.push(address),
      disconnect: async () => undefined,
    };
    return cluster as unknown as KafkaCluster;
  });
  await connection.leaderOf('t', 0);
  await expect(connection.at('7', async () => Promise.reject(late))).rejects.toMatchObject({ code: 'timeout' });
  expect([removed, refreshed]).toEqual([[{ host: '[::1]', port: 9092 }], 0]);
  expect([await connection.leaderOf('t', 0), refreshed]).toEqual(['7', 1]);
});

test('what fails late of a client that was given up says nothing of the one in its place', async () => {
  vi.useFakeTimers();
  const removed: unknown[] = [];
  const connection = new KafkaConnection({ brokers: ['b:1'], clientId: 'c' }, QUIET, 1_000, () => {
    const number = removed.push([]) - 1;
    const cluster = {
      findBroker: async () => ({}),
      removeBroker: (address: unknown) => void (removed[number] as unknown[]).push(address),
      disconnect: async () => undefined,
    };
    return cluster as unknown as KafkaCluster;
  });
  const endless = expect(connection.at('1', () => new Promise(() => undefined))).rejects.toMatchObject({
    code: 'timeout',
  });
  await vi.advanceTimersByTimeAsync(20_000);
  const error = Object.assign(new Error('late'), { name: 'KafkaJSRequestTimeoutError', broker: 'b:1' });
  const late = new Promise((_, reject) => setTimeout(reject, 15_000, error));
  const lateEnds = expect(connection.at('1', () => late)).rejects.toMatchObject({ code: 'timeout' });
  await vi.advanceTimersByTimeAsync(20_000);
  await endless;
  await lateEnds;
  expect(removed).toEqual([[{ host: 'b', port: 1 }], []]);
});
