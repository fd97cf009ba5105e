/** Ports of one track's services. */
export interface TrackPorts {
  readonly edgeGrpc: number;
  readonly edgeHttp: number;
  readonly edgeAdmin: number;
  readonly normalizerAdmin: number;
  readonly sinkAdmin: number;
}

/**
 * Ports of proxies that stand before Kafka and ClickHouse in fault tests: who connects is sent there. Set by
 * WEIR_LOCAL_PROXY_KAFKA and WEIR_LOCAL_PROXY_CLICKHOUSE.
 */
export function proxiedPorts(ports: Ports, env: NodeJS.ProcessEnv): { kafka: number; clickhouse: number } {
  return {
    kafka: Number(env.WEIR_LOCAL_PROXY_KAFKA ?? ports.kafka),
    clickhouse: Number(env.WEIR_LOCAL_PROXY_CLICKHOUSE ?? ports.clickhouse),
  };
}

/** Every port of a stack, all derived from one. */
export interface Ports {
  readonly otlpGrpc: number;
  readonly otlpHttp: number;
  readonly envoyAdmin: number;
  readonly kafka: number;
  readonly kafkaController: number;
  readonly clickhouse: number;
  readonly tracks: Readonly<Record<string, TrackPorts>>;
}

const TRACKS_AT = 10;
const PORTS_PER_TRACK = 10;

/** The default base gives OTLP its own ports, 4317 and 4318. */
export function derivePorts(base: number, tracks: readonly string[]): Ports {
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
    kafka: base + 3,
    kafkaController: base + 4,
    clickhouse: base + 5,
    tracks: Object.fromEntries(tracks.map((track, index) => [track, ofTrack(index)])),
  };
}

/** Every port as a list, for finding out whether one is taken. */
export function allPorts(ports: Ports, envoy: boolean): number[] {
  const own = [ports.kafka, ports.kafkaController, ports.clickhouse];
  const front = envoy ? [ports.otlpGrpc, ports.otlpHttp, ports.envoyAdmin] : [];
  return [...front, ...own, ...Object.values(ports.tracks).flatMap((track) => Object.values(track))];
}
