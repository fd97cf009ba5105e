import { gunzipSync } from 'node:zlib';
import { type Answer, CONNECTIONS, EdgeQueue, GrpcReceiver, HttpReceiver, type RawExport, TlsFiles } from '@weir/edge';
import { ensureCertificates } from '@weir/local';
import { Budget, type Refused, refuse, systemClock } from '@weir/pipeline';
import { loadConfig } from '@weir/process';
import { effectiveTenant } from '@weir/tenancy';
import { decodeExport, RecordingConsumer } from '@weir/testkit';
import { type AnswerCase, BODY_BYTES_MAX } from './answer-case.ts';

/** What came of one case at the edge. */
export interface Seen {
  /** When each attempt's headers came, ms on a clock of no meaning. */
  readonly attemptsMs: number[];
  /** Spans of that key's name in exports that were answered with success. */
  arrived: number;
  /** How the bodies came. */
  readonly encodings: Set<string>;
}

export interface ScriptedEdgeOptions {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Where the certificates are, or are made. */
  readonly certificatesDir: string;
}

const HOST = '127.0.0.1';

/**
 * The edge's own receivers on real TLS ports before a consumer that answers by script, so that what goes over the wire is
 * the product's. A client says by its key which case it wants: `CLIENT.CASE`.
 */
export class ScriptedEdge {
  readonly #cases: ReadonlyMap<string, AnswerCase>;
  readonly #options: ScriptedEdgeOptions;
  readonly #seen = new Map<string, Seen>();
  #receivers: readonly (HttpReceiver | GrpcReceiver)[] = [];

  constructor(cases: readonly AnswerCase[], options: ScriptedEdgeOptions) {
    this.#cases = new Map(cases.map((answerCase) => [answerCase.name, answerCase]));
    this.#options = options;
  }

  get endpoints(): { readonly grpc: string; readonly http: string } {
    const { grpcPort, httpPort } = this.#options;
    return { grpc: `https://localhost:${grpcPort}`, http: `https://localhost:${httpPort}` };
  }

  /** Requests of all clients so far. */
  get attempts(): number {
    let sum = 0;
    for (const { attemptsMs } of this.#seen.values()) sum += attemptsMs.length;
    return sum;
  }

  /** What the client with this key did. */
  seen(key: string): Seen {
    const found = this.#seen.get(key) ?? { attemptsMs: [], arrived: 0, encodings: new Set<string>() };
    this.#seen.set(key, found);
    return found;
  }

  async start(): Promise<void> {
    const { grpcPort, httpPort, certificatesDir } = this.#options;
    const files = await ensureCertificates(certificatesDir, new Date());
    const paths = { certFile: files.serverCert, keyFile: files.serverKey, clientCaFile: undefined };
    const parts = {
      tls: new TlsFiles(paths, systemClock, () => undefined),
      clientRequired: false,
      bodyBytesMax: BODY_BYTES_MAX,
      queue: new EdgeQueue(new Budget({ bytesMax: 64 * BODY_BYTES_MAX, itemsMax: 10_000 })),
      clock: systemClock,
      authenticate: ({ apiKey }: { readonly apiKey: readonly string[] }) => this.#authenticate(apiKey[0] ?? ''),
      events: { received: () => undefined, answered: () => undefined, failed: fail },
    };
    const connections = defaultConnections();
    const consumer = new RecordingConsumer<RawExport, Answer>((export_) => this.#answer(export_));
    const http = new HttpReceiver({ ...parts, listen: { host: HOST, port: httpPort } }, consumer, connections);
    const grpc = new GrpcReceiver({ ...parts, listen: { host: HOST, port: grpcPort } }, consumer, connections);
    this.#receivers = [http, grpc];
    for (const receiver of this.#receivers) await receiver.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#receivers.map((receiver) => receiver.stop(AbortSignal.timeout(2_000))));
  }

  #caseOf(key: string): AnswerCase | undefined {
    return this.#cases.get(key.slice(key.lastIndexOf('.') + 1));
  }

  #authenticate(key: string) {
    const answerCase = this.#caseOf(key);
    if (answerCase === undefined) return refuse('unauthenticated', `there is no case ${key}`);
    this.seen(key).attemptsMs.push(systemClock.nowMs());
    // These an edge answers before it has read a body, and an HTTP connection is closed after them.
    const early = ['unauthenticated', 'shutting_down'].includes(answerCase.refusal?.reason ?? '');
    const refusal = early ? this.#refusal(answerCase, key) : undefined;
    return refusal ?? { kind: 'tenant' as const, tenant: effectiveTenant(key, { keys: [] }, undefined) };
  }

  #answer({ tenant, body, encoding }: RawExport): Answer {
    const key = tenant.name;
    const answerCase = this.#caseOf(key);
    if (answerCase === undefined) return refuse('malformed', `there is no case ${key}`);
    const seen = this.seen(key);
    seen.encodings.add(encoding);
    const refusal = this.#refusal(answerCase, key);
    if (refusal !== undefined) return refusal;
    seen.arrived += countSpans(encoding === 'gzip' ? gunzipSync(body) : body, key);
    const rejectedItems = answerCase.rejectedItems ?? 0;
    const message = rejectedItems > 0 ? { message: 'an item has no time' } : {};
    return { kind: 'accepted', acceptedItems: 1 - rejectedItems, rejectedItems, ...message };
  }

  #refusal({ refusal }: AnswerCase, key: string): Refused | undefined {
    if (refusal === undefined || this.seen(key).attemptsMs.length > refusal.times) return undefined;
    return refuse(refusal.reason, 'refused by the script', refusal.retryAfterS);
  }
}

function countSpans(plain: Uint8Array, name: string): number {
  const { resourceSpans } = decodeExport('traces', plain);
  const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  return spans.filter((span) => span.name === name).length;
}

function fail(error: unknown): never {
  throw error;
}

/** What an edge is started with where the operator says nothing of connections. */
function defaultConnections() {
  const readFile = (path: string): string => {
    throw new Error(`no setting is in a file: ${path}`);
  };
  const loaded = loadConfig(CONNECTIONS, { env: {}, readFile });
  if (!loaded.ok) throw new Error(loaded.faults.join('; '));
  return loaded.config;
}
