import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadSignal } from '@weir/bench-load';
import type { TestStack } from '@weir/testkit';
import { checkStored, countRows, type Database, emptyTables } from '../stored-rows.ts';
import { PeerTopic } from '../topic.ts';
import type { PeerProcesses } from './peer-processes.ts';
import type { Part, Running } from './system.ts';

/** As many as Weir's topics have. */
const PARTITIONS = 4;
/** Behind the ports of the stack's own tracks. */
const PORTS_AT = 40;

/** Where the peers run: a stack of Kafka and ClickHouse alone. */
export interface PeerPlace {
  readonly stack: () => TestStack;
  readonly portBase: () => number;
  readonly binary: () => Promise<string>;
}

/** What a peer's processes are told. */
export interface PeerRun {
  readonly signal: LoadSignal;
  readonly run: string;
  readonly topic: PeerTopic;
  readonly dir: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly broker: string;
  readonly database: Database;
}

/** Makes the run's own topic and folder. */
export async function preparePeer(place: PeerPlace, signal: LoadSignal, run: string): Promise<PeerRun> {
  const { clickhouse, kafka } = place.stack().local;
  const [httpPort, grpcPort] = [place.portBase() + PORTS_AT, place.portBase() + PORTS_AT + 1];
  const dir = join(place.stack().dataDir, 'peers', run);
  mkdirSync(dir, { recursive: true });
  const topic = await PeerTopic.create(kafka.brokers, `peer_${signal}_${run}`, PARTITIONS).catch((error: unknown) => {
    const logs = ['weir', 'kafka'].map((name) => place.stack().log(name).slice(-2_000));
    throw new Error(`no topic: ${error instanceof Error ? error.message : error}\n${logs.join('\n')}`);
  });
  const database = { url: clickhouse.url, database: 'default' };
  return { signal, run, topic, dir, httpPort, grpcPort, broker: kafka.brokers[0]!, database };
}

/**
 * A peer whose processes are up.
 * @param stores what it writes to, and where it ends
 */
export function runningPeer(
  place: PeerPlace,
  peer: PeerRun,
  processes: PeerProcesses,
  parts: readonly Part[],
  stores: readonly ('kafka' | 'clickhouse')[],
): Running {
  const { signal, topic, database } = peer;
  const store = (name: 'kafka' | 'clickhouse'): Part => ({ name, stage: name, pid: () => place.stack().pid(name) });
  const common = {
    target: { http: `http://127.0.0.1:${peer.httpPort}`, grpc: `http://127.0.0.1:${peer.grpcPort}`, key: 'none' },
    parts: [...parts, ...stores.map(store)],
    logs: () => processes.logs(),
    stop: async () => {
      await processes.stop();
      await topic.delete();
    },
  };
  if (!stores.includes('clickhouse')) {
    return {
      ...common,
      database: undefined,
      arrived: () => topic.messages(),
      check: (run, sentItems, notAccepted) => topic.check(run, sentItems, notAccepted),
      empty: async () => undefined,
    };
  }
  return {
    ...common,
    database,
    arrived: () => countRows(database, signal),
    check: (run, sentItems, notAccepted) => checkStored(database, signal, run, sentItems, notAccepted),
    empty: () => emptyTables(database),
  };
}
