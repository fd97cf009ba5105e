import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listens } from '@weir/local';
import { COLLECTOR_PROGRAMS } from '../install.ts';
import { type PeerPlace, type PeerRun, preparePeer, runningPeer } from './peer-place.ts';
import { PeerProcesses } from './peer-processes.ts';
import type { System } from './system.ts';

/** The OpenTelemetry Collector in two hops. */
export function collector(place: PeerPlace): Omit<System, 'beside'> {
  return {
    name: 'collector',
    title: 'Collector, two hops',
    path: 'OTLP → Collector → Kafka → Collector → ClickHouse',
    countsItems: true,
    durableIn: 'kafka',
    stages: ['edge', 'sink'],
    start: async (signal, run) => {
      const binary = await place.binary();
      const peer = await preparePeer(place, signal, run);
      const processes = new PeerProcesses();
      const pid = (name: string) => () => processes.pid(name);
      try {
        await processes.start([hop(binary, peer, 'sink'), hop(binary, peer, 'edge')]);
      } catch (error) {
        await processes.stop();
        throw error;
      }
      const parts = (['edge', 'sink'] as const).map((stage) => {
        const name = `collector-${stage}`;
        return { name, stage, pid: pid(name) };
      });
      return runningPeer(place, peer, processes, parts, ['kafka', 'clickhouse']);
    },
  };
}

function hop(binary: string, peer: PeerRun, stage: 'edge' | 'sink') {
  const config = join(peer.dir, `${stage}.yaml`);
  const template = readFileSync(join(COLLECTOR_PROGRAMS, `${stage}.yaml`), 'utf8');
  writeFileSync(config, template.replaceAll('SIGNAL', peer.signal));
  return {
    name: `collector-${stage}`,
    command: binary,
    args: ['--config', config],
    env: {
      OTLP_HTTP_PORT: String(peer.httpPort),
      OTLP_GRPC_PORT: String(peer.grpcPort),
      KAFKA_BROKER: peer.broker,
      TOPIC: peer.topic.name,
      GROUP: `peer-${peer.run}`,
      CLICKHOUSE_URL: peer.database.url,
    },
    logFile: join(peer.dir, `${stage}.log`),
    // The second hop serves nothing; a load to warm up shows whether it works.
    ready: async () => stage === 'sink' || (await listens(peer.httpPort)),
  };
}
