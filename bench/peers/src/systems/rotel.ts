import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listens, ROOT } from '@weir/local';
import { ask } from '../stored-rows.ts';
import { type PeerPlace, type PeerRun, preparePeer, runningPeer } from './peer-place.ts';
import { PeerProcesses } from './peer-processes.ts';
import type { System } from './system.ts';

const SCHEMA = join(ROOT, 'bench/peers/programs/contrib-schema.sql');

/** Rotel, one hop to Kafka or to ClickHouse. */
export function rotel(place: PeerPlace, exporter: 'kafka' | 'clickhouse'): Omit<System, 'beside'> {
  const toKafka = exporter === 'kafka';
  return {
    name: `rotel-${exporter}`,
    title: `Rotel to ${toKafka ? 'Kafka' : 'ClickHouse'}`,
    path: `OTLP → Rotel → ${toKafka ? 'Kafka' : 'ClickHouse'}`,
    countsItems: !toKafka,
    durableIn: exporter,
    stages: ['edge'],
    start: async (signal, run) => {
      const binary = await place.binary();
      const peer = await preparePeer(place, signal, run);
      if (!toKafka) await applySchema(peer);
      const processes = new PeerProcesses();
      try {
        await processes.start([agent(binary, peer, exporter)]);
      } catch (error) {
        await processes.stop();
        throw error;
      }
      const parts = [{ name: 'rotel', stage: 'edge', pid: () => processes.pid('rotel') }] as const;
      return runningPeer(place, peer, processes, parts, [exporter]);
    },
  };
}

/** The tables that the Collector makes for itself: Rotel's columns are contrib's. */
async function applySchema({ database }: PeerRun): Promise<void> {
  for (const statement of readFileSync(SCHEMA, 'utf8').split(/;\s*\n/)) {
    const sql = statement.replace(/^--.*$/gm, '').trim();
    if (sql !== '') await ask(database, sql);
  }
}

function agent(binary: string, peer: PeerRun, exporter: 'kafka' | 'clickhouse') {
  const { signal, broker, topic, database } = peer;
  const kafka = {
    'kafka-exporter-brokers': broker,
    [`kafka-exporter-${signal}-topic`]: topic.name,
    'kafka-exporter-acks': 'all',
    // Its batches of 8,192 items are larger than the 1 MB that it allows otherwise.
    'kafka-exporter-max-message-bytes': '10000000',
  };
  const clickhouse = {
    'clickhouse-exporter-endpoint': database.url,
    'clickhouse-exporter-database': database.database,
    // The embedded ClickHouse does not speak its own compression; the Collector's hop goes without too.
    'clickhouse-exporter-compression': 'none',
    'clickhouse-exporter-async-insert': 'false',
  };
  const options = {
    'otlp-http-endpoint': `127.0.0.1:${peer.httpPort}`,
    'otlp-grpc-endpoint': `127.0.0.1:${peer.grpcPort}`,
    'pid-file': join(peer.dir, 'rotel.pid'),
    'log-file': join(peer.dir, 'rotel-agent.log'),
    exporter,
    ...(exporter === 'kafka' ? kafka : clickhouse),
  };
  return {
    name: 'rotel',
    command: binary,
    args: ['start', ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])],
    env: {},
    logFile: join(peer.dir, 'rotel.log'),
    ready: () => listens(peer.httpPort),
  };
}
