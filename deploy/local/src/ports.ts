/** Ports of one track's services. */
export interface TrackPorts {
  readonly edgeGrpc: number;
  readonly edgeHttp: number;
  readonly edgeAdmin: number;
  readonly normalizerAdmin: number;
  readonly sinkAdmin: number;
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
  /** Of track v1; the other tracks have none. */
  readonly edge: { readonly grpc: number; readonly http: number } | undefined;
}

/**
 * Ports of proxies that stand before Kafka, ClickHouse and the edge in fault tests. Set by WEIR_LOCAL_PROXY_KAFKA (of the
 * first broker), WEIR_LOCAL_PROXY_CLICKHOUSE, WEIR_LOCAL_PROXY_EDGE_GRPC and WEIR_LOCAL_PROXY_EDGE_HTTP.
 */
export function proxiedPorts(ports: Ports, env: NodeJS.ProcessEnv): ProxiedPorts {
  const edge = ports.tracks.v1;
  return {
    kafka: ports.brokers.map(({ client }, index) => Number((index === 0 && env.WEIR_LOCAL_PROXY_KAFKA) || client)),
    clickhouse: Number(env.WEIR_LOCAL_PROXY_CLICKHOUSE || ports.clickhouse),
    edge: edge && {
      grpc: Number(env.WEIR_LOCAL_PROXY_EDGE_GRPC || edge.edgeGrpc),
      http: Number(env.WEIR_LOCAL_PROXY_EDGE_HTTP || edge.edgeHttp),
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

/** From the base: client and controller of each broker. */
const BROKERS_AT = [
  [3, 4],
  [6, 7],
  [8, 9],
] as const;

/** The default base gives OTLP its own ports, 4317 and 4318. */
export function derivePorts(base: number, tracks: readonly string[], brokers = 1): Ports {
  const ofTrack = (index: number): TrackPorts => {
    const first = base + TRACKS_AT + index * PORTS_PER_TRACK;
    return {
      edgeGrpc: first,
      edgeHttp: first + 1,
      edgeAdmin: first + 2,
      normalizerAdmin: first + 3,
      sinkAdmin: first + 4,
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
  return [...front, ...own, ...Object.values(ports.tracks).flatMap((track) => Object.values(track))];
}
