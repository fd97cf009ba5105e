import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream, ServerOptions } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { InvariantError } from '@weir/pipeline';
import { LIMITS } from '../limits.ts';

/**
 * What is used of the library's server beside its public interface: the options that each of its HTTP/2 servers is made
 * with, and those servers. The package is pinned, and the tests on bad input fail without each.
 */
interface Internals {
  readonly commonServerOptions: ServerOptions;
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

const KEY_HEADERS = ['authorization', 'x-api-key'];
/** What the library does not allow in a header. */
const NOT_ALLOWED = /[^ -~]/g;

/**
 * Lets TLS connections into a gRPC server. One whose certificate was verified is a proxy's and carries the calls of many
 * clients: it may reset more streams before it is closed, since closing it would end the calls of all of them, and have
 * more of them, since those that were just reset count for a moment and would leave no room for the others.
 */
export function openInjectors(server: Server): (socket: TLSSocket) => void {
  const { commonServerOptions, http2Servers } = server as unknown as Internals;
  if (commonServerOptions === undefined || http2Servers === undefined)
    throw new InvariantError('grpc-js does not show its HTTP/2 servers');
  // TLS has ended in the listener: to the library these connections are plain.
  const plain = ServerCredentials.createInsecure();
  Object.assign(commonServerOptions, { streamResetBurst: LIMITS.resetBurst, streamResetRate: LIMITS.resetsPerS });
  const clients = server.createConnectionInjector(plain);
  Object.assign(commonServerOptions, {
    streamResetBurst: LIMITS.proxyResetBurst,
    streamResetRate: LIMITS.proxyResetsPerS,
    maxSessionRejectedStreams: LIMITS.proxyStreamsMax,
    settings: { ...commonServerOptions.settings, maxConcurrentStreams: LIMITS.proxyStreamsMax },
  });
  const proxies = server.createConnectionInjector(plain);
  for (const http2 of http2Servers.keys()) http2.prependListener('stream', showKeys);
  return (socket) => (socket.authorized ? proxies : clients).injectConnection(socket);
}

/**
 * Node keeps the first of several authorization headers, and the library drops a header whose bytes it does not allow.
 * All of them are to be seen: several as one list, and such bytes as what no key has, so that neither is a key.
 */
function showKeys(_stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]): void {
  let found: string | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at] !== 'authorization') continue;
    if (found !== undefined) headers.authorization = `${found}, ${raw[at + 1]}`;
    found = headers.authorization;
  }
  for (const name of KEY_HEADERS) {
    const value = headers[name];
    if (typeof value === 'string') headers[name] = value.replace(NOT_ALLOWED, '?');
  }
}
