import { readFileSync, writeFileSync } from 'node:fs';
import { stackPaths } from '@weir/local';
import { pause } from '@weir/testkit';
import { request } from 'undici';
import { parse, stringify } from 'yaml';
import type { FaultStack } from '../fault-stack.ts';
import { until } from '../until.ts';
import type { FaultRow } from './row.ts';

const GROUPS = ['normalizer', 'sink'] as const;
const ROUNDS = 4;

/** Two more join, share the partitions with the first, and go: one in order, and one without a word. */
function grown(service: (typeof GROUPS)[number]): FaultRow {
  return {
    name: `instances-1-3-1-${service}`,
    fault: `1 -> 3 -> 1 ${service}s; one leaves by SIGTERM, one by SIGKILL`,
    strike: async (faults, random, load) => {
      const joined = await Promise.all([0, 1].map((slot) => faults.join(service, slot)));
      const owned = await Promise.all(joined.map((member) => member.untilOwning()));
      await pause(1_000 + random() * 1_500);
      await joined[0]!.end('SIGTERM');
      await pause(random() * 1_500);
      await joined[1]!.end('SIGKILL');
      load.afterwards(async () => ({ 'partitions of those that joined': owned.join(' and ') }));
    },
  };
}

/** Members that come and go: each takes partitions in the middle of batches, and leaves in the middle of its own. */
function rebalanced(service: (typeof GROUPS)[number]): FaultRow {
  return {
    name: `rebalance-${service}`,
    fault: `rebalance in the middle of a batch: ${ROUNDS} ${service}s join and leave at once, the last by SIGKILL`,
    strike: async (faults, random) => {
      const leaving: Promise<void>[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const member = await faults.join(service, round % 2);
        await member.untilOwning();
        await pause(random() * 600);
        // The next one joins while this one leaves.
        leaving.push(member.end(round === ROUNDS - 1 ? 'SIGKILL' : 'SIGTERM'));
      }
      await Promise.all(leaving);
    },
  };
}

interface EnvoyFile {
  static_resources: {
    clusters: { name: string; load_assignment: { endpoints: { lb_endpoints: Endpoint[] }[] } }[];
  };
}

interface Endpoint {
  endpoint: { address: { socket_address: { address: string; port_value: number } } };
}

const EDGE_SLOT = 2;

/** A second edge, and Envoy told of it. */
async function addEdge(faults: FaultStack): Promise<void> {
  const edge = await faults.join('edge', EDGE_SLOT);
  await edge.untilReady();
  const { stack } = faults;
  const path = stackPaths(stack.dataDir).envoyConfig;
  const config = parse(readFileSync(path, 'utf8')) as EnvoyFile;
  for (const { name, load_assignment } of config.static_resources.clusters) {
    const port_value = name.endsWith('grpc') ? edge.ports.grpc : edge.ports.http;
    const address = { socket_address: { address: '127.0.0.1', port_value } };
    load_assignment.endpoints[0]!.lb_endpoints.push({ endpoint: { address } });
  }
  writeFileSync(path, stringify(config, { aliasDuplicateObjects: false, lineWidth: 0 }));
  await faults.end('envoy', 'SIGKILL');
  await until('Envoy is ready', async () => {
    const answer = await request(`http://127.0.0.1:${faults.portBase + 2}/ready`).catch(() => undefined);
    await answer?.body.dump();
    return answer?.statusCode === 200;
  });
}

/** Each process in turn, the next one when the last one is ready again, as an orchestrator does it. */
const ROLLING: FaultRow = {
  name: 'rolling-restart',
  fault: 'rolling restart by SIGTERM: two edges behind Envoy, normalizer, sink; no answer that is not retryable',
  prepare: addEdge,
  strike: async (faults) => {
    const { stack } = faults;
    const again = async (service: string) => {
      await faults.end(service, 'SIGTERM');
      await until(`${service} is ready`, () => stack.ready(service));
    };
    await again('edge');
    const second = faults.member(EDGE_SLOT);
    await second.end('SIGTERM');
    second.start();
    await second.untilReady();
    await again('normalizer');
    await again('sink');
  },
};

/** Processes of one service that join and leave, and all of them started anew in turn. */
export const INSTANCE_ROWS: readonly FaultRow[] = [...GROUPS.map(grown), ...GROUPS.map(rebalanced), ROLLING];
