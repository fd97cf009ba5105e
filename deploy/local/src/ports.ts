import { ONE_OF_EACH, PROCESSES_MAX, type ProcessCounts } from './process-counts.ts';

/** Ports of one edge process. */
export interface EdgePorts {
  readonly grpc: number;
  readonly http: number;
  readonly admin: number;
}

/** Ports of one track's services, by process. */
export interface TrackPorts {
  readonly edges: readonly EdgePorts[];
  /** Admin ports. */
  readonly normalizers: readonly number[];
  readonly sinks: readonly number[];
}

/** Ports of one Kafka broker, which is a controller as well. */
export interface BrokerPorts {
  readonly client: number;
  readonly controller: number;
}

/** Where who connects is sent: to the processes themselves, or to what stands before them. */
export interface ProxiedPorts {
  /** Of each broker. */
  readonly kafka: readonly number[];
  readonly clickhouse: number;
  /** Of the first edge of track v1; the others have none. */
  readonly edge: { readonly grpc: number; readonly http: number } | undefined;
}

/**
 * Ports of proxies that stand before Kafka, ClickHouse and the edge in fault tests. Set by WEIR_LOCAL_PROXY_KAFKA (of the
 * first broker), WEIR_LOCAL_PROXY_CLICKHOUSE, WEIR_LOCAL_PROXY_EDGE_GRPC and WEIR_LOCAL_PROXY_EDGE_HTTP.
 */
export function proxiedPorts(ports: Ports, env: NodeJS.ProcessEnv): ProxiedPorts {
  const edge = ports.tracks.v1?.edges[0];
  return {
    kafka: ports.brokers.map(({ client }, index) => Number((index === 0 && env.WEIR_LOCAL_PROXY_KAFKA) || client)),
    clickhouse: Number(env.WEIR_LOCAL_PROXY_CLICKHOUSE || ports.clickhouse),
    edge: edge && {
      grpc: Number(env.WEIR_LOCAL_PROXY_EDGE_GRPC || edge.grpc),
      http: Number(env.WEIR_LOCAL_PROXY_EDGE_HTTP || edge.http),
    },
  };
}

/**
 * How many Kafka brokers a stack has, by WEIR_LOCAL_KAFKA_BROKERS: one, or three with a copy of everything on each.
 * @throws where it says anything else
 */
export function brokerCount(env: NodeJS.ProcessEnv): number {
  const text = env.WEIR_LOCAL_KAFKA_BROKERS || '1';
  if (text !== '1' && text !== '3') throw new Error('WEIR_LOCAL_KAFKA_BROKERS must be 1 or 3');
  return Number(text);
}

/** Every port of a stack, all derived from one. */
export interface Ports {
  readonly otlpGrpc: number;
  readonly otlpHttp: number;
  readonly envoyAdmin: number;
  readonly brokers: readonly BrokerPorts[];
  readonly clickhouse: number;
  readonly tracks: Readonly<Record<string, TrackPorts>>;
}

const TRACKS_AT = 10;
const PORTS_PER_TRACK = 10;
/** Behind the first processes of four tracks, and what fault tests add. */
const FURTHER_AT = 60;
const PORTS_PER_EDGE = 3;
const FURTHER_PER_TRACK = (PROCESSES_MAX - 1) * (PORTS_PER_EDGE + 2);

/** From the base: client and controller of each broker. */
const BROKERS_AT = [
  [3, 4],
  [6, 7],
  [8, 9],
] as const;

/** The default base gives OTLP its own ports, 4317 and 4318. */
export function derivePorts(
  base: number,
  tracks: readonly string[],
  brokers = 1,
  counts: ProcessCounts = ONE_OF_EACH,
): Ports {
  const ofTrack = (index: number): TrackPorts => {
    const first = base + TRACKS_AT + index * PORTS_PER_TRACK;
    const further = base + FURTHER_AT + index * FURTHER_PER_TRACK;
    const normalizers = further + (PROCESSES_MAX - 1) * PORTS_PER_EDGE;
    const sinks = normalizers + PROCESSES_MAX - 1;
    const all = <T>(count: number, own: T, more: (number: number) => T): T[] => [
      own,
      ...Array.from({ length: count - 1 }, (_, number) => more(number)),
    ];
    const edge = (at: number): EdgePorts => ({ grpc: at, http: at + 1, admin: at + 2 });
    return {
      edges: all(counts.edge, edge(first), (number) => edge(further + number * PORTS_PER_EDGE)),
      normalizers: all(counts.normalizer, first + 3, (number) => normalizers + number),
      sinks: all(counts.sink, first + 4, (number) => sinks + number),
    };
  };
  return {
    otlpGrpc: base,
    otlpHttp: base + 1,
    envoyAdmin: base + 2,
    brokers: BROKERS_AT.slice(0, brokers).map(([client, controller]) => ({
      client: base + client,
      controller: base + controller,
    })),
    clickhouse: base + 5,
    tracks: Object.fromEntries(tracks.map((track, index) => [track, ofTrack(index)])),
  };
}

/** Every port as a list, for finding out whether one is taken. */
export function allPorts(ports: Ports, envoy: boolean): number[] {
  const own = [...ports.brokers.flatMap(({ client, controller }) => [client, controller]), ports.clickhouse];
  const front = envoy ? [ports.otlpGrpc, ports.otlpHttp, ports.envoyAdmin] : [];
  const ofTracks = Object.values(ports.tracks).flatMap(({ edges, normalizers, sinks }) => [
    ...edges.flatMap(({ grpc, http, admin }) => [grpc, http, admin]),
    ...normalizers,
    ...sinks,
  ]);
  return [...front, ...own, ...ofTracks];
}
