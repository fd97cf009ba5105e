import { constants, type Http2Server, type ServerHttp2Session, type Settings } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import { type Clock, InvariantError } from '@weir/pipeline';
import { LIMITS } from '../limits.ts';

/** What an HTTP/2 connection is held to. */
export interface SessionBounds {
  /** Calls at once on one connection. */
  readonly streamsMax: number;
  /** Of a call, as HTTP/2 counts them: names, values and 32 for each. */
  readonly headerBytesMax: number;
  /** A client that pings more often than this, without calls in between, is told to go. */
  readonly pingIntervalMinMs: number;
}

/**
 * What is used of the library's server beside its public interface: it passes on neither windows nor the size of headers,
 * and counts no pings. The package is pinned, and the tests of the receiver fail without each.
 */
interface Internals {
  readonly commonServerOptions: { settings?: Settings };
  createHttp2Server(credentials: unknown): Http2Server;
}

const TOO_MANY_PINGS = Buffer.from('too_many_pings');

/** Holds the sessions of a server, which has not been started, to their bounds. */
export function boundSessions(server: Server, bounds: SessionBounds, clock: Clock): void {
  const internals = server as unknown as Internals;
  const { commonServerOptions } = internals;
  if (commonServerOptions === undefined || internals.createHttp2Server === undefined) {
    throw new InvariantError('grpc-js does not show the options of its HTTP/2 server');
  }
  commonServerOptions.settings = {
    ...commonServerOptions.settings,
    maxConcurrentStreams: bounds.streamsMax,
    maxHeaderListSize: bounds.headerBytesMax,
    initialWindowSize: LIMITS.grpcStreamWindowBytes,
  };
  const create = internals.createHttp2Server.bind(server);
  internals.createHttp2Server = (credentials) => {
    const made = create(credentials);
    made.on('session', (session) => {
      session.setLocalWindowSize(LIMITS.grpcConnectionWindowBytes);
      boundPings(session, bounds.pingIntervalMinMs, clock);
    });
    return made;
  };
}

/** As gRPC's other servers do: what begins or ends a call may be followed by a ping, since clients measure with them. */
function boundPings(session: ServerHttp2Session, intervalMinMs: number, clock: Clock): void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let strikes = 0;
  const forgive = () => {
    lastMs = Number.NEGATIVE_INFINITY;
    strikes = 0;
  };
  session.on('stream', (stream) => {
    forgive();
    stream.once('close', forgive);
  });
  session.on('ping', () => {
    const nowMs = clock.nowMs();
    const early = nowMs - lastMs < intervalMinMs;
    if (!early) lastMs = nowMs;
    if (!early || session.destroyed) return;
    strikes++;
    if (strikes === LIMITS.pingStrikesMax + 1) session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, TOO_MANY_PINGS);
    // It was told, and goes on. One that is being closed would be waited for, and may not read: so it is not closed before.
    if (strikes > LIMITS.pingStrikesEnd) session.destroy();
  });
}
