export { type Inflated, Inflater } from './admit/inflate.ts';
export { EDGE_CONFIG } from './config.ts';
export type { Answer, RawExport } from './exports.ts';
export { EDGE_METRICS } from './metrics.ts';
export { GrpcReceiver } from './receive/grpc-receiver.ts';
export { HttpReceiver } from './receive/http-receiver.ts';
export { TlsFiles } from './receive/tls-files.ts';
