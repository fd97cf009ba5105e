import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isTrack } from '@weir/records';
import { PROCESSES_MAX, type ProcessCounts } from './process-counts.ts';

/** What `npm start` was asked for. */
export interface StartOptions {
  readonly dataDir: string;
  readonly portBase: number;
  readonly detach: boolean;
  readonly envoy: boolean;
  /** Edge, normalizer and sink; without them Envoy is left out too. */
  readonly services: boolean;
  readonly tracks: readonly string[];
  /** Of each track. */
  readonly counts: ProcessCounts;
}

export type ParsedOptions =
  | { readonly kind: 'start'; readonly options: StartOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'fault'; readonly message: string };

export const DEFAULT_DATA_DIR = '.weir';
export const DEFAULT_PORT_BASE = 4317;
const PORTS_MAX = 200;
const TRACKS_MAX = 4;

export const START_HELP = `usage: npm start [-- OPTIONS]

Brings up Kafka, ClickHouse, Envoy, edge, normalizer and sink on this machine.

  --detach             run in the background; 'npm stop' ends it
  --data-dir DIR       where everything is kept (default ${DEFAULT_DATA_DIR})
  --port-base N        first port; all others follow from it (default ${DEFAULT_PORT_BASE})
  --no-envoy           without Envoy: clients speak to the edge itself
  --no-services        Kafka and ClickHouse alone, with their topics and tables
  --tracks v1,v2       tracks to run (default v1)
  --edges N            edge processes of each track, 1 to ${PROCESSES_MAX}; Envoy gives each its part (default 1)
  --normalizers N      likewise; they share the partitions
  --sinks N            likewise
  --help               this text

Topics are made with four partitions, or with one for each normalizer or sink where there are more of these;
WEIR_KAFKA_PARTITIONS says otherwise. With WEIR_LOCAL_KAFKA_BROKERS=3 in the environment Kafka is three brokers instead of one, with a copy of everything on each;
a data directory stays with the number that it was made with. With WEIR_LOCAL_KAFKA_SECURITY=SASL_SSL the brokers speak TLS, ask
for certificates and for a user (SCRAM-SHA-512), as in production.

examples:
  npm start
  npm start -- --detach --data-dir /tmp/weir --port-base 5000
  npm start -- --edges 2 --normalizers 4 --sinks 2
`;

/** Reads the command line of `npm start`. */
export function parseStart(args: readonly string[]): ParsedOptions {
  const fault = (message: string): ParsedOptions => ({ kind: 'fault', message });
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return fault(error instanceof Error ? error.message : 'the options cannot be read');
  }
  if (values.help === true) return { kind: 'help' };
  const portBase = Number(values['port-base'] ?? DEFAULT_PORT_BASE);
  if (!Number.isInteger(portBase) || portBase < 1_024 || portBase > 65_535 - PORTS_MAX) {
    return fault(`--port-base must be a whole number from 1024 to ${65_535 - PORTS_MAX}`);
  }
  const tracks = (values.tracks ?? 'v1').split(',');
  if (!tracks.every(isTrack) || new Set(tracks).size !== tracks.length || tracks.length > TRACKS_MAX) {
    return fault(`--tracks must be up to ${TRACKS_MAX} of v1, v2, … with commas between`);
  }
  if (!tracks.includes('v1')) return fault('--tracks must have v1: it takes what no other track is named for');
  const counts = {
    edge: Number(values.edges ?? 1),
    normalizer: Number(values.normalizers ?? 1),
    sink: Number(values.sinks ?? 1),
  };
  if (!Object.values(counts).every((count) => Number.isInteger(count) && count >= 1 && count <= PROCESSES_MAX)) {
    return fault(`--edges, --normalizers and --sinks must be whole numbers from 1 to ${PROCESSES_MAX}`);
  }
  const envoy = values['no-envoy'] !== true;
  const services = values['no-services'] !== true;
  if (!envoy && counts.edge > 1) return fault('--edges needs Envoy: without it nothing gives each edge its part');
  return {
    kind: 'start',
    options: {
      dataDir: resolve(values['data-dir'] ?? DEFAULT_DATA_DIR),
      portBase,
      detach: values.detach ?? false,
      envoy: envoy && services,
      services,
      tracks,
      counts,
    },
  };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      detach: { type: 'boolean' },
      'data-dir': { type: 'string' },
      'port-base': { type: 'string' },
      'no-envoy': { type: 'boolean' },
      'no-services': { type: 'boolean' },
      tracks: { type: 'string' },
      edges: { type: 'string' },
      normalizers: { type: 'string' },
      sinks: { type: 'string' },
      help: { type: 'boolean' },
    },
  }).values;
}
