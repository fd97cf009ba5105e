/** What a function's time is spent on. */
export type WorkKind =
  | 'compression'
  | 'OTLP scan'
  | 'transcoding and blocks'
  | 'records and headers'
  | 'Kafka client'
  | 'HTTP, gRPC, sockets and TLS'
  | 'ClickHouse client'
  | 'garbage collection'
  | 'the runtime outside of functions'
  | 'other';

/** By the path of the file; the first that matches. */
const BY_PATH: readonly (readonly [RegExp, WorkKind])[] = [
  [/^node:(internal\/)?zlib|batch-zstd|\/compress/, 'compression'],
  [/\/packages\/otlp\//, 'OTLP scan'],
  [/\/packages\/(native|normalize)\//, 'transcoding and blocks'],
  [/\/packages\/(records|delivery)\//, 'records and headers'],
  [/\/packages\/kafka\/|\/kafkajs/, 'Kafka client'],
  [/\/packages\/clickhouse\/|@clickhouse/, 'ClickHouse client'],
  [
    /^node:(internal\/)?(_?http|_?tls|net|stream|js_stream|webstreams)|stream_base|\/undici\/|@grpc\//,
    'HTTP, gRPC, sockets and TLS',
  ],
  [/\/services\/edge\/src\/receive\//, 'HTTP, gRPC, sockets and TLS'],
];

/** @param url the file of the function, or of the nearest function with a file that called it */
export function kindOf(functionName: string, url: string): WorkKind {
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(program)') return 'the runtime outside of functions';
  return BY_PATH.find(([path]) => path.test(url))?.[1] ?? 'other';
}
