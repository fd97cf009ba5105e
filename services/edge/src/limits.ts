import { invariant } from '@weir/pipeline';

const MIB = 1024 ** 2;

/** Bounds that do not depend on the operator's configuration, with the reason beside each. */
export const LIMITS = {
  /** An export larger than this is split: its rows must fit one record of the rows log. */
  recordBodyBytesMax: 4 * MIB,
  /** A record as it goes to Kafka, whose own bound is 12 MiB. */
  recordBytesMax: 8 * MIB,
  /** One produce of a lane: large enough to be cheap, small enough to be acknowledged soon. */
  produceBytesMax: MIB,
  /** Identity bodies below this cost more to compress than to send. */
  compressBytesMin: 1_024,
  /** Compressed bodies above this are inflated off the event loop. */
  inflateSyncBytesMax: 256 * 1024,
  headersTimeoutMs: 10_000,
  /** A client must have sent its body after this. */
  bodyTimeoutMs: 30_000,
  keepAliveMs: 75_000,
  headerBytesMax: 16 * 1024,
  connectionsMax: 10_000,
  /** An idle HTTP/2 session holds 85 KB: 85 MB together. Where Envoy stands before it, each carries many clients' calls. */
  grpcConnectionsMax: 1_000,
  /** Calls at once on one connection. */
  grpcStreamsMax: 100,
  /** Calls at once on all of them. One with 12 KB of headers holds 45 KB beside its message: 92 MB together. */
  grpcCallsMax: 2_048,
  /** What a piece of an unfinished message costs beside its bytes, so that a body that comes in crumbs is bounded as well. */
  pieceOverheadBytes: 256,
  /** Requests that one connection may carry before it is closed: load is spread anew now and then. */
  requestsPerSocketMax: 100_000,
  /** From this fill on only priority batches are taken. */
  priorityFill: 0.9,
  /** A flow report older than this, by our own clock, says nothing. */
  flowFreshMs: 10_000,
  flowReportersMax: 1_000,
  retryAfterSMax: 30,
  /** A leader that moved is back within this. */
  kafkaRetryAfterS: 2,
  kafkaCheckMs: 2_000,
  kafkaSilentMsMax: 10_000,
  tlsPollMs: 1_000,
  topicRetryMs: 500,
} as const;

invariant(LIMITS.recordBodyBytesMax <= LIMITS.recordBytesMax, 'a body that does not compress must fit a record');
