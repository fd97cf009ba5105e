import { type handleUnaryCall, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { encodeRetryInfo, encodeStatus } from '@weir/otlp';
import { afterEach, expect, test } from 'vitest';
import { createSender } from './sender.ts';

let server: Server | undefined;

afterEach(() => server?.forceShutdown());

/** How an export is told that a server answers with a status and trailers. */
async function answered(code: status, trailers: Readonly<Record<string, Buffer>>): Promise<unknown> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  const refuse: handleUnaryCall<Buffer, Buffer> = (_call, answer) => answer({ code, details: 'refused', metadata });
  const identity = (bytes: Buffer) => bytes;
  server = new Server();
  const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
  server.register(path, refuse, identity, identity, 'unary');
  const port = await new Promise<number>((resolve, reject) => {
    server?.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const url = `http://127.0.0.1:${port}`;
  const sender = createSender({ grpc: url, http: url, ca: undefined }, 'grpc', { compression: 'none', connections: 1 });
  try {
    return await sender.send('traces', Buffer.alloc(1), 'key');
  } finally {
    await sender.close();
  }
}

const details = (retryAfterS: number | undefined) =>
  encodeStatus({ grpcCode: 8, message: 'refused', retryAfterS }, 'protobuf');

test.each([
  ['RetryInfo among the details', status.RESOURCE_EXHAUSTED, { 'grpc-status-details-bin': details(1) }, 'gRPC 8'],
  ['RetryInfo alone', status.RESOURCE_EXHAUSTED, { 'google.rpc.retryinfo-bin': encodeRetryInfo(1) }, 'gRPC 8'],
  [
    'details that hold no RetryInfo',
    status.RESOURCE_EXHAUSTED,
    { 'grpc-status-details-bin': details(undefined) },
    'gRPC 8 without RetryInfo',
  ],
  ['nothing', status.RESOURCE_EXHAUSTED, {}, 'gRPC 8 without RetryInfo'],
  ['nothing, and another code', status.INVALID_ARGUMENT, {}, 'gRPC 3'],
])('a refusal over gRPC with %s', async (_what, code, trailers, reason) => {
  expect(await answered(code, trailers as Readonly<Record<string, Buffer>>)).toEqual({ kind: 'refused', reason });
});
