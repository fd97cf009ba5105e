import { gzipSync } from 'node:zlib';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { Agent, request } from 'undici';
import { leanHttpSender } from './lean-http.ts';
import type { LoadSignal } from './payload.ts';
import type { LoadTransport, Sender, Target } from './sent.ts';

const SERVICES: Readonly<Record<LoadSignal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

const TIMEOUT_MS = 15_000;
const identity = (bytes: Buffer): Buffer => bytes;

/** How bodies are sent: as they are, compressed here (over HTTP), or as they are and said to be compressed. */
export type Compression = 'none' | 'gzip' | 'is-gzip';

export function createSender(
  target: Target,
  transport: LoadTransport,
  options: { compression: Compression; connections: number; lean?: boolean },
): Sender {
  if (transport === 'grpc') return grpcSender(target, options.connections);
  if (options.lean === true && transport === 'http' && options.compression !== 'gzip') {
    const encoding = options.compression === 'none' ? {} : { 'content-encoding': 'gzip' };
    return leanHttpSender(target, options.connections, { 'content-type': 'application/x-protobuf', ...encoding });
  }
  return httpSender(target, options, transport === 'http' ? 'application/x-protobuf' : 'application/json');
}

function httpSender(
  target: Target,
  { compression, connections }: { compression: Compression; connections: number },
  contentType: string,
): Sender {
  const connect = target.ca === undefined ? {} : { ca: target.ca };
  const agent = new Agent({ connect, connections, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  return {
    send: async (signal, body, key) => {
      try {
        const { statusCode, body: answer } = await request(`${target.http}/v1/${signal}`, {
          method: 'POST',
          dispatcher: agent,
          body: compression === 'gzip' ? compress(body) : body,
          headers: {
            authorization: `Bearer ${key}`,
            'content-type': contentType,
            ...(compression === 'none' ? {} : { 'content-encoding': 'gzip' }),
          },
        });
        await answer.dump();
        if (statusCode === 200) return { kind: 'accepted' };
        return { kind: 'refused', reason: `HTTP ${statusCode}` };
      } catch (error) {
        return { kind: 'unknown', reason: (error as { code?: string }).code ?? 'failed' };
      }
    },
    close: () => agent.close(),
  };
}

/** As clients do it: fast. */
export function compress(body: Buffer): Buffer {
  return gzipSync(body, { level: 1 });
}

/** gRPC codes that say that the export was not taken; the others say nothing. */
const REFUSED = new Set([3, 7, 8, 12, 16]);

/** The code; of RESOURCE_EXHAUSTED also whether it lacks the RetryInfo without which a client must not send again. */
function reasonOf({ code, metadata }: ServiceError): string {
  if (code !== status.RESOURCE_EXHAUSTED) return `gRPC ${code}`;
  const told =
    metadata.get('google.rpc.retryinfo-bin').length > 0 ||
    metadata.get('grpc-status-details-bin').some((details) => details.includes('google.rpc.RetryInfo'));
  return told ? `gRPC ${code}` : `gRPC ${code} without RetryInfo`;
}

function grpcSender(target: Target, connections: number): Sender {
  const channel = target.ca === undefined ? credentials.createInsecure() : credentials.createSsl(target.ca);
  const clients = Array.from(
    { length: connections },
    (_, number) =>
      new Client(new URL(target.grpc).host, channel, {
        'grpc.use_local_subchannel_pool': 1,
        'weir.load.connection': number,
      }),
  );
  let next = 0;
  return {
    send: (signal, body, key) =>
      new Promise((resolve) => {
        const metadata = new Metadata();
        metadata.set('authorization', `Bearer ${key}`);
        const client = clients[next++ % clients.length]!;
        const options = { deadline: Date.now() + TIMEOUT_MS };
        client.makeUnaryRequest(SERVICES[signal], identity, identity, body, metadata, options, (error) => {
          if (error === null) resolve({ kind: 'accepted' });
          else if (REFUSED.has(error.code)) resolve({ kind: 'refused', reason: reasonOf(error) });
          else resolve({ kind: 'unknown', reason: reasonOf(error) });
        });
      }),
    close: async () => {
      for (const client of clients) client.close();
    },
  };
}
