import { invariant } from '@weir/pipeline';

const MIB = 1024 ** 2;

/** Bounds that do not depend on the operator's configuration, with the reason beside each. */
export const LIMITS = {
  /** An export larger than this is split: its rows must fit one record of the rows log. */
  recordBodyBytesMax: 4 * MIB,
  /** A record as it goes to Kafka, whose own bound is 12 MiB. */
  recordBytesMax: 8 * MIB,
  /** JSON is held as text, as values and as protobuf at once: up to six times its size. Some 12,000 spans. */
  jsonBytesMax: 16 * MIB,
  /** Largest bodies that the queue has room for: one, and the pieces that it is split into, which may be twice as large. */
  queueBodiesMin: 3,
  /** A compressed body may be this much longer than what is in it and still go on as it came: its frame is not counted. */
  forwardSlackBytes: 1_024,
  /** One produce of a lane: large enough to be cheap, small enough to be acknowledged soon. */
  produceBytesMax: MIB,
  /** A produce costs the edge and the broker as much as some ten small exports, and no client notices 5 ms. */
  producePace: { ms: 5, bytesMax: 32 * 1024 },
  /**
   * So long a partition is the one that exports go to, of those of their tenants: longer than the 100 ms for which a normalizer
   * gathers, shorter than the second of a sink's batch.
   */
  laneTurnMs: 250,
  /** Where this much waits in it, or its produce has taken so long, they go to the one with the least in it: no answer waits for another's. */
  laneTurnBytesMax: 256 * 1024,
  laneSlowMs: 50,
  /** Plain bodies below this are compressed with the others of their produce: alone, setting the compressor up costs as much as its work. */
  compressBytesMin: 32 * 1024,
  /** Compressed bodies above this are inflated off the event loop; so are those that inflate to more than a record. */
  inflateSyncBytesMax: 256 * 1024,
  /** Bodies of up to a record that are inflated at once: more than there are threads for it. */
  inflatesMax: 16,
  /**
   * Larger bodies that are inflated at once. Each counts as the largest that is allowed, since what it will be is not
   * known before. While its parts are joined zlib holds it twice: 256 MiB in all where bodies may have 64.
   */
  largeInflatesMax: 2,
  /** Bodies that wait to be inflated, and how long: a few large ones, of which each takes some 0.3 s. */
  inflateWaitingMax: 100,
  inflateWaitMs: 2_000,
  headersTimeoutMs: 10_000,
  /** How often node looks for headers that are late; its own 30 s would make 40 of these 10. */
  connectionsCheckMs: 2_000,
  /** A client must have sent its body after this. */
  bodyTimeoutMs: 30_000,
  /**
   * How long what a refused client still sends is read and dropped: closed at once, the connection is reset, and the client,
   * or the proxy before it, sees that instead of the answer.
   */
  lingerMs: 2_000,
  /** A body that is refused unread but declared no longer than this is read to its end, and the connection kept. */
  drainBytesMax: 64 * 1024,
  /** Answers below this are as long when they are compressed. */
  gzipAnswerBytesMin: 128,
  keepAliveMs: 75_000,
  /** How long an edge that stops and has answered all waits for its clients to close their connections. */
  connectionCloseMs: 1_000,
  connectionsMax: 10_000,
  /**
   * HTTP requests at once whose key is good, of which no tenant may have more than its share: each holds one of the connections
   * that Envoy makes to all edges of a track, at most 1,024. More would let one tenant's slow ones take them all.
   */
  httpRequestsMax: 1_024,
  /** An idle HTTP/2 session holds 85 KB: 85 MB together. Where Envoy stands before it, each carries many clients' calls. */
  grpcConnectionsMax: 1_000,
  /** HTTP/2 windows: with its own 64 KiB an export of 380 KB waits for several round trips. The queue bounds what comes. */
  grpcStreamWindowBytes: 4 * MIB,
  grpcConnectionWindowBytes: 16 * MIB,
  /** Pings that may come too early before a client is told to go, and before it is cut off. */
  pingStrikesMax: 2,
  pingStrikesEnd: 20,
  /** Calls at once on all of them. One with 12 KB of headers holds 45 KB beside its message: 92 MB together. */
  grpcCallsMax: 2_048,
  /**
   * Streams that a connection may have reset at once, and a second, before it is closed. Each costs some 0.1 ms; a client
   * resets what it waits for no longer, and has 100.
   */
  resetBurst: 200,
  resetsPerS: 33,
  /**
   * The same of a proxy's connection, which carries the calls of many. Envoy closes a client that resets its first 100, so this
   * is a thousand such clients at once. What was reset is in the connection's table until the loop comes round to it.
   */
  proxyResetBurst: 100_000,
  proxyResetsPerS: 10_000,
  proxyStreamsMax: 10_000,
  /** What a piece of an unfinished message costs beside its bytes, so that a body that comes in crumbs is bounded as well. */
  pieceOverheadBytes: 256,
  /** Requests that one connection may carry before it is closed: load is spread anew now and then. */
  requestsPerSocketMax: 100_000,
  /** What a tenant of mean weight may hold of the queue, over what is free: 2 leaves a third of it to the others. */
  queueShareAlpha: 2,
  /** The same with the greatest weight: 4 leaves a fifth. */
  queueShareMax: 4,
  /**
   * SDKs drop at once what they are asked to hold beyond the 10 s that they give an export in all (docs/CLIENTS.md): half
   * of it to wait, and half for the produce that follows.
   */
  retryAfterSMax: 5,
  /** Active series of all tenants: 16 tenants with 150,000 each, which take 4 MiB, or 130,000 tenants with few. */
  seriesBytesMax: 64 * MIB,
  /** What is said while no drain is measured. */
  drainUnknownS: 2,
  /** The least part of the drain that a full backlog is taken to go down by: what came in stops coming in. */
  netDrainMin: 0.25,
  /** So long it takes until less comes in: reports of a second each, and what is on its way. */
  fairAheadS: 6,
  /** Where fair shares keep the fill: below it more is given than drains, above it less, by this many times the difference. */
  fairFillAim: 0.8,
  fairGain: 5,
  fairGainMin: 0.1,
  fairGainMax: 1.25,
  /** Tenants whose demand is measured: some 200 bytes each. */
  demandTenantsMax: 20_000,
  /** An edge whose demand has not been told for this long is gone. */
  edgeSilentMs: 5_000,
  /** While no demand reaches us the last shares of limits hold for so much longer, then equal parts. */
  sharesHoldMs: 10_000,
  /** Edges that are followed; each may name 2,000 tenants, 300 KB in memory. */
  edgesMax: 200,
  /** A leader that moved is back within this. */
  kafkaRetryAfterS: 2,
  kafkaCheckMs: 2_000,
  kafkaSilentMsMax: 10_000,
  tlsPollMs: 1_000,
  topicRetryMs: 500,
  /** How old the books may become before they are told: an edge that is killed takes so much of them along. */
  booksMs: 5_000,
  /** How long an edge that stops tries to tell them. */
  booksStopMs: 3_000,
  /** Rows of the books in one record, some 60 bytes each. */
  noteRowsMax: 2_000,
  /** Records of the books that wait for Kafka at once; while they do, what comes adds up. */
  notesWaitingMax: 4,
  /** Rows that add up: 5 MB. Above it only minutes are no longer told apart. */
  bookRowsMax: 20_000,
} as const;

invariant(
  LIMITS.recordBodyBytesMax + LIMITS.forwardSlackBytes <= LIMITS.recordBytesMax,
  'a body that does not compress must fit a record',
);
